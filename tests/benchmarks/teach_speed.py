"""How fast Teach is: a verdict's key while a run trains, and a large file to its first question.

    python tests/benchmarks/teach_speed.py keys     key to the next pair painted, beside a live run
    python tests/benchmarks/teach_speed.py open     a file of 100,000 texts to its first question

The real program on a pseudo-terminal of 80x24, and every verdict synced to the disk.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from app_speed import OnTerminal, share

TEACH = """
import sys
from pathlib import Path
from nexus_engine.config import TrainConfig, resolve
from nexus_tui.app.opening import open_app
from nexus_tui.app.teach.state import TeachRequest
from nexus_tui.settings.app import UiSettings
data, texts, labels, live = sys.argv[1:]
config = TrainConfig(data=data, epochs=1000, switch_epochs=(0,))
train = resolve(config) if live == "live" else None
sys.exit(open_app(UiSettings(), None, train, TeachRequest(texts, Path(labels))))
"""
"""The app with Teach, and a run that begins at once: what t does, without twenty verdicts."""
MARK = "zebra"
"""A word of each text that nothing else on the screen holds."""
WORDS = ("pump", "valve", "lamp", "key", "filter", "porter", "hall", "river", "tank", "wheel")


def text(number: int, chance: random.Random) -> str:
    """A text that differs from any other in its first and in its last word."""
    words = " ".join(chance.choices(WORDS, k=8))
    return f"{chance.choice('abcdefghij')}{number} {words} {MARK} {number * 7 % 1000}"


def keys(home: Path, data: str, rounds: int) -> None:
    """Key to the next pair painted while a run trains on all cores."""
    chance = random.Random(1)
    pairs = home / "pairs.csv"
    rows = [f"{text(2 * n, chance)},{text(2 * n + 1, chance)}" for n in range(2 * rounds + 20)]
    pairs.write_text("sentence1,sentence2\n" + "\n".join(rows) + "\n")
    labels = home / "labels.jsonl"
    app = OnTerminal(["-c", TEACH, data, str(pairs), str(labels), "live"], home)
    app.until(b"epoch 1/", 600)
    app.press(b"6")
    app.until(MARK.encode(), 600)
    waits: list[float] = []
    for number in range(rounds):
        app.swallow(0.5)
        app.press(b"%d" % (number % 6))
        waits.append(app.until(MARK.encode(), 60))
    app.close()
    kept = len(labels.read_text().splitlines()) - 1
    print(
        f"a verdict's key to the next pair, beside a live run: median "
        f"{statistics.median(waits) * 1000:.0f} ms, 95 % {share(waits, 0.95) * 1000:.0f} ms, max "
        f"{max(waits) * 1000:.0f} ms ({rounds} keys, {kept} verdicts on the disk)"
    )


def opening(home: Path, texts: int, rounds: int) -> None:
    """A file of `texts` texts, from the start of the process to its first question."""
    chance = random.Random(1)
    file = home / "texts.txt"
    file.write_text("\n".join(text(n, chance) for n in range(texts)) + "\n")
    waits, ready = [], []
    for number in range(rounds):
        labels = home / f"labels-{number}.jsonl"
        app = OnTerminal(["-c", TEACH, "demo", str(file), str(labels), "alone"], home)
        app.until(b"Reading", 600)
        ready.append(time.perf_counter() - app.begun)
        app.until(MARK.encode(), 600)
        waits.append(time.perf_counter() - app.begun)
        app.close()
    print(
        f"{texts:,} texts to the first question, start of Python and torch included: median "
        f"{statistics.median(waits):.2f} s, max {max(waits):.2f} s ({rounds} starts; the empty "
        f"screen after {statistics.median(ready):.2f} s)"
    )


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("keys", "open"))
    parser.add_argument("--data", default="demo")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--texts", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nexus-teach-") as place:
        if asked.what == "keys":
            keys(Path(place), asked.data, asked.rounds or 100)
        else:
            opening(Path(place), asked.texts, asked.rounds or 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
