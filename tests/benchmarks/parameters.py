"""Spearman against trained parameters: our units, LoRA, IA3, biases, all weights; one budget each.

Every row (what is trained) gets the same tuning: each learning rate of its method's four is run on
the tuning seeds, the best by mean dev is run on the seeds that are reported. Runs are processes,
many at a time on one GPU; each is a line of the output file, and lines that are there already are
not run again.

    python tests/benchmarks/parameters.py --base DIR --data FOLDER --workers 8 --out params.jsonl
    python tests/benchmarks/parameters.py --data FOLDER --out params.jsonl --table

Needs `peft` beside NEXUS. DIR holds model.safetensors (any float type), config.json and
tokenizer.json. Rows named `linear` are ours without the nonlinearity.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

SMALL_RATES = (2e-3, 4e-3, 8e-3, 1.6e-2)
"""For rows of few parameters, ours and LoRA's alike."""
RATES: dict[str, tuple[float, ...]] = {
    "units": (8e-4, 1.7e-3, 3.4e-3, 6.8e-3),
    "lora": (8e-4, 1.7e-3, 3.4e-3, 6.8e-3),
    "ia3": (2e-3, 6e-3, 1.8e-2, 5.4e-2),
    "bias": (3e-4, 1e-3, 3e-3, 9e-3),
    "full": (2e-5, 5e-5, 1e-4, 2e-4),
}
ALL = tuple(range(6))
OURS = {"v": "value", "up": "intermediate.dense"}


def units(place: tuple[str, ...], layers: tuple[int, ...], count: int = 1, **more: Any) -> Any:
    """A row of ours: one set of `count` units from the start, the same length as peft's rows."""
    return {
        "method": "units",
        "tune": "dendrites",
        "place": list(place),
        "layers": list(layers),
        "units": count,
        "switches": 1,
        "switch_epochs": [0],
        "schedule": "linear",
        **more,
    }


def lora(place: tuple[str, ...], layers: tuple[int, ...], r: int = 1) -> Any:
    """A row of LoRA on the layers of ours."""
    return {"method": "lora", "targets": [OURS[p] for p in place], "layers": list(layers), "r": r}


