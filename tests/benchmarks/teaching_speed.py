"""How soon a queue over many texts has its first question, and what its steps take.

    python tests/benchmarks/teaching_speed.py --texts 100000

The texts are made of the halves of general sentences. Both queues are opened: pairs of the texts,
and questions with the texts as their passages.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time

import numpy as np

from nexus_engine.data.files.general import load_general
from nexus_engine.scoring.querying import Querier
from nexus_engine.scoring.search_texts import SearchTexts
from nexus_engine.teaching.pair_queue import PairQueue
from nexus_engine.teaching.question_queue import QuestionQueue
from nexus_engine.teaching.texts import judgeable_texts


def made_texts(count: int) -> list[str]:
    """Distinct texts: the first half of one sentence and the second half of another."""
    halves = [(words[: len(words) // 2], words[len(words) // 2 :]) for words in
              (text.split() for text in load_general())]  # fmt: skip
    random = np.random.default_rng(0)
    pairs = random.integers(0, len(halves), (2 * count, 2)).tolist()
    made = dict.fromkeys(" ".join([*halves[a][0], *halves[b][1]]) for a, b in pairs)
    return list(itertools.islice(made, count))


class Clock:
    """Seconds since the last call: of the wall and of this process."""

    def __init__(self) -> None:
        self.wall, self.own = time.perf_counter(), time.process_time()

    def tell(self, what: str) -> None:
        wall, own = time.perf_counter(), time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what:40} {wall - self.wall:7.2f} s, {own - self.own:7.2f} s of processor, "
              f"peak {peak:5.0f} MB", flush=True)  # fmt: skip
        self.wall, self.own = time.perf_counter(), time.process_time()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=20, help="steps in the background")
    asked = parser.parse_args()
    texts = made_texts(asked.texts)
    clock = Clock()
    models = Querier().models(None)
    clock.tell("the base model read")
    kept = judgeable_texts(texts)
    clock.tell(f"{len(kept):,} texts taken in")
    pairs = PairQueue(kept, models.base, models.base, set(), 1)
    first = pairs.next()
    clock.tell(f"the first pair ({first})")
    for _ in range(asked.steps):
        pairs.advance()
    clock.tell(f"{asked.steps} steps in the background")
    for _ in range(20):
        pairs.next()
    clock.tell("20 more pairs")
    corpus = SearchTexts("made", texts, range(len(texts)), [1] * len(texts))
    questions = [text.rsplit(" ", 3)[0] for text in texts[:5000]]
    clock.tell("a corpus and 5,000 questions made")
    queue = QuestionQueue(questions, corpus, models.base, models.base, set(), 1)
    candidate = queue.next()
    clock.tell(f"the first question ({candidate})")
    for _ in range(asked.steps):
        queue.advance()
    clock.tell(f"{asked.steps} steps in the background")
    for _ in range(20):
        queue.next()
    clock.tell("20 more questions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
