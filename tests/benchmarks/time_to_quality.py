"""Seconds from start until dev Spearman reaches a value, against the reference loop.

    python tests/benchmarks/time_to_quality.py --data FOLDER [--recipe fast --evaluations 3]

Each side is a process of its own, and its clock runs from before the interpreter starts: imports,
loading of the model and data, and every evaluation are included. NEXUS runs `--recipe` (its
default; `fast` is evaluated three times a pass). The reference trains epoch after epoch with a
constant rate, as the published project did, and is evaluated on dev after each, or `--evaluations`
times in each. With `--device cuda` the reference tells how many epochs it needs where that is
quick; its seconds then do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def reference(
    data: Path, value: float, seed: int, device: str, most: int, evaluations: int
) -> dict[str, Any]:
    """Dev Spearman of the reference, `evaluations` times an epoch, until it reaches `value`."""
    import numpy as np
    from reference import Reference, read_pairs

    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.scoring.correlation import spearman

    loop = Reference(find_base_model().folder, data, device=device, seed=seed)
    dev = read_pairs(data, "dev")
    steps = len(loop.loader)
    ends = {steps * (i + 1) // evaluations for i in range(evaluations)}
    curve: list[float] = []
    seconds: list[float] = []
    while len(curve) < most * evaluations and (not curve or curve[-1] < value):
        begun = time.perf_counter()
        for done, batch in enumerate(loop.loader, 1):
            loop.step(batch)
            if done not in ends:
                continue
            loop.model.eval()
            first, second = (
                loop.model.encode([pair[i] for pair in dev], normalize_embeddings=True)
                for i in (0, 1)
            )
            curve.append(spearman((first * second).sum(1), np.asarray([s for *_, s in dev])))
            seconds.append(time.perf_counter() - begun)
            place = len(curve) / evaluations
            print(f"reference epoch {place:.2f}: {curve[-1]:.4f}, {seconds[-1]:.0f} s", flush=True)
            begun = time.perf_counter()
            if curve[-1] >= value:
                break
    return {"reached": curve[-1] >= value, "curve": curve, "epoch_seconds": seconds}


def ours(data: Path, value: float, seed: int, recipe: str) -> dict[str, Any]:
    """The dev Spearman of a run of `recipe` until it reaches `value`."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_engine.events import Evaluated
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.training.run import train

    curve: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = scratch
        settings = resolve(TrainConfig(data=str(data), recipe=recipe, seed=seed, device="cpu"))
        for event in train(settings, RunFolder.create(Path(scratch) / "run", "quality")):
            if isinstance(event, Evaluated) and event.split == "dev":
                curve.append(event.spearman)
                if event.spearman >= value:
                    break
    return {"reached": curve[-1] >= value, "curve": curve}


def main() -> int:
    """Start both sides, print their times and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--value", type=float, default=0.8886)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recipe", default="default", help="of NEXUS")
    parser.add_argument("--evaluations", type=int, default=1, help="of the reference, an epoch")
    parser.add_argument("--most-epochs", type=int, default=15)
    parser.add_argument("--device", default="cpu", help="of the reference")
    parser.add_argument("--side", choices=("ours", "reference"))
    parser.add_argument("--only", choices=("ours", "reference"))
    asked = parser.parse_args()
    if asked.side == "ours":
        print(json.dumps(ours(asked.data, asked.value, asked.seed, asked.recipe)))
        return 0
    if asked.side == "reference":
        found = reference(
            asked.data,
            asked.value,
            asked.seed,
            asked.device,
            asked.most_epochs,
            asked.evaluations,
        )
        print(json.dumps(found))
        return 0
    seconds: dict[str, float] = {}
    for side in [asked.only] if asked.only else ["ours", "reference"]:
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--side", side],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        seconds[side] = time.perf_counter() - begun
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"{side}: {seconds[side]:.1f} s, reached {found['reached']}, dev {found['curve']}")
    if len(seconds) == 2:
        print(f"the reference takes {seconds['reference'] / seconds['ours']:.1f} times as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
