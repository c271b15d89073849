"""Training throughput on a CPU against the reference loop, and against the floor of the arithmetic.

    python tests/benchmarks/training_speed.py --data FOLDER [--rounds 7] [--precisions bf16,fp32]

Each round times some steps of the reference, then of every regime, and a plain matrix product of
the model's shapes; ratios are made within a round and their median is printed, with the smallest
and largest. The floor of a regime is the time that its products would take, forward and for the
gradients that it needs, at the rate of `torch.mm` in the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from arms import REGIMES, Stepper, load_corpus
from reference import Reference

from nexus_engine.model.base_model import find_base_model

SECONDS = 1.5
"""Each side of a round runs about this long."""
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


def timed(side: Any, seconds: float) -> tuple[float, int, int]:
    """Pairs a second over at least `seconds`; pairs and tokens that were trained on."""
    pairs = tokens = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        pairs += side.step()
        tokens += side.tokens() if isinstance(side, Stepper) else 0
    return pairs / (time.perf_counter() - begun), pairs, tokens


def line(values: list[float], unit: str = "") -> str:
    return f"{statistics.median(values):7.2f}{unit} [{min(values):.2f}, {max(values):.2f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--precisions", default="bf16,fp32")
    parser.add_argument("--regimes", default="full,dendrites,budget")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    base = find_base_model()
    corpus = load_corpus(asked.data, base)
    reference = Reference(base.folder, asked.data)
    sides: dict[tuple[str, str], Stepper] = {}
    for precision in asked.precisions.split(","):
        for regime in asked.regimes.split(","):
            sides[precision, regime] = Stepper(
                corpus,
                data=str(asked.data),
                device="cpu",
                precision=precision,
                threads=asked.threads,
                **REGIMES[regime],
            )
    for side in (reference, *sides.values()):
        timed(side, 0.5)
    speed: dict[Any, list[float]] = {"reference": []}
    ratio: dict[Any, list[float]] = {}
    share: dict[Any, list[float]] = {}
    rates: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        one, _, _ = timed(reference, asked.seconds)
        speed["reference"].append(one)
        for (precision, regime), side in sides.items():
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            before = product_rate(dtype, asked.seconds / 4)
            ours, pairs, tokens = timed(side, asked.seconds)
            rate = (before + product_rate(dtype, asked.seconds / 4)) / 2
            floor = rate / (2.0 * 6 * PER_LAYER * PASSES[regime] * tokens / pairs)
            speed.setdefault((precision, regime), []).append(ours)
            ratio.setdefault((precision, regime), []).append(ours / one)
            share.setdefault((precision, regime), []).append(100 * ours / floor)
            rates.setdefault(precision, []).append(rate / 1e9)
    print(f"reference: {line(speed['reference'])} pairs/s, {asked.rounds} rounds")
    for precision, found in rates.items():
        print(f"torch.mm {precision}: {line(found)} GFLOP/s")
    for key in sides:
        print(
            f"{key[0]} {key[1]:10} {line(speed[key])} pairs/s   {line(ratio[key], 'x')}   "
            f"of the floor {line(share[key], '%')}"
        )
    if asked.out:
        with asked.out.open("a", encoding="utf-8") as file:
            for key in sides:
                result = {
                    "precision": key[0],
                    "regime": key[1],
                    "reference_pairs_s": speed["reference"],
                    "pairs_s": speed[key],
                    "ratio": ratio[key],
                    "floor_percent": share[key],
                }
                file.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
