"""An export of a run: its stages while it is at work, and its result."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.metric_words import metric_name
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted, wrapped
from nexus_tui.charts.kit.meter import meter
from nexus_tui.words.formats import correlation, duration, gain, shown_path, size

__all__ = ["SeenStage", "next_step", "result_lines", "stage_lines"]

LABEL_COLUMNS = 12
MANY_LINES = 100
"""More than any list of files or note takes."""


class SeenStage(NamedTuple):
    """A stage, the share of the export that was done when it began, 0..1, and its begin in s."""

    words: str
    fraction: float
    begun: float


def stage_lines(
    stages: Sequence[SeenStage], now: float, width: int, chart_style: ChartStyle
) -> list[Text]:
    """A line for each stage with its seconds, the present one last, and a bar with the whole time.

    `now` is on the clock of the stages.
    """
    if not stages:
        return []
    glyphs, palette = chart_style.glyphs, chart_style.palette
    ends = [*(stage.begun for stage in stages[1:]), now]
    lines = []
    for stage, end in zip(stages, ends, strict=True):
        present = stage is stages[-1]
        sign = (f"{glyphs.trial} ", palette.run) if present else (f"{glyphs.kept} ", palette.good)
        seconds = f"{max(0.0, end - stage.begun):6.1f} s"
        words = fitted(stage.words, width - len(seconds) - 3, chart_style)
        room = " " * max(1, width - 2 - cell_len(words) - len(seconds))
        style = palette.text if present else palette.dim
        lines.append(Text.assemble(sign, (words + room + seconds, style)))
    share = stages[-1].fraction
    words = f" {share:>4.0%}  {duration(now - stages[0].begun)}"
    bar = meter(share, max(1, width - len(words)), chart_style)
    return [*lines, Text(), bar.append(words, palette.text)]


def result_lines(figures: Mapping[str, Any], width: int, chart_style: ChartStyle) -> list[Text]:
    """The fields of a finished export: what was written, who read it back, what comes next."""
    palette = chart_style.palette
    files = figures["files"]
    content = f"{figures['format']}, {size(figures['size_bytes'])} in {len(files)} files"
    headline = Text.assemble(
        (f"{chart_style.glyphs.best} exported  ", palette.good),
        (fitted(content, width - 12, chart_style), palette.text),
    )
    lines = [headline, *_whole(shown_path(figures["path"]), width, palette.title), Text()]
    rows = [("read by", f"{figures['read_by']}, in a fresh process"), *_comparison(figures)]
    for label, words in rows:
        lines += _row(label, words, width, chart_style)
    for note in figures["notes"]:
        lines += [Text(), *wrapped(f"note: {note}", width, MANY_LINES, palette.warn)]
    lines += [Text(), Text("next:", palette.text)]
    for line in next_step(figures):
        lines += _whole(line, width, palette.run)
    page = "docs/export.md" if figures["format"] == "delta" else "docs/consumers.md"
    words = f"README.md in the folder and {page} say more."
    lines += [*wrapped(words, width, MANY_LINES, palette.dim), Text()]
    return [*lines, *_row("files", ", ".join(files), width, chart_style)]


def next_step(figures: Mapping[str, Any]) -> list[str]:
    """The lines of Python, or the command, that read the export first."""
    path, files = figures["path"], figures["files"]
    match figures["format"]:
        case "st":
            onnx = "" if "model.safetensors" in files else ', backend="onnx"'
            return [
                "from sentence_transformers import SentenceTransformer",
                f"model = SentenceTransformer({_quoted(path)}{onnx})",
            ]
        case "gguf":
            model = shlex.quote(f"{path}/model.gguf")
            return [f'llama-embedding -m {model} --pooling mean --embd-normalize 2 -p "a text"']
        case "delta":
            weights = _quoted(f"{path}/delta.safetensors")
            return ["from safetensors.numpy import load_file", f"delta = load_file({weights})"]
        case _:
            graph = _quoted(next(f"{path}/{name}" for name in files if name.endswith(".onnx")))
            return ["import onnxruntime", f"session = onnxruntime.InferenceSession({graph})"]


def _quoted(path: str) -> str:
    """`path` as a string of Python."""
    return json.dumps(path, ensure_ascii=False)


def _comparison(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the export compares with the run."""
    name = metric_name(figures["metric"])
    own, score = figures["dev_score"], figures["exported_dev_score"]
    if figures["max_difference"] is None:
        difference = "none: every weight has NEXUS's bits"
    else:
        difference = (
            f"{figures['max_difference']:.1e}, the largest of a number of an embedding; mean "
            f"cosine {figures['mean_cosine']:.4f}"
        )
    if score is None:
        dev = figures["checks"][-1]
    else:
        dev = f"{correlation(own)} by the run, {correlation(score)} by the export"
        dev += f" ({gain(score - own)})"
    return [("difference", difference), (f"dev {name}", dev)]


def _row(label: str, words: str, width: int, chart_style: ChartStyle) -> list[Text]:
    """`words` after a label, over as many lines as they need."""
    palette = chart_style.palette
    label = f"{label:<{LABEL_COLUMNS}} "
    lines = wrapped(words, width - len(label), MANY_LINES, palette.text)
    margins = [(label, palette.dim), *[(" " * len(label), palette.dim)] * (len(lines) - 1)]
    return [
        Text.assemble(margin, (line.plain, palette.text))
        for margin, line in zip(margins, lines, strict=True)
    ]


def _whole(text: str, width: int, style: Style) -> list[Text]:
    """`text`, which may be copied, cut nowhere but at the edge of the screen."""
    pieces: list[str] = [""]
    for character in text:
        if cell_len(pieces[-1] + character) > width:
            pieces.append("")
        pieces[-1] += character
    return [Text(piece, style=style) for piece in pieces]
