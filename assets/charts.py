"""Draws the charts in assets/charts from the raw results in docs/results.

    python assets/charts.py

Each point is a mean over seeds with its 95 % t interval. Nothing is computed but that.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.reports.charts import Dot, Line, line_chart, scatter
from nexus_engine.reports.page import page_style

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "results"
CHARTS = HERE / "charts"
BASE_DEV = 0.8672
PUBLISHED_DEV = 0.89167
Run = dict[str, Any]


class Row(NamedTuple):
    """The runs of one point: which file, what they hold in common, and what the point is called."""

    kind: str
    name: str
    file: str
    wanted: dict[str, Any]


LORA, OTHER, PLAIN, SHARP, FULL = (
    "LoRA (peft)",
    "IA3, biases",
    "units",
    "units, sharpness-aware",
    "all weights",
)
KINDS = (LORA, OTHER, PLAIN, SHARP, FULL)
TUNED, SHARPNESS, SEARCH = "parameters-h100.jsonl", "sharpness-h100.jsonl", "stsb-h200.jsonl"


def tuned(kind: str, name: str, row: str) -> Row:
    """A row of parameters.py: its runs on the seeds that are reported."""
    return Row(kind, name, TUNED, {"row": row, "seed": (1, 2, 3, 4, 5)})


PARAMETERS = (
    *(
        tuned(LORA, name, f"lora {name}")
        for name in ("r1 v0", "r1 up1", "r1 up0123", "r1 v+up", "r2 v+up", "r4 v+up")
    ),
    tuned(OTHER, "IA3, v of layer 1", "ia3 v1"),
    tuned(OTHER, "IA3", "ia3 k+v+ff"),
    tuned(OTHER, "biases", "bias"),
    tuned(PLAIN, "v of layer 0", "units v0"),
    tuned(PLAIN, "up of layer 1", "units up1"),
    tuned(PLAIN, "up of layers 0 to 3", "units up0123"),
    tuned(PLAIN, "v and up", "units v+up"),
    Row(PLAIN, "v and up, two sets", SEARCH, {"round": "switches", "case": "default"}),
    Row(SHARP, "up of layers 0 to 3", SHARPNESS, {"case": "sharp-up0-3-linear"}),
    Row(SHARP, "v and up, one unit", SHARPNESS, {"case": "sharp-v-up-1"}),
    Row(SHARP, "v and up, two units", SHARPNESS, {"case": "sharp-v-up-2"}),
    Row(SHARP, "v and up, four units", SHARPNESS, {"case": "best"}),
    tuned(FULL, "all weights", "full"),
)
CURVES = (
    ("published recipe", "published-baseline"),
    ("published recipe with dendrites", "published-dendrites"),
    ("--recipe best", "best"),
    ("best, GELU units", "best-gelu"),
    ("best, plain steps", "best-plain"),
)
LITTLE = (
    ("nexus train", "default"),
    ("--recipe best", "best"),
    ("--tune full", "full"),
)
LITTLE_SIZES = (100, 300, 1000)


def read(name: str) -> list[Run]:
    """The finished runs in a file of results; none where the file is not there."""
    path = RESULTS / name
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [run for run in map(json.loads, lines) if "best_dev_spearman" in run]


def matching(runs: Iterable[Run], wanted: dict[str, Any]) -> list[Run]:
    """The runs whose fields are as wanted; a tuple names what a field may be."""
    return [
        run
        for run in runs
        if all(
            run.get(key) in value if isinstance(value, tuple) else run.get(key) == value
            for key, value in wanted.items()
        )
    ]


def interval(values: list[float]) -> tuple[float, float | None, float | None]:
    """Mean and the bounds of its 95 % t interval; no bounds for a single value."""
    from scipy import stats

    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, None, None
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def standalone(drawn: str, kinds: Sequence[str] = ()) -> str:
    """An inline chart as a file of its own, with a legend of its kinds of points below."""
    found = re.match(r'<svg viewBox="0 0 (\d+) (\d+)"', drawn)
    if found is None:
        return ""
    wide, tall = int(found[1]), int(found[2])
    legend, x, y = [], 64.0, tall + 14
    for i, kind in enumerate(kinds):
        if x + 30 + 6.6 * len(kind) > wide:
            x, y = 64.0, y + 20
        legend.append(f'<circle class="c{i}" cx="{x:.0f}" cy="{y - 4}" r="4.5"/>')
        legend.append(f'<text x="{x + 10:.0f}" y="{y}">{escape(kind)}</text>')
        x += 30 + 6.6 * len(kind)
    tall = y + 10 if kinds else tall
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" '
        f'viewBox="0 0 {wide} {tall}" font-family="sans-serif"'
    )
    style = f"<style>{page_style()}</style>"
    paper = f'<rect width="{wide}" height="{tall}" style="fill:var(--bg)"/>'
    body = drawn[found.end() : -len("</svg>")].replace("</title>", f"</title>{style}{paper}", 1)
    return f"{head}{body}{''.join(legend)}</svg>"


def parameters() -> str:
    """Dev Spearman against trained parameters."""
    dots = []
    for row in PARAMETERS:
        runs = matching(read(row.file), row.wanted)
        if not runs:
            print(f"no runs of {row.name} in {row.file}", file=sys.stderr)
            continue
        mean, low, high = interval([run["best_dev_spearman"] for run in runs])
        most = max(run["params_trained"] for run in runs)
        dots.append(Dot(row.name, most, mean, low, high, KINDS.index(row.kind)))
    drawn = scatter(
        dots,
        "Spearman against parameters",
        "trained parameters",
        "dev",
        PUBLISHED_DEV,
        "published project, 23.0 M parameters",
    )
    return standalone(drawn, KINDS)


def curves() -> str:
    """Mean dev Spearman after each epoch, over the seeds that every line has."""
    runs = read(SHARPNESS)
    seeds = set.intersection(
        *({run["seed"] for run in runs if run["case"] == c} for _, c in CURVES)
    )
    lines = []
    for name, case in CURVES:
        by_epoch: dict[int, list[float]] = defaultdict(list)
        for run in matching(runs, {"case": case, "seed": tuple(seeds)}):
            for epoch, value in enumerate(run["dev_curve"]):
                by_epoch[epoch].append(value)
        points = tuple((float(e), statistics.mean(v)) for e, v in sorted(by_epoch.items()) if e)
        lines.append(Line(name, points, dashed=case == "published-baseline"))
    return standalone(line_chart(lines, "Dev Spearman by epoch", "epoch", "dev"))


def little_data() -> str:
    """Dev Spearman against train pairs; empty where there are no results."""
    runs = read("little-data-h100.jsonl") + read("little-data-default-cpu.jsonl")
    dots = []
    for kind, (name, case) in enumerate(LITTLE):
        for size in LITTLE_SIZES:
            values = [
                run["best_dev_spearman"] for run in matching(runs, {"case": f"{case}-{size}"})
            ]
            if values:
                dots.append(Dot(f"{name}, {size} pairs", size, *interval(values), kind))
    drawn = scatter(dots, "Spearman with little data", "train pairs", "dev", BASE_DEV)
    return standalone(drawn, [name for name, _ in LITTLE])


RETRIEVAL = (
    (PLAIN, "up of layers 0 to 4, one unit", "tiny h1"),
    (PLAIN, "four units", "4 n.5 8e-3"),
    (PLAIN, "16 units, similar questions", "16 n.5"),
    (PLAIN, "16 units, two hard negatives", "16 h2"),
    (LORA, "LoRA on v and up", "lora16 v,up 5e-3 n.5"),
    (LORA, "LoRA on all layers", "lora16 all 0.002 n.5"),
    (FULL, "all weights", "full 0.0002 n.5"),
)
RETRIEVAL_KINDS = (LORA, PLAIN, FULL)
BASE_NDCG = 0.6873


def retrieval() -> str:
    """Test nDCG@10 on MedQuAD against trained parameters."""
    path = RESULTS / "retrieval-h200.jsonl"
    runs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    dots = []
    for kind, name, case in RETRIEVAL:
        found = [run for run in runs if run["case"] == case]
        dots.append(
            Dot(
                name,
                max(run["params"] for run in found),
                *interval([run["test"] for run in found]),
                RETRIEVAL_KINDS.index(kind),
            )
        )
    drawn = scatter(
        dots,
        "MedQuAD: test nDCG@10 against parameters",
        "trained parameters",
        "nDCG@10",
        BASE_NDCG,
        "base model",
    )
    return standalone(drawn, RETRIEVAL_KINDS)


def main() -> int:
    """Write every chart for which there are results."""
    CHARTS.mkdir(exist_ok=True)
    for name, chart in (
        ("parameters", parameters()),
        ("epochs", curves()),
        ("little-data", little_data()),
        ("retrieval", retrieval()),
    ):
        if chart:
            (CHARTS / f"{name}.svg").write_text(chart + "\n", encoding="utf-8")
            size = re.search(r'viewBox="0 0 (\d+) (\d+)"', chart)
            print(f"{name}.svg", *(size.groups() if size else ()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
