"""Folders with the first N train pairs after a shuffle by seed, dev and test untouched.

    python tests/benchmarks/little_data.py --data FOLDER --out DIR --sizes 100,300,1000
    python tests/benchmarks/quality.py --seeds 1-5 --cases-file DIR/cases.txt --out little.jsonl

Also writes DIR/cases.txt: dendrites, full and adapter on each size, and on all of the data.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import sys
from pathlib import Path

REGIMES = {
    "dendrites": "tune=dendrites",
    "best": "tune=dendrites,recipe=best",
    "full": "tune=full,dendrites=false",
    "adapter": "tune=adapter",
}


def main() -> int:
    """Write the folders and the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="train.csv, dev.csv, test.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", default="100,300,1000")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with (asked.data / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    random.Random(asked.seed).shuffle(rows)
    cases = []
    for size in [int(part) for part in asked.sizes.split(",")] + [len(rows)]:
        folder = (asked.out / str(size)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows[:size])
        for name in ("dev.csv", "test.csv"):
            shutil.copyfile(asked.data / name, folder / name)
        cases += [f"{name}-{size}:data={folder},{words}" for name, words in REGIMES.items()]
    (asked.out / "cases.txt").write_text("\n".join(cases) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
