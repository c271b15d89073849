"""Start of the commands against the least that such a program can take.

    python tests/benchmarks/start_time.py [--rounds 7]

`nexus --help` against a bare Typer program's `--help`; `nexus similarity base S1 S2` from a cold
process to the answer against `import torch` and reading the weights. Both sides in turn, a process
each; the median of the rounds' ratios is printed with the smallest and largest.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import typer
app = typer.Typer()
@app.command()
def one(name: str) -> None:
    "Say a name."
@app.command()
def two(name: str, times: int = 1) -> None:
    "Say it more often."
app()
"""
FLOOR = """
import torch
from safetensors.torch import load_file
weights = load_file({weights!r})
sum(float(w.sum()) for w in weights.values())
"""


def seconds(command: list[str]) -> float:
    """Wall time of a process."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> int:
    """Measure both commands, print a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    from nexus_engine.model.base_model import find_base_model

    nexus = [sys.executable, "-m", "nexus_tui"]
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        floor = Path(scratch) / "floor.py"
        weights = str(find_base_model().folder / "model.safetensors")
        floor.write_text(FLOOR.format(weights=weights), encoding="utf-8")
        cases = {
            "nexus --help / bare Typer": (
                [*nexus, "--help"],
                [sys.executable, str(bare), "--help"],
            ),
            "nexus similarity / torch and weights": (
                [*nexus, "similarity", "base", "No acute distress.", "Patient in distress."],
                [sys.executable, str(floor)],
            ),
        }
        for name, (ours, least) in cases.items():
            seconds(ours)
            seconds(least)
            rounds = [(seconds(ours), seconds(least)) for _ in range(asked.rounds)]
            ratios = [a / b for a, b in rounds]
            one, two = (statistics.median(side) for side in zip(*rounds, strict=True))
            print(
                f"{name}: {one:.2f} s / {two:.2f} s, ratio {statistics.median(ratios):.2f} "
                f"[{min(ratios):.2f}, {max(ratios):.2f}]",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
