"""The loop that NEXUS is measured against: the published recipe with sentence-transformers.

As its documentation shows: Transformer + Pooling + Dense, CosineSimilarityLoss,
smart_batching_collate, AdamW, float32, batches of 32, the train split shuffled.
"""

from __future__ import annotations

import csv
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.modules["torchvision"] = None  # type: ignore[assignment]  # see pyproject.toml
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402

BATCH = 32
RATE = 2e-5


def read_pairs(folder: Path, split: str) -> list[tuple[str, str, float]]:
    """Pairs of a split of STS-B: two sentences and a score 0..1."""
    with (folder / f"{split}.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows[0][2].replace(".", "").isdigit():
        rows = rows[1:]
    return [(a, b, float(score) / 5.0) for a, b, score, *_ in rows]


class Reference:
    """The model, its data and its optimizer; `step` makes one optimizer step."""

    def __init__(self, base: Path, folder: Path, device: str = "cpu", seed: int = 1) -> None:
        warnings.filterwarnings("ignore")
        from sentence_transformers import InputExample, SentenceTransformer, losses, models
        from torch.utils.data import DataLoader

        torch.manual_seed(seed)
        transformer = models.Transformer(str(base))
        transformer.auto_model.float()
        pooling = models.Pooling(384)
        dense = models.Dense(384, 384)
        self.model = SentenceTransformer(modules=[transformer, pooling, dense], device=device)
        self.device = device
        self.examples = [
            InputExample(texts=[a, b], label=score) for a, b, score in read_pairs(folder, "train")
        ]
        self.loader: Any = DataLoader(
            self.examples,  # type: ignore[arg-type]
            shuffle=True,
            batch_size=BATCH,
            collate_fn=self.model.smart_batching_collate,
        )
        self.loss = losses.CosineSimilarityLoss(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.01)
        self._batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def step(self, batch: Any = None) -> int:
        """One optimizer step; the pairs in it."""
        self.model.train()
        features, labels = next(self._batches) if batch is None else batch
        if self.device != "cpu":
            features = [
                {k: v.to(self.device) if isinstance(v, torch.Tensor) else v for k, v in f.items()}
                for f in features
            ]
            labels = labels.to(self.device)
        loss = self.loss(features, labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return len(labels)
