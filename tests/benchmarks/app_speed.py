"""How fast the app is for the eye and the hand, and what it costs the training.

    python tests/benchmarks/app_speed.py paint      time to the first picture of `nexus`
    python tests/benchmarks/app_speed.py keys       key to paint while a run trains on all cores
    python tests/benchmarks/app_speed.py training   pairs/s with the app open against headless
    python tests/benchmarks/app_speed.py log        a log of a million steps, opened to a picture

Everything is the real program on a pseudo-terminal of 80x24; `training` takes both sides in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

BEGIN = """
import sys
from nexus_engine.config import TrainConfig, resolve
from nexus_tui.app.opening import open_app
from nexus_tui.settings.app import UiSettings
config = TrainConfig(data=sys.argv[1], epochs=int(sys.argv[2]), switch_epochs=(0,))
sys.exit(open_app(UiSettings(), None, resolve(config)))
"""
"""The app with a run that begins at once: what the form of a new run does, without the typing."""


class OnTerminal:
    """A program on a pseudo-terminal of 80x24, with a data folder of its own."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
            env={
                **os.environ,
                "XDG_DATA_HOME": str(home),
                "XDG_CONFIG_HOME": str(home),
                "TERM": "xterm-256color",
            },
        )  # fmt: skip
        os.close(theirs)
        self.seen = b""

    def until(self, words: bytes, limit: float = 60.0) -> float:
        """Seconds until `words` are written, from now."""
        begun = time.perf_counter()
        self.seen = b""
        while words not in self.seen:
            left = limit - (time.perf_counter() - begun)
            if left <= 0 or not select.select([self.ours], [], [], left)[0]:
                raise SystemExit(f"waited {limit:.0f} s for {words!r}")
            self.seen += os.read(self.ours, 65536)
        return time.perf_counter() - begun

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.ours, keys)

    def swallow(self, seconds: float) -> int:
        """Read what comes for so long; the number of bytes."""
        end, count = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.ours], [], [], left)[0]:
                with contextlib.suppress(OSError):
                    count += len(os.read(self.ours, 65536))
        return count

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        while self.process.poll() is None:
            self.swallow(0.1)
        os.close(self.ours)


def share(values: list[float], part: float) -> float:
    """The value below which `part` of them lie."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def paint(home: Path, rounds: int) -> None:
    """Time to the first picture, beside a bare interpreter's start."""
    shown, bare = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - begun)
        app = OnTerminal(["-m", "nexus_tui"], home)
        app.until(b"Playground")
        shown.append(time.perf_counter() - app.begun)
        app.close()
    print(
        f"first picture: median {statistics.median(shown):.3f} s, "
        f"min {min(shown):.3f}, max {max(shown):.3f} ({rounds} starts; a bare Python takes "
        f"{statistics.median(bare):.3f} s)"
    )


def keys(home: Path, data: str, rounds: int) -> None:
    """Key to paint while a run trains on all cores: the help opened, and closed, by its key.

    Not closed by Escape: a terminal's escape sequences begin with it, so Textual waits 100 ms
    before it takes it for the key.
    """
    app = OnTerminal(["-c", BEGIN, data, "1000"], home)
    app.until(b"epoch 1/", 180)
    waits: list[float] = []
    for _ in range(rounds):
        for key, words in ((b"?", b"Keys in force"), (b"?", b"loss")):
            app.swallow(0.37)
            app.press(key)
            waits.append(app.until(words, 10))
    app.close()
    print(
        f"key to paint while training: median {statistics.median(waits) * 1000:.0f} ms, "
        f"95 % {share(waits, 0.95) * 1000:.0f} ms, max {max(waits) * 1000:.0f} ms "
        f"({len(waits)} keys)"
    )


def pace_of(home: Path, known: set[Path]) -> float:
    """Pairs/s of the newest run's training steps, from its events."""
    (log,) = set(home.glob("nexus/runs/2*/events.jsonl")) - known
    known.add(log)
    steps = [json.loads(line) for line in log.read_text().splitlines() if '"step"' in line[:20]]
    return float(steps[-1]["pairs_per_second"])


def training(home: Path, data: str, rounds: int) -> None:
    """Throughput with the app open against headless, in turn."""
    ratios, known = [], set(home.glob("nexus/runs/2*/events.jsonl"))
    for _ in range(rounds):
        subprocess.run(
            [sys.executable, "-m", "nexus_tui", "train", "--data", data, "--epochs", "1",
             "--switch-epochs", "0"],
            check=True, capture_output=True,
            env={**os.environ, "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        )  # fmt: skip
        alone = pace_of(home, known)
        app = OnTerminal(["-c", BEGIN, data, "1"], home)
        app.until(b"run ahead", 600)  # the table of the result
        app.close()
        shown = pace_of(home, known)
        ratios.append(shown / alone)
        print(f"  headless {alone:.1f} pairs/s, with the app {shown:.1f}: {ratios[-1]:.3f}")
    print(f"training with the app open: median {statistics.median(ratios):.3f} of headless")


def long_log(home: Path, steps: int) -> None:
    """A log of `steps` step events, opened by `nexus attach` to a picture."""
    folder = home / "nexus" / "runs" / "long"
    write_long_run(folder, steps)
    size = (folder / "events.jsonl").stat().st_size
    waits = []
    for _ in range(5):
        app = OnTerminal(["-m", "nexus_tui", "attach", str(folder)], home)
        app.until(b"loss")
        waits.append(time.perf_counter() - app.begun)
        app.close()
    print(
        f"a log of {steps:,} steps ({size / 1e6:.0f} MB): attach to picture, start included, "
        f"median {statistics.median(waits):.2f} s, max {max(waits):.2f} s"
    )


def write_long_run(folder: Path, steps: int) -> None:
    """A run folder whose log has `steps` steps, an evaluation every 10,000, two switches."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
    import app_support as made

    from nexus_engine.event_lines import encode_event

    folder.parent.mkdir(parents=True, exist_ok=True)
    made.write_run(folder.parent, folder.name, made.whole_run()[:4])
    template = encode_event(made.step(1))
    before, after = template.split('"step": 1, ', 1)
    with (folder / "events.jsonl").open("a") as file:
        for epoch in range(1, steps // 10_000 + 1):
            first = (epoch - 1) * 10_000
            file.writelines(f'{before}"step": {first + n}, {after}\n' for n in range(1, 10_001))
            file.write(encode_event(made.evaluated(epoch, 0.5)) + "\n")
            if epoch in (10, 20):
                file.write(encode_event(made.grown(epoch // 10, epoch, 0.5)) + "\n")
        file.write(encode_event(made.finished()) + "\n")


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("paint", "keys", "training", "log"))
    parser.add_argument("--data", default="demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nexus-app-") as place:
        home = Path(place)
        match asked.what:
            case "paint":
                paint(home, asked.rounds)
            case "keys":
                keys(home, asked.data, max(asked.rounds, 30))
            case "training":
                training(home, asked.data, asked.rounds)
            case "log":
                long_log(home, asked.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
