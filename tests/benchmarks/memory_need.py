"""The memory that a run is estimated to need, beside what it took.

    python tests/benchmarks/memory_need.py [--data NAME ...] [--epochs 1]

Each line is a whole run in a process of its own. Both figures are MB of resident memory beyond what
the process held once model and data were loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASES: tuple[dict[str, Any], ...] = (
    {},
    {"batch_size": 8},
    {"batch_size": 16, "precision": "fp32"},
    {"precision": "fp32"},
    {"batch_size": 128},
    {"tune": "full"},
    {"tune": "adapter"},
)


def measure(given: dict[str, Any]) -> None:
    """In the child: train, and print the estimate and the growth of memory."""
    from nexus_engine.config import TrainConfig
    from nexus_engine.events import RunStarted
    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_engine.named_task import with_task
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.training import preparation
    from nexus_engine.training.hardware import peak_rss_mb, rss_mb
    from nexus_engine.training.memory_need import memory_need_mb, memory_shortage
    from nexus_engine.training.run import train

    estimates = []

    def estimate(settings: Any, corpus: Any, shape: Any, hardware: Any) -> str:
        estimates.append(memory_need_mb(settings, corpus, shape, hardware))
        return memory_shortage(settings, corpus, shape, hardware)

    preparation.memory_shortage = estimate  # type: ignore[assignment]
    settings = resolve_for_base(with_task(TrainConfig(**given)))
    held = 0.0
    with tempfile.TemporaryDirectory() as place:
        for event in train(settings, RunFolder.create(Path(place) / "run", "x")):
            if isinstance(event, RunStarted):
                held = rss_mb()
    print(json.dumps({"estimated": estimates[0], "taken": peak_rss_mb() - held}))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["demo", "demo-search"])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        measure(json.loads(asked.child))
        return 0
    for data in asked.data:
        for case in CASES:
            given = json.dumps({"data": data, "epochs": asked.epochs, **case})
            command = [sys.executable, __file__, "--child", given]
            found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if found.returncode:
                print(f"{Path(data).name:12} {json.dumps(case):42} ended with {found.returncode}")
                continue
            figures = json.loads(found.stdout.splitlines()[-1])
            ratio = figures["estimated"] / figures["taken"]
            print(
                f"{Path(data).name:12} {json.dumps(case):42} estimated "
                f"{figures['estimated']:6.0f}, took {figures['taken']:6.0f} MB: {ratio:.2f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
