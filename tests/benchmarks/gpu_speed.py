"""Training throughput on a CUDA device against the reference loop there.

    python tests/benchmarks/gpu_speed.py --data FOLDER [--base DIR] [--rounds 5] [--seconds 2]

Each round times the reference loop (reference.py, float32, batches of 32), then `full`,
`dendrites` and `--budget 0.01%` in bf16, as CUDA graphs and step by step; ratios are made within a
round. Before that: graphs against single steps from the same weights on the same batches, without
dropout, and a run of replayed steps under torch's check for operations that wait for the device.
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

SPREAD = 200
"""Steps before timing: every shape is captured in these."""


def timed(side: Any, seconds: float) -> float:
    """Pairs a second over at least `seconds`, the device's work included."""
    torch.cuda.synchronize()
    pairs = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for _ in range(8):
            pairs += side.step()
    torch.cuda.synchronize()
    return pairs / (time.perf_counter() - begun)


def differences(make: Any, steps: int = 12) -> tuple[float, float]:
    """Largest relative differences of losses and weights between graphs and single steps."""
    found: list[tuple[list[float], dict[str, torch.Tensor]]] = []
    for graphs in (True, False):
        side = make(dropout=0.0, precision="fp32")
        side.arm.steps.graphs = graphs
        picked = [b for b in side.arm.batches(1) if len(b) == 64][:1] * steps
        losses = [float(side.arm.make_step(p).loss) for p in picked]
        found.append((losses, side.arm.snapshot()))
    (a, x), (b, y) = found
    loss = max(abs(i - j) / abs(j) for i, j in zip(a, b, strict=True))
    weight = max(float((x[n] - y[n]).norm() / y[n].norm().clamp_min(1e-9)) for n in y)
    return loss, weight


def waits(side: Stepper, steps: int = 40) -> str:
    """Whether a step waits for the device, by torch's own check."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(steps):
            side.step()
    except RuntimeError as error:
        return f"waits: {str(error).splitlines()[0][:120]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{steps} steps without one operation that waits for the device"


def line(values: list[float], unit: str) -> str:
    """Median with the smallest and largest."""
    return f"{statistics.median(values):9.2f}{unit} [{min(values):.2f}, {max(values):.2f}]"


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--base")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    base = find_base_model(asked.base)
    corpus = load_corpus(asked.data, base)
    print(torch.cuda.get_device_name(), "torch", torch.__version__, flush=True)

    def make(regime: str, **changes: Any) -> Stepper:
        settings = {"device": "cuda", "precision": "bf16", **REGIMES[regime], **changes}
        return Stepper(corpus, base=asked.base, data=str(asked.data), **settings)

    for regime in REGIMES:
        loss, weight = differences(lambda r=regime, **c: make(r, **c))
        print(f"{regime}: graphs against single steps, fp32: loss {loss:.1e}, weights {weight:.1e}")
    reference = Reference(base.folder, asked.data, device="cuda")
    sides: dict[str, Any] = {"reference": reference}
    for regime in REGIMES:
        sides[f"{regime} graphs"] = make(regime)
        sides[f"{regime} steps"] = make(regime)
        sides[f"{regime} steps"].arm.steps.graphs = False
    for name, side in sides.items():
        for _ in range(SPREAD if name.endswith("graphs") else 10):
            side.step()
        if name.endswith("graphs"):
            print(f"{name}: {waits(side)}", flush=True)
    speed: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(asked.rounds):
        for name, side in sides.items():
            speed[name].append(timed(side, asked.seconds))
    for name, found in speed.items():
        ratio = [a / b for a, b in zip(found, speed["reference"], strict=True)]
        print(f"{name:18} {line(found, ' pairs/s')}   {line(ratio, 'x')}", flush=True)
    peak = torch.cuda.max_memory_allocated() / 1e6
    print(f"peak device memory of all together {peak:.0f} MB")
    if asked.out:
        record = {"device": torch.cuda.get_device_name(), "pairs_s": speed}
        asked.out.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
