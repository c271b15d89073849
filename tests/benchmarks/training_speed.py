"""Training throughput on a CPU against the reference loop, and against the floor of the arithmetic.

    python tests/benchmarks/training_speed.py --data FOLDER [--rounds 5] [--precisions bf16,fp32]
        [--isa native|avx2|sse41]

Each side has a process of its own and is warmed until three windows in a row agree within 5 %: on a
CPU with AMX the reference is slower by half in its first seconds. A window has at least 20 steps
and takes at least 3 seconds. Each round measures a window of the reference, then of every regime;
ratios are made within a round, and their median is printed with the smallest and largest. The floor
of a regime is the time that its products would take, forward and for the gradients that it needs,
at the rate of `torch.mm` right before and after the window, in the same process. --isa keeps oneDNN
and torch from instructions beyond that set, as on an older processor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from arms import REGIMES, Stepper, load_corpus
from timed_sides import LEVELS, Side, processor, serve

from nexus_engine.model.base_model import find_base_model

REFERENCE = "reference"
SECONDS, STEPS = 3.0, 20
"""A window has at least this length and this many steps."""
PER_LAYER = 4 * 384 * 384 + 2 * 384 * 1536
"""Multiplications a token and layer."""
# Products of a regime in units of one forward pass. `dendrites`: no gradient below v of layer 0,
# none of its queries' and keys' inputs. `budget`: back to the up-projection of layer 1.
PASSES = {
    "full": 3.0,
    "dendrites": 1 + (6 - 3 * 384 * 384 / PER_LAYER) / 6,
    "budget": 1 + (4 + 384 * 1536 / PER_LAYER) / 6,
}


def product_rate(dtype: torch.dtype, seconds: float, rows: int = 1800) -> float:
    """FLOP/s of torch.mm over the model's six shapes, as they occur, for about `seconds`."""
    shapes = [(384, 384)] * 4 + [(384, 1536), (1536, 384)]
    made = [(torch.randn(rows, i).to(dtype), torch.randn(i, o).to(dtype)) for i, o in shapes]
    done = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for left, right in made:
            torch.mm(left, right)
        done += 1
    return 2.0 * rows * PER_LAYER * done / (time.perf_counter() - begun)


def reference_steps(data: Path) -> Callable[[], tuple[int, int]]:
    """Steps of the published loop; their tokens are not counted."""
    from reference import Reference

    reference = Reference(find_base_model().folder, data)
    return lambda: (reference.step(), 0)


def regime_steps(
    data: Path, precision: str, regime: str, threads: int
) -> Callable[[], tuple[int, int]]:
    """Steps of an arm as a run makes them."""
    corpus = load_corpus(data, find_base_model())
    stepper = Stepper(
        corpus, data=str(data), device="cpu", precision=precision, threads=threads,
        **REGIMES[regime],
    )  # fmt: skip
    return lambda: (stepper.step(), stepper.tokens())


def serve_side(asked: argparse.Namespace) -> None:
    """What a child process does: the side named by --side."""
    torch.set_num_threads(asked.threads)
    if asked.side == REFERENCE:
        serve(reference_steps(asked.data), lambda _: 0.0, asked.steps, asked.seconds)
        return
    precision, regime = asked.side.split(":")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    steps = regime_steps(asked.data, precision, regime, asked.threads)
    serve(steps, lambda seconds: product_rate(dtype, seconds), asked.steps, asked.seconds)


def line(values: list[float], unit: str = "") -> str:
    return f"{statistics.median(values):7.2f}{unit} [{min(values):.2f}, {max(values):.2f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precisions", default="bf16,fp32")
    parser.add_argument("--regimes", default="full,dendrites,budget")
    parser.add_argument("--isa", choices=tuple(LEVELS), default="native")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        serve_side(asked)
        return 0
    names = [
        f"{precision}:{regime}"
        for precision in asked.precisions.split(",")
        for regime in asked.regimes.split(",")
    ]
    given = [
        __file__, "--data", str(asked.data), "--threads", str(asked.threads), "--seconds",
        str(asked.seconds), "--steps", str(asked.steps),
    ]  # fmt: skip
    print(f"{processor()}; instruction sets: {asked.isa}; {asked.threads} threads", flush=True)
    sides = {n: Side([*given, "--side", n], asked.isa) for n in (REFERENCE, *names)}
    for name, side in sides.items():
        steady = side.warm()
        windows = " ".join(f"{speed:.1f}" for speed in side.warm_windows)
        print(f"warm {name:15} {windows} pairs/s{'' if steady else ': NOT STEADY'}", flush=True)
    rounds = [{n: s.window() for n, s in sides.items()} for _ in range(asked.rounds)]
    for side in sides.values():
        side.close()
    reference = [each[REFERENCE].speed for each in rounds]
    print(f"{REFERENCE}: {line(reference)} pairs/s, {asked.rounds} rounds")
    results = []
    for name in names:
        windows_of = [each[name] for each in rounds]
        regime = name.partition(":")[2]
        speeds = [window.speed for window in windows_of]
        ratios = [own / other for own, other in zip(speeds, reference, strict=True)]
        # The floor: pairs a second if the products took all the time and ran at `rate`.
        shares = [
            100 * w.speed * 2.0 * 6 * PER_LAYER * PASSES[regime] * w.tokens / w.pairs / w.rate
            for w in windows_of
        ]
        rates = [window.rate / 1e9 for window in windows_of]
        print(
            f"{name:15} {line(speeds)} pairs/s   {line(ratios, 'x')}   "
            f"of the floor {line(shares, '%')}   torch.mm {line(rates)} GFLOP/s"
        )
        results.append(
            {
                "processor": processor(), "isa": asked.isa, "threads": asked.threads,
                "side": name, "reference_pairs_s": reference, "pairs_s": speeds,
                "ratio": ratios, "floor_percent": shares, "gflop_s": rates,
                "warm_pairs_s": sides[name].warm_windows,
                "warm_reference_pairs_s": sides[REFERENCE].warm_windows,
            }
        )  # fmt: skip
    if asked.out:
        with asked.out.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(result) + "\n" for result in results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
