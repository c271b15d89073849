"""The time of one warm question, encoder and tokenizer together, by the short and the long way.

`python tests/benchmarks/one_question.py [MODEL] [ROUNDS]`. MODEL is `base` unless it is given. The
two ways take turns, so that both meet the same load, which is printed with each round. The long way
embeds the question as a batch of one sentence. Wall time is what a user waits for; processor time
depends less on the load of the machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import torch

from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import load_model

QUESTIONS = 200
QUESTION = "how long does a broken wrist take to heal number {} after surgery"


def measured(embed: Callable[[str], torch.Tensor], offset: int) -> tuple[float, float, float]:
    """Milliseconds a question: wall at the median and at the fastest tenth, processor time."""
    walls, processors = [], []
    for number in range(QUESTIONS):
        question = QUESTION.format(offset + number)
        wall, processor = time.perf_counter(), time.process_time()
        embed(question)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    fastest = sorted(walls)[QUESTIONS // 10]
    median = statistics.median(walls)
    return 1000 * median, 1000 * fastest, 1000 * statistics.median(processors)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "base"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    loaded = load_model(name)

    def long_way(question: str) -> torch.Tensor:
        store = TokenStore(loaded.tokenizer)
        with torch.inference_mode():
            return loaded.model.embed(store, store.add([[question]]))

    def short_way(question: str) -> torch.Tensor:
        return loaded.model.embed_single(loaded.tokenizer([question])[0])

    long_vector, short_vector = (
        torch.nn.functional.normalize(way(QUESTION)) for way in (long_way, short_way)
    )
    difference = float((long_vector - short_vector).abs().max())
    print(f"{name}, {torch.get_num_threads()} threads; largest difference {difference:.1e}")
    for way in (long_way, short_way):
        for number in range(20):
            way(QUESTION.format(number))
    for number in range(rounds):
        load = os.getloadavg()[0]
        for words, way in (("long way", long_way), ("short way", short_way)):
            wall, fastest, processor = measured(way, 1000 * number)
            print(
                f"load {load:4.1f}  {words:9}  {wall:6.2f} ms wall at the median, "
                f"{fastest:6.2f} at the fastest tenth, {processor:6.2f} ms of processor"
            )


if __name__ == "__main__":
    main()
