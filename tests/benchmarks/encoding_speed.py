"""Encoding on a CPU against SentenceTransformer.encode, and the time that one pair takes.

    python tests/benchmarks/encoding_speed.py --data FOLDER [--sentences 2000] [--rounds 7]

`encode` and NEXUS get the same distinct sentences of STS-B's train split as text, tokenising
included; NEXUS by the path of `eval`, `similarity` and `search`. Ratios are made within a round.
Then pairs that were never seen are answered one by one by a model that is already loaded. At the
end: what bfloat16 does to the Spearman of the dev split.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reference import read_pairs

from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.scoring.correlation import spearman
from nexus_engine.scoring.querying import Embedder, ModelPair, score


def line(values: list[float], unit: str) -> str:
    """Median with the smallest and largest."""
    return f"{statistics.median(values):8.2f}{unit} [{min(values):.2f}, {max(values):.2f}]"


def make_side(dtype: torch.dtype) -> Embedder:
    """The base model, ready to embed."""
    base = find_base_model()
    model = SentenceModel(load_encoder(base)).eval()
    model.dtype = dtype
    return Embedder(model, Tokenizer(base.folder), threading.Lock())


def pair_times(embedder: Embedder, pairs: list[tuple[str, str]]) -> list[float]:
    """Milliseconds of each pair, each new to the model."""
    found: list[float] = []
    for pair in pairs:
        begun = time.perf_counter()
        score(ModelPair(embedder, None), [pair])
        found.append(1e3 * (time.perf_counter() - begun))
    return found


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    from sentence_transformers import SentenceTransformer

    train = read_pairs(asked.data, "train")
    sentences = list(dict.fromkeys(s for a, b, _ in train for s in (a, b)))
    np.random.default_rng(1).shuffle(sentences)
    sentences = sentences[: asked.sentences]
    reference: Any = SentenceTransformer(str(find_base_model().folder), device="cpu")
    models = {"fp32": make_side(torch.float32), "bf16": make_side(torch.bfloat16)}
    reference.encode(sentences[:200])
    for embedder in models.values():
        embedder.embed(sentences[:200], remember=False)
    speed: dict[str, list[float]] = {"encode": [], **{name: [] for name in models}}
    for _ in range(asked.rounds):
        begun = time.perf_counter()
        reference.encode(sentences)
        speed["encode"].append(len(sentences) / (time.perf_counter() - begun))
        for name, embedder in models.items():
            begun = time.perf_counter()
            embedder.embed(sentences, remember=False)
            speed[name].append(len(sentences) / (time.perf_counter() - begun))
    for name, found in speed.items():
        ratio = [a / b for a, b in zip(found, speed["encode"], strict=True)]
        print(f"{name:7} {line(found, ' sentences/s')}   {line(ratio, 'x')}")
    dev = read_pairs(asked.data, "dev")
    for name, embedder in models.items():
        times = pair_times(embedder, [(a, b) for a, b, _ in dev[:300]])[20:]
        print(
            f"one new pair, warm, {name}: {statistics.median(times):.2f} ms at the median, "
            f"{statistics.quantiles(times, n=20)[-1]:.2f} ms at 95 %"
        )
    for name, embedder in models.items():
        cosines = [c.base for c in score(ModelPair(embedder, None), [(a, b) for a, b, _ in dev])]
        found = spearman(np.asarray(cosines), np.asarray([s for *_, s in dev]))
        print(f"dev Spearman of the base model, {name}: {found:.6f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