def rows() -> dict[str, dict[str, Any]]:
    """What is trained, by the name of the row."""
    found: dict[str, dict[str, Any]] = {}
    placements = {
        "v0": (("v",), (0,)),
        "v03": (("v",), (0, 3)),
        "up1": (("up",), (1,)),
        "up12": (("up",), (1, 2)),
        "up0123": (("up",), (0, 1, 2, 3)),
        "up": (("up",), ALL),
        "v+up": (("v", "up"), ALL),
    }
    for name, (place, layers) in placements.items():
        few = {"small": True} if name in ("v0", "v03", "up1", "up12", "up0123") else {}
        found[f"units {name}"] = {**units(place, layers), **few}
        found[f"linear {name}"] = {**units(place, layers, nonlinearity="linear"), **few}
        found[f"lora r1 {name}"] = {**lora(place, layers), **few}
    for count in (2, 4, 8):
        found[f"units v+up x{count}"] = units(("v", "up"), ALL, count)
        found[f"lora r{count} v+up"] = lora(("v", "up"), ALL, count)
    every = [
        "query",
        "key",
        "value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ]
    found["units all"] = units(("q", "k", "v", "o", "up", "down"), ALL)
    found["lora r1 all"] = {"method": "lora", "targets": every, "layers": list(ALL), "r": 1}
    found["lora r8 all"] = {"method": "lora", "targets": every, "layers": list(ALL), "r": 8}
    found["ia3 v1"] = {"method": "ia3", "targets": ["value"], "layers": [1]}
    found["ia3 v"] = {"method": "ia3", "targets": ["value"], "layers": list(ALL)}
    found["ia3 k+v+ff"] = {
        "method": "ia3",
        "targets": ["key", "value", "output.dense"],
        "layers": list(ALL),
    }
    found["bias"] = {"method": "bias"}
    found["full"] = {"method": "full"}
    return found


Task = tuple[str, float, int, dict[str, Any], str, str, int]


def run_task(task: Task) -> dict[str, Any]:
    """One run in this process."""
    name, rate, seed, row, base, data, epochs = task
    # Many processes on one machine: more threads than cores would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    sys.path.insert(0, str(Path(__file__).parent))
    asked = {k: v for k, v in row.items() if k not in ("method", "small")}
    try:
        if row["method"] == "units":
            from quality import run_one

            asked.update({"lr": rate, "data": data, "epochs": epochs, "batch_size": 64})
            asked.update({"base": base, "dropout": 0.1})
            found = run_one((name, asked, seed))
            found.pop("case", None)
        else:
            from peft_run import train_one

            settings = {**asked, "method": row["method"], "lr": rate, "seed": seed}
            settings.update({"epochs": epochs})
            found = train_one(base, data, settings)
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    return {**found, "row": name, "method": row["method"], "lr": rate, "seed": seed}


def read(path: Path) -> list[dict[str, Any]]:
    """The runs in a file of lines that did not fail."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [r for r in map(json.loads, lines) if "best_dev_spearman" in r]


def mean_dev(runs: list[dict[str, Any]]) -> float:
    """Mean dev Spearman; -inf for none or what is not a number."""
    values = [float(r["best_dev_spearman"]) for r in runs]
    mean = statistics.mean(values) if values else -math.inf
    return mean if math.isfinite(mean) else -math.inf


def chosen_rate(runs: list[dict[str, Any]], name: str, seeds: list[int]) -> float | None:
    """The rate of a row with the best mean dev on the tuning seeds."""
    ours = [r for r in runs if r["row"] == name and r["seed"] in seeds]
    rates = sorted({r["lr"] for r in ours})
    return max(rates, key=lambda rate: mean_dev([r for r in ours if r["lr"] == rate]), default=None)


def work(tasks: list[Task], out: Path, workers: int, until: float) -> None:
    """Run what the file lacks."""
    have = {(r["row"], r["lr"], r["seed"]) for r in read(out)}
    left = [t for t in tasks if (t[0], t[1], t[2]) not in have]
    print(f"{len(tasks) - len(left)} of {len(tasks)} are there already", file=sys.stderr)
    if not left:
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(left)), maxtasksperchild=64) as pool:
        running = pool.imap_unordered(run_task, left)
        for i in range(len(left)):
            try:
                found = running.next(timeout=max(0.1, until - time.monotonic()))
            except multiprocessing.TimeoutError:
                pool.terminate()
                print(f"out of time after {i} of {len(left)} runs", file=sys.stderr)
                raise SystemExit(1) from None
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            if "error" in found:
                print(found["row"], found["error"], file=sys.stderr)


def table(runs: list[dict[str, Any]], tuning: list[int], seeds: list[int]) -> None:
    """A line a row: parameters, rate, means over the reported seeds."""
    print(f"{'row':18} parameters   lr       n  dev             test            guard")
    lines = []
    for name in rows():
        rate = chosen_rate(runs, name, tuning)
        done = [r for r in runs if r["row"] == name and r["lr"] == rate and r["seed"] in seeds]
        if not done:
            continue
        figures = []
        for key in ("best_dev_spearman", "test_spearman"):
            values = [r[key] for r in done]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            figures.append(f"{statistics.mean(values):.4f} ±{spread:.4f}")
        guard = statistics.mean(r["guard_spearman"] for r in done)
        params = max(r["params_trained"] for r in done)  # 0 where the set was rolled back
        text = f"{name:18} {params:10,} {rate:9.2g} {len(done):2}  {figures[0]}  {figures[1]}"
        lines.append((params, f"{text}  {guard:.4f}"))
    print("\n".join(text for _, text in sorted(lines)))


def numbers(text: str) -> list[int]:
    """ "1-5" or "1,4" as numbers."""
    first, dash, last = text.partition("-")
    return (
        list(range(int(first), int(last) + 1)) if dash else [int(part) for part in text.split(",")]
    )


def main() -> int:
    """Tune, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help="folder of the base model")
    parser.add_argument("--data", default="demo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--tuning-seeds", default="101,102")
    parser.add_argument("--seeds", default="1-5")
    parser.add_argument("--rows", default="", help="only the rows of these names, by |")
    parser.add_argument("--limit-seconds", type=float, default=1e9)
    parser.add_argument("--table", action="store_true", help="print what the file holds")
    asked = parser.parse_args()
    tuning, seeds = numbers(asked.tuning_seeds), numbers(asked.seeds)
    wanted = [part for part in asked.rows.split("|") if part]
    kinds = {n: r for n, r in rows().items() if not wanted or n in wanted}
    until = time.monotonic() + asked.limit_seconds
    if not asked.table:
        if asked.base is None:
            parser.error("--base is needed to run")

        def task(name: str, rate: float, seed: int) -> Task:
            return (name, rate, seed, kinds[name], asked.base, asked.data, asked.epochs)

        first = [
            task(name, rate, seed)
            for seed in tuning
            for name, row in kinds.items()
            for rate in (SMALL_RATES if row.get("small") else RATES[row["method"]])
        ]
        work(first, asked.out, asked.workers, until)
        runs = read(asked.out)
        best = {name: chosen_rate(runs, name, tuning) for name in kinds}
        second = [
            task(name, rate, seed)
            for seed in seeds
            for name, rate in best.items()
            if rate is not None
        ]
        work(second, asked.out, asked.workers, until)
    table(read(asked.out), tuning, seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
