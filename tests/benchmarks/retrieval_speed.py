"""Training throughput of a retrieval step on a CPU against sentence-transformers' own step.

    python tests/benchmarks/retrieval_speed.py --data FOLDER [--batches 64,256] [--units 16,4]

`FOLDER` holds questions and passages in BEIR's layout. NEXUS trains linear units on v and up of the
frozen encoder; the other side trains all weights by MultipleNegativesRankingLoss, in the same batch
size and with its usual padding. Each side runs in a process of its own and is warmed until three
windows agree within 5 %. Rounds alternate between the sides, so that other load meets all of them;
ratios are made within a round. Printed: medians with the smallest and largest, pairs and tokens a
second, the ratio, the same for CPU time, which other load moves less, the peak of resident memory,
and the load of the machine.

`--lengths 32,64,128,256` times NEXUS's step on passages cut at these lengths instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

WINDOWS = 3
"""Windows that must agree, and how well, before a side counts as warm."""
AGREE = 0.05
MOST_WINDOWS = 6
"""Other load may keep windows apart for ever."""


class Window(NamedTuple):
    """What a side did in a window."""

    pairs: int
    tokens: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def pairs_a_second(self) -> float:
        return self.pairs / self.seconds

    @property
    def pairs_a_cpu_second(self) -> float:
        return self.pairs / self.cpu_seconds

    @property
    def tokens_a_second(self) -> float:
        return self.tokens / self.seconds


class Child:
    """A side in a process of its own."""

    def __init__(self, data: Path, threads: int, side: Mapping[str, Any]) -> None:
        command = [sys.executable, __file__, "--data", str(data), "--threads", str(threads)]
        self._process = subprocess.Popen(
            [*command, "--side", json.dumps(side)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def window(self, seconds: float) -> Window:
        """Make steps for at least `seconds`; at least one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seconds, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a side ended with status {self._process.wait()}")
        return Window(*json.loads(answer))

    def warm(self, seconds: float) -> int:
        """Run windows until the last `WINDOWS` agree; how many it took."""
        speeds: list[float] = []
        while len(speeds) < MOST_WINDOWS:
            speeds.append(self.window(seconds).pairs_a_second)
            last = speeds[-WINDOWS:]
            if len(last) == WINDOWS and max(last) <= min(last) * (1 + AGREE):
                break
        return len(speeds)

    def end(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(data: Path, threads: int, side: dict[str, Any]) -> int:
    """Be a side: for each line of stdin, a number of seconds, make steps and print a window."""
    import torch
    from retrieval_sides import Ours, Reference, Side

    torch.set_num_threads(threads)
    kind = side.pop("kind")
    made: Side = Ours(data, **side) if kind == "nexus" else Reference(data, **side)
    for line in sys.stdin:
        seconds, pairs, tokens = float(line), 0, 0
        begun, cpu_begun = time.perf_counter(), time.process_time()
        while not pairs or time.perf_counter() - begun < seconds:
            more = made.step()
            pairs, tokens = pairs + more[0], tokens + more[1]
        spent, cpu_spent = time.perf_counter() - begun, time.process_time() - cpu_begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_mb = peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
        print(json.dumps([pairs, tokens, spent, cpu_spent, peak_mb]), flush=True)
    return 0


def line(values: Sequence[float], digits: int = 1) -> str:
    """Median with the smallest and largest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):8.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def compare(title: str, sides: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """Time `sides` in rounds and print a line each; ratios are to the first."""
    children = {
        name: Child(options.data, options.threads, side)  # side: see `retrieval_sides`
        for name, side in sides.items()
    }
    warmed = {name: child.warm(options.seconds) for name, child in children.items()}
    rounds: list[dict[str, Window]] = []
    loads = []
    for _ in range(options.rounds):
        rounds.append({name: child.window(options.seconds) for name, child in children.items()})
        loads.append(os.getloadavg()[0])
    for child in children.values():
        child.end()
    first = next(iter(sides))
    print(f"{title}: {len(rounds)} rounds, load {line(loads)}")
    for name in sides:
        windows = [made[name] for made in rounds]
        ratios = [made[name].pairs_a_second / made[first].pairs_a_second for made in rounds]
        cpu = [made[name].pairs_a_cpu_second / made[first].pairs_a_cpu_second for made in rounds]
        print(
            f"  {name:24} {line([w.pairs_a_second for w in windows])} pairs/s "
            f"{line([w.tokens_a_second for w in windows], 0)} tokens/s  {line(ratios, 2)} x  "
            f"{line(cpu, 2)} x a CPU second  "
            f"peak {windows[-1].peak_mb:6.0f} MB  warm after {warmed[name]}",
            flush=True,
        )


def main() -> int:
    """Parse the command line; be a side, or compare sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--batches", default="64,256")
    parser.add_argument("--units", default="16,4")
    parser.add_argument("--precisions", default="bf16,fp32")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lengths", default="")
    parser.add_argument("--rehearsal", choices=("both", "on", "off"), default="both")
    parser.add_argument("--reference-precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--negatives", action="store_true", help="one hard negative a question")
    parser.add_argument("--base", help="the base model's folder")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return serve(options.data, options.threads, json.loads(options.side))
    precisions = options.precisions.split(",")
    units = [int(count) for count in options.units.split(",")]
    if options.lengths:
        for precision in precisions:
            sides = {
                f"{tokens} tokens": {
                    "kind": "nexus", "precision": precision, "units": units[0], "tokens": tokens,
                    "batch": max(8, 64 * 128 // tokens), "base_folder": options.base,
                }
                for tokens in map(int, options.lengths.split(","))
            }  # fmt: skip
            compare(f"{precision}, {units[0]} units, about 8,000 tokens a step", sides, options)
        return 0
    with_rehearsal = {"both": (False, True), "on": (True,), "off": (False,)}[options.rehearsal]
    for batch in map(int, options.batches.split(",")):
        same = {"batch": batch, "tokens": options.tokens, "base_folder": options.base}
        sides = {
            "sentence-transformers": {
                "kind": "reference", "precision": options.reference_precision, **same,
            }
        }  # fmt: skip
        for precision in precisions:
            for count in units:
                for rehearsal in with_rehearsal:
                    name = f"{precision} {count} units{' rehearsal' if rehearsal else ''}"
                    sides[name] = {
                        "kind": "nexus", "precision": precision, "units": count,
                        "rehearsal": rehearsal, "negatives": options.negatives, **same,
                    }  # fmt: skip
        compare(f"batch {batch}, passages cut at {options.tokens} tokens", sides, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
