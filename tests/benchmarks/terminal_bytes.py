"""What the live screen sends to a terminal of 80x24: bytes per second, live and idle.

    python tests/benchmarks/terminal_bytes.py [--seconds 40] [--low-bandwidth] [--plot]

The real app is attached on a pseudo-terminal to a log that grows by ten step events a second, each
with other figures, with an evaluation every eight seconds and two switches: more than a training on
two cores writes. The first picture is counted apart. Then nothing is written any more, and what
still comes is counted as idle. A run is live here as long as this process is.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from app_speed import OnTerminal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import app_support as made

from nexus_engine.event_lines import encode_event
from nexus_engine.events import Event

STEPS_A_SECOND = 10
STEPS_AN_EPOCH = 80
EPOCHS = 12
IDLE_SECONDS = 8.0


def script() -> Iterator[Event]:
    """Steps with figures that never stand still, evaluations, switches."""
    chance = random.Random(7)
    total = STEPS_AN_EPOCH * EPOCHS
    best = 0.42
    for epoch in range(1, EPOCHS + 1):
        started = made.epoch_started(epoch, sets=min(2, epoch))
        yield msgspec.structs.replace(started, epochs=EPOCHS, steps=STEPS_AN_EPOCH)
        for number in range(1 + (epoch - 1) * STEPS_AN_EPOCH, 1 + epoch * STEPS_AN_EPOCH):
            yield msgspec.structs.replace(
                made.step(number, 0.02 + 0.05 / (1 + number / 100) + chance.random() / 100),
                epoch=epoch,
                steps_total=total,
                pairs_per_second=120 + 40 * chance.random(),
                remaining_seconds=(total - number) / STEPS_A_SECOND + 5 * chance.random(),
                rss_mb=900 + 80 * chance.random(),
                time_unix_s=time.time(),
            )
        gain = 0.1 / (1 + epoch)
        if epoch == 2:
            yield made.settled(1, 2, 0.42, best)
            yield made.grown(2, 2, best)
        best += gain
        yield made.evaluated(epoch, best, guard=1 - epoch / 100)


class Writer(threading.Thread):
    """Writes the script into a log at its pace, until told to stop."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self._log = log
        self.over = threading.Event()
        self.written = 0

    def run(self) -> None:
        due = time.perf_counter()
        for event in script():
            due += 1 / STEPS_A_SECOND
            if self.over.wait(max(0.0, due - time.perf_counter())):
                return
            with self._log.open("a") as file:
                file.write(encode_event(event) + "\n")
            self.written += 1


def measure(home: Path, seconds: float, *, plot: bool, low_bandwidth: bool) -> tuple[float, float]:
    """Bytes per second: live, then idle."""
    folder = made.write_run(
        home / "nexus" / "runs", "growing", made.whole_run()[:4],
        pid=os.getpid(), started_unix_s=time.time(),
    )  # fmt: skip
    arguments = ["-m", "nexus_tui", "attach", str(folder)]
    app = OnTerminal([*arguments, *(["--low-bandwidth"] if low_bandwidth else [])], home)
    app.until(b"loss", 120)
    first = len(app.seen) + app.swallow(4)
    if plot:
        app.press(b"f")
        first += app.swallow(2)
    writer = Writer(folder / "events.jsonl")
    writer.start()
    app.swallow(2)
    before, begun = writer.written, time.perf_counter()
    live = app.swallow(seconds) / (time.perf_counter() - begun)
    pace = (writer.written - before) / (time.perf_counter() - begun)
    writer.over.set()
    writer.join()
    app.swallow(3)  # what came last is drawn a moment later
    begun = time.perf_counter()
    idle = app.swallow(IDLE_SECONDS) / (time.perf_counter() - begun)
    app.close()
    print(f"first picture {first:,} bytes; {pace:.1f} events/s came in")
    print(f"live: {live:,.0f} bytes/s over {seconds:.0f} s; idle: {idle:,.0f} bytes/s")
    return live, idle


def main() -> int:
    """Parse, measure; 1 where the screen sends more than it promises."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--low-bandwidth", action="store_true")
    parser.add_argument("--plot", action="store_true", help="the full-size plot in place of all")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nexus-bytes-") as place:
        live, idle = measure(
            Path(place), asked.seconds, plot=asked.plot, low_bandwidth=asked.low_bandwidth
        )
    return int(live > 2048 or idle > 0)


if __name__ == "__main__":
    sys.exit(main())
