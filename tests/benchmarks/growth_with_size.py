"""Loading, memory and training throughput as the data grows: generated pairs, a process a size.

    python tests/benchmarks/growth_with_size.py [--sizes 10000,100000,1000000] [--seconds 8]

Each size: a CSV file of generated pairs is loaded and tokenised as `nexus train` does it, then the
default recipe makes steps for a while.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TEXT = (
    "patient account record order report system notes filed since unit level dose value market "
    "bank agency city road water field service line test result change small large high low old new"
)
WORDS = np.asarray(TEXT.split())


def write_pairs(path: Path, pairs: int, seed: int = 1) -> None:
    """A CSV file of `pairs` rows: sentences of 6 to 16 words with a number, and a score 0..5."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence1", "sentence2", "score"])
        for start in range(0, pairs, 10_000):
            rows = []
            for i in range(start, min(start + 10_000, pairs)):
                n = random.integers(5, 16, 2)
                one, two = (" ".join(WORDS[random.integers(0, len(WORDS), k)]) for k in n)
                rows.append((f"{one} {i}", f"{two} {i}", f"{random.random() * 5:.2f}"))
            writer.writerows(rows)


def peak_mb() -> float:
    """Most resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def measure(file: Path, seconds: float) -> dict[str, float]:
    """One size: seconds to load and tokenise, pairs a second, peak memory."""
    from arms import Stepper, load_corpus

    from nexus_engine.data import load_data
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.training.hardware import release_memory

    begun = time.perf_counter()
    load_data(str(file))
    load_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    corpus = load_corpus(file, find_base_model())
    both = time.perf_counter() - begun
    release_memory()
    loaded_mb = peak_mb()
    side = Stepper(corpus, data=str(file), device="cpu", threads=2)
    for _ in range(10):
        side.step()
    pairs = tokens = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        pairs += side.step()
        tokens += side.tokens()
    spent = time.perf_counter() - begun
    return {
        "load_s": load_seconds,
        "tokenise_s": both - load_seconds,
        "pairs_s": pairs / spent,
        "tokens_s": tokens / spent,
        "loaded_mb": loaded_mb,
        "peak_mb": peak_mb(),
    }


def main() -> int:
    """Write the files, start a process a size, print a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.file:
        print(json.dumps(measure(asked.file, asked.seconds)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for size in (int(s) for s in asked.sizes.split(",")):
            path = Path(scratch) / f"{size}.csv"
            write_pairs(path, size)
            command = [sys.executable, __file__, "--file", str(path)]
            command += ["--seconds", str(asked.seconds)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{size:9,} pairs: loaded in {found['load_s']:.1f} s, tokenised in "
                f"{found['tokenise_s']:.1f} s, {found['pairs_s']:.0f} pairs/s "
                f"({found['tokens_s']:.0f} tokens/s), memory {found['loaded_mb']:.0f} MB loaded, "
                f"{found['peak_mb']:.0f} MB at the peak",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
