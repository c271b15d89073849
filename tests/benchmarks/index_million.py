"""An index of a million passages: time to build, size beside the text, latency of a query.

The passages are made of halves of MedQuAD's sentences; the queries are its questions.

    python tests/benchmarks/index_million.py MEDQUAD WORK [--passages N] [--no-embed] [--model RUN]
    python tests/benchmarks/index_million.py MEDQUAD WORK --kills 20

With --no-embed vectors and queries are random, of length 1: searches cost the same, and hours of
embedding are saved. WORK is a folder for the corpus and the index; an index there is used again.
With --kills `nexus index build` builds it and is killed so many times; then its texts, words, and a
sample of its vectors are compared with an embedding without a stop (`index_kills.py`). Exit 1 where
something differs, or a kill met no build.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from index_kills import Build, build_with_kills, differences, embed_sample

from nexus_engine.indexing import building
from nexus_engine.indexing.embedding import IndexProgress
from nexus_engine.indexing.index_model import embedder_of, load_copy
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import index_status

QUERIES = 200
WARM_UP = 20


def records(path: Path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_corpus(medquad: Path, path: Path, passages: int) -> None:
    texts = (record["text"] for record in records(medquad / "corpus.jsonl.gz"))
    parts = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+", text))
    sentences = list(dict.fromkeys(part for part in parts if 20 < len(part) < 400))
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(passages):
            first, second = (chance.choice(sentences).split() for _ in range(2))
            words = first[: -(-len(first) // 2)] + second[len(second) // 2 :]
            file.write(" ".join(words) + "\n")


def killed_build(build: Build, kills: int) -> bool:
    """Build with `kills` kills; whether each met a build, and the index is as without them."""
    sample = embed_sample(build)
    print(f"sample embedded at {sample.per_second:,.0f} passages/s", flush=True)
    met = build_with_kills(build, kills, sample.per_second)
    wrong = differences(build, sample)
    for line in wrong:
        print("DIFFERS:", line)
    if not wrong:
        print("the index is as without a kill")
    return not wrong and met == kills


class RandomEmbedder:
    """Embeddings from a generator, as many as there are texts."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def embed(self, texts, *_, **__) -> torch.Tensor:
        return torch.randn(len(texts), 384, generator=self._generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("medquad", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--no-embed", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--dtype", default="int8")
    parser.add_argument("--dims", type=int, default=48)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.kills and arguments.no_embed:
        parser.error("--kills builds by the command, which embeds; leave out --no-embed")
    arguments.work.mkdir(parents=True, exist_ok=True)
    corpus, index = arguments.work / "corpus.txt", arguments.work / "index"
    if arguments.kills and index.exists():
        parser.error(f"{index} is there; remove it, or name another WORK")
    if not corpus.exists():
        write_corpus(arguments.medquad, corpus, arguments.passages)
    is_sound = True
    if arguments.kills:
        build = Build(
            corpus,
            index,
            arguments.model,
            arguments.dims,
            arguments.dtype,
            arguments.passages,
            arguments.precision,
            arguments.device,
        )
        is_sound = killed_build(build, arguments.kills)
    if arguments.no_embed:
        building.embedder_of = lambda _: RandomEmbedder(1)
    if not index.exists():
        started, stage = time.monotonic(), ""
        for state in building.build(
            str(corpus), arguments.model, index, dims=arguments.dims, dtype=arguments.dtype
        ):
            if isinstance(state, IndexProgress) and state.stage != stage:
                print(f"{time.monotonic() - started:7.1f} s  {state.stage}", flush=True)
                stage = state.stage
        print(f"{time.monotonic() - started:7.1f} s  built")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the build: {peak:,.0f} MiB")
    status = index_status(index)
    print(
        f"{status.live_passages:,} passages, {status.text_bytes / 1e6:.1f} MB of text, vectors "
        f"{status.vector_bytes / 1e6:.1f} MB, texts.db {status.store_bytes / 1e6:.1f} MB, "
        f"beside the text {status.bytes_beside_text / 1e6:.1f} MB"
    )
    questions = [record["text"] for record in records(arguments.medquad / "queries.jsonl.gz")]
    queries = random.Random(1).sample(questions, QUERIES + WARM_UP)
    if arguments.no_embed:
        embedder = RandomEmbedder(2)
    else:
        embedder = embedder_of(load_copy(index, status.card.model))
    vectors = embedder.embed(queries)
    print("load average", *os.getloadavg(), "threads", torch.get_num_threads())
    with OpenIndex(index) as opened:
        for hybrid in (False, True):
            seconds = []
            for query, vector in zip(queries, vectors, strict=True):
                started = time.perf_counter()
                opened.search(vector, query, 10, hybrid=hybrid)
                seconds.append(time.perf_counter() - started)
            warm = np.array(seconds[WARM_UP:]) * 1e3
            low, median, high = np.percentile(warm, [10, 50, 95])
            name = "hybrid " if hybrid else "vectors"
            print(f"{name}  median {median:.1f} ms, 10 % {low:.1f} ms, 95 % {high:.1f} ms")
    if not is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
