"""Quality over seeds: trains recipes on a data set, many at a time, and prints means.

    python tests/benchmarks/quality.py --data FOLDER --seeds 1-5 --workers 2 \
        --case default: --case 'budget:budget=0.01%' --case 'full:tune=full' --out results.jsonl

A case is NAME:SETTING=VALUE,... with the settings of `nexus train` (underscores, lists with `+`).
`plain=true` trains on the plain autograd path instead of the written-out one.
Every run is a whole run of the engine; each prints its `run_finished` event as a line of the output
file, with the case and seed. The table gives means over seeds, the spread, and, where a case ran
with `control=true`, the paired gain over the strictest control with its 95 % t interval.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nexus_engine.settings.record import SETTINGS

LEFT_OUT = ("run_dir", "time_unix_s", "arm")
WORDS = {"true": True, "false": False, "none": None}


def parse_value(name: str, text: str) -> Any:
    """A setting's value from its text; `+` separates the items of a list."""
    if name in SETTINGS and SETTINGS[name].kind == "list":
        return [parse_value("", item) for item in text.split("+")]
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_case(text: str) -> tuple[str, dict[str, Any]]:
    """NAME:SETTING=VALUE,... as a name and a dictionary."""
    name, _, rest = text.partition(":")
    pairs = [item.partition("=") for item in rest.split(",") if item]
    return name, {key: parse_value(key, value) for key, _, value in pairs}


def parse_seeds(text: str) -> list[int]:
    """ "1-5" or "1,4" as numbers."""
    first, dash, last = text.partition("-")
    if dash:
        return list(range(int(first), int(last) + 1))
    return [int(item) for item in text.split(",")]


def run_one(task: tuple[str, dict[str, Any], int]) -> dict[str, Any]:
    """One whole run in this process; its result with case and seed."""
    from nexus_engine.config import config_from_mapping, resolve
    from nexus_engine.disk.json_text import plain
    from nexus_engine.events import Evaluated, RunFinished
    from nexus_engine.model.sentence_model import SentenceModel
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.training.run import train

    name, asked, seed = task
    asked = dict(asked)
    SentenceModel.written_out = not asked.pop("plain", False)
    scratch = Path(tempfile.mkdtemp(prefix="nexus-quality-"))
    os.environ["XDG_DATA_HOME"] = str(scratch)
    curve: list[float] = []
    guard: list[float] = []
    begun = time.perf_counter()
    try:
        settings = resolve(config_from_mapping({**asked, "seed": seed}, name))
        for event in train(settings, RunFolder.create(scratch / "run", name)):
            if isinstance(event, Evaluated) and event.arm == "main" and event.split == "dev":
                curve.append(round(event.spearman, 5))
                guard.append(round(event.guard_spearman, 4))
            last = event
        found: dict[str, Any] = plain(last)
        if not isinstance(last, RunFinished):
            print(name, seed, found, file=sys.stderr)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {
        "case": name,
        "seed": seed,
        "wall_seconds": round(time.perf_counter() - begun, 1),
        "dev_curve": curve,
        "guard_curve": guard,
        **{key: value for key, value in found.items() if key not in LEFT_OUT},
    }


def mean_and_spread(values: list[float]) -> str:
    """Mean and standard deviation, as text."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ±{spread:.4f}"


def paired_interval(gains: list[float]) -> str:
    """Mean of paired differences with its 95 % t interval."""
    from scipy import stats

    mean = statistics.mean(gains)
    if len(gains) < 2:
        return f"{mean:+.4f}"
    half = stats.t.ppf(0.975, len(gains) - 1) * statistics.stdev(gains) / len(gains) ** 0.5
    return f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]"


def summarise(results: list[dict[str, Any]]) -> None:
    """Print a line a case."""
    print(f"{'case':34} n  dev             test            guard   kept params   s   gain")
    cases = dict.fromkeys(r["case"] for r in results)
    for case in cases:
        done = [r for r in results if r["case"] == case and r["event"] == "run_finished"]
        if not done:
            print(f"{case:34} failed")
            continue
        gains = [
            r["best_dev_spearman"] - r["control_dev_spearman"]
            for r in done
            if r.get("control_dev_spearman") is not None
        ]
        print(
            f"{case:34} {len(done):2} "
            f"{mean_and_spread([r['best_dev_spearman'] for r in done])}  "
            f"{mean_and_spread([r['test_spearman'] for r in done])}  "
            f"{statistics.mean([r['guard_spearman'] for r in done]):.4f}  "
            f"{statistics.mean([r['switches_kept'] for r in done]):.1f} "
            f"{done[0]['params_trained']:8} "
            f"{statistics.mean([r['wall_seconds'] for r in done]):5.0f} "
            f"{paired_interval(gains) if gains else ''}"
            f" ep {[r['best_epoch'] for r in done]}"
        )


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("--seeds", default="1-5")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--cases-file", type=Path)
    parser.add_argument("--common", default="", help="settings for every case")
    parser.add_argument("--limit-seconds", type=float, default=1e9)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    common = {**parse_case(f"common:{asked.common}")[1], "data": asked.data}
    texts = list(asked.case)
    if asked.cases_file:
        lines = asked.cases_file.read_text(encoding="utf-8").splitlines()
        texts += [line.strip() for line in lines if line.strip() and line[0] != "#"]
    cases = [parse_case(text) for text in texts]
    seeds = parse_seeds(asked.seeds)
    tasks = [(name, {**common, **case}, seed) for seed in seeds for name, case in cases]
    context = multiprocessing.get_context("spawn")
    results: list[dict[str, Any]] = []
    begun = time.perf_counter()
    with context.Pool(asked.workers) as pool:
        running = pool.imap_unordered(run_one, tasks)
        for _ in tasks:
            try:
                left = asked.limit_seconds - (time.perf_counter() - begun)
                found = running.next(timeout=max(left, 0.1))
            except multiprocessing.TimeoutError:
                pool.terminate()
                break
            results.append(found)
            if asked.out:
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
    order = [name for name, _ in cases]
    summarise(sorted(results, key=lambda r: order.index(r["case"])))
    print(f"{len(results)} of {len(tasks)} runs in {time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
