"""Peak resident memory of training against the reference loop, each in a process of its own.

    python tests/benchmarks/memory.py --data FOLDER [--steps 180]

The reference makes the steps of one epoch and nothing else; NEXUS makes whole runs (data,
evaluation of the base model, steps, evaluations, checkpoints): `dendrites` by its recipe, three
epochs and two sets, `full` for one epoch.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path


def peak_mb() -> float:
    """Most resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def reference(data: Path, steps: int) -> float:
    """Peak of the reference loop."""
    from reference import Reference

    from nexus_engine.model.base_model import find_base_model

    loop = Reference(find_base_model().folder, data)
    for _ in range(steps):
        loop.step()
    return peak_mb()


def ours(data: Path, tune: str, precision: str) -> float:
    """Peak of a run of NEXUS."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_engine.events import RunFinished
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.training.run import train

    settings = resolve(
        TrainConfig(
            data=str(data),
            tune=tune,  # type: ignore[arg-type]
            precision=precision,  # type: ignore[arg-type]
            epochs=1 if tune == "full" else None,
            device="cpu",
        )
    )
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = scratch
        for event in train(settings, RunFolder.create(Path(scratch) / "run", "memory")):
            last = event
        assert isinstance(last, RunFinished), last
    return peak_mb()


def main() -> int:
    """Start one process a case; print a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--case", default="")
    asked = parser.parse_args()
    if asked.case == "reference":
        print(reference(asked.data, asked.steps))
        return 0
    if asked.case:
        print(ours(asked.data, *asked.case.split(":")))
        return 0
    found: dict[str, float] = {}
    cases = ("reference", "dendrites:bf16", "dendrites:fp32", "full:bf16", "full:fp32")
    for case in cases:
        command = [sys.executable, __file__, "--data", str(asked.data), "--case", case]
        command += ["--steps", str(asked.steps)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        found[case] = float(done.stdout.splitlines()[-1])
        share = found[case] / found["reference"]
        print(f"{case:16} peak {found[case]:7.0f} MB   {share:5.2f} of the reference", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
