"""Models for the playground's tests that answer at once: a sentence is the sum of its words."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import torch

from nexus_engine.scoring.querying import Querier, Sides


class WordSide:
    """A bag of words; `twist` moves what it says, as training would."""

    def __init__(self, twist: float, epoch: int | None = None) -> None:
        self.epoch = epoch
        self.dev_spearman = None if epoch is None else 0.5 + epoch / 100
        self.twist = twist
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def embed(
        self,
        sentences,
        progress=lambda _: None,
        check=lambda: None,
        *,
        remember=True,
        cut=lambda _: None,
    ):
        self.asked += sentences
        while not self.gate.wait(0.02):
            check()
        progress(len(set(sentences)))
        return torch.stack([self._vector(sentence) for sentence in sentences])

    def _vector(self, sentence: str) -> torch.Tensor:
        total = torch.zeros(32)
        for word in sentence.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
            total += torch.randn(32, generator=torch.Generator().manual_seed(seed))
        total[0] += self.twist * len(sentence)
        return total


class WordQuerier(Querier):
    """Two such sides; the tuned one is of the epoch that stands in the run's best/model.json."""

    def __init__(self) -> None:
        super().__init__()
        self.base = WordSide(0.0)
        self.made: dict[int, WordSide] = {}

    def sides(self, folder: Path | None) -> Sides:
        if folder is None or not (folder / "model.json").exists():
            return Sides(self.base, None)
        epoch = int((folder / "model.json").read_text())
        return Sides(self.base, self.made.setdefault(epoch, WordSide(0.05 * epoch, epoch)))


def leave_weights(run: Path, epoch: int) -> None:
    """What a run does when an epoch was its best, as far as `WordQuerier` looks."""
    (run / "best").mkdir(exist_ok=True)
    fresh = run / "best" / f"model.json.{epoch}"
    fresh.write_text(str(epoch))
    fresh.replace(run / "best" / "model.json")
