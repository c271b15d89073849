"""What saving costs a whole default run: its share of the training time, and fsync's share of it.

    python tests/benchmarks/checkpoint_cost.py [--data demo] [--out FILE]

The run goes through the loop that `nexus train` uses, in this process. Counted are the calls of
`RunSaver.save` (a checkpoint, and the best weights where they changed) and of `export_best` outside
of one; within these, the calls of `os.fsync` and the bytes of `os.write`. Training time
is the steps and the evaluations between them; the total has the base model's, the test's and
reading too. The folder of the run lies where temporary
files lie; TMPDIR says where, since a disk's fsync is what a save mostly waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.events import RunFinished
from nexus_engine.runs.folder import RunFolder
from nexus_engine.training.run import train
from nexus_engine.training.saving import RunSaver


class Watch:
    """Seconds and calls of each function that it stands in for; a call inside one is its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self.bytes = 0
        self.saving = False

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.calls[name] = self.calls.get(name, 0) + 1

    def save(self, made: Callable[..., Any]) -> Callable[..., Any]:
        """`made`, timed unless it is called in a save that is timed already."""

        def call(*given: Any, **named: Any) -> Any:
            if self.saving:
                return made(*given, **named)
            self.saving, begun, before = True, time.perf_counter(), self.bytes
            try:
                return made(*given, **named)
            finally:
                self.saving = False
                if self.bytes != before:  # `export_best` mostly finds nothing to do
                    self._add("save", time.perf_counter() - begun)

        return call

    def fsync(self, made: Callable[[int], None]) -> Callable[[int], None]:
        def call(handle: int) -> None:
            begun = time.perf_counter()
            made(handle)
            if self.saving:
                self._add("fsync", time.perf_counter() - begun)

        return call

    def write(self, made: Callable[..., int]) -> Callable[..., int]:
        def call(handle: int, content: Any) -> int:
            written = made(handle, content)
            self.bytes += written if self.saving else 0
            return written

        return call


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    watch = Watch()
    RunSaver.save = watch.save(RunSaver.save)  # type: ignore[method-assign]
    RunSaver.export_best = watch.save(RunSaver.export_best)  # type: ignore[method-assign]
    os.fsync, os.write = watch.fsync(os.fsync), watch.write(os.write)
    place = Path(tempfile.mkdtemp(prefix="nexus-cost-"))
    try:
        folder = RunFolder.create(place / "run", "cost")
        with folder.lock:
            *_, event = train(resolve(TrainConfig(data=asked.data)), folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if not isinstance(event, RunFinished):
        print(event)
        return 1
    saving, pushing = watch.seconds["save"], watch.seconds["fsync"]
    found = {
        "data": asked.data,
        "train_seconds": event.train_seconds,
        "total_seconds": event.total_seconds,
        "saves": watch.calls["save"],
        "save_seconds": saving,
        "fsyncs": watch.calls["fsync"],
        "fsync_seconds": pushing,
        "megabytes": watch.bytes / 1e6,
        "share_of_training": saving / event.train_seconds,
        "share_without_fsync": (saving - pushing) / event.train_seconds,
        "share_of_total": saving / event.total_seconds,
    }
    for name, value in found.items():
        print(f"{name:<20} {value:.4g}" if isinstance(value, float) else f"{name:<20} {value}")
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    return int(found["share_of_training"] > 0.02)


if __name__ == "__main__":
    sys.exit(main())
