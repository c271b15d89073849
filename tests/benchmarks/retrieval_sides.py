"""The two sides of `retrieval_speed.py`: NEXUS's retrieval step, and sentence-transformers' own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

sys.modules["torchvision"] = None  # type: ignore[assignment]  # see pyproject.toml
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from nexus_engine.config import TrainConfig, resolve  # noqa: E402
from nexus_engine.data.questions.answers import Ragged  # noqa: E402
from nexus_engine.data.questions.loading import load_questions  # noqa: E402
from nexus_engine.data.questions.question_data import QuestionData  # noqa: E402
from nexus_engine.model.base_model import find_base_model  # noqa: E402
from nexus_engine.model.regimes import build_model  # noqa: E402
from nexus_engine.model.tokens import Rows, Tokenizer, TokenStore  # noqa: E402
from nexus_engine.training.hardware import select  # noqa: E402
from nexus_engine.training.steps.adamw import AdamW  # noqa: E402
from nexus_engine.training.steps.features import Embedder  # noqa: E402
from nexus_engine.training.steps.objective import Objective  # noqa: E402
from nexus_engine.training.steps.question_pairs import QuestionPairs  # noqa: E402
from nexus_engine.training.steps.rehearsal import Rehearsed  # noqa: E402
from nexus_engine.training.steps.step import TrainingSteps  # noqa: E402

__all__ = ["Ours", "Reference", "Side", "examples_of"]

GENERAL_SENTENCES = 512


class Side(Protocol):
    """What is timed."""

    def step(self) -> tuple[int, int]:
        """One optimizer step; the pairs and tokens in it."""


def examples_of(data: Path) -> tuple[QuestionData, Rows, Rows]:
    """The data, and each known pair of its train split: question (n,) and passage (n,)."""
    loaded = load_questions(str(data))
    assert loaded is not None, "the folder holds no questions"
    answers = loaded.train.answers.rows
    return loaded, answers.owners(), answers.values


class Ours:
    """Linear units on v and up of every layer of the frozen encoder, ranking loss, AdamW."""

    def __init__(
        self,
        data: Path,
        *,
        precision: str = "bf16",
        units: int = 16,
        batch: int = 64,
        tokens: int = 128,
        rehearsal: bool = False,
        negatives: bool = False,
        sharpness: float = 0.0,
        device: str = "cpu",
        base_folder: str | None = None,
    ) -> None:
        base = find_base_model(base_folder)
        loaded, questions, passages = examples_of(data)
        store = TokenStore(Tokenizer(base.folder, tokens))
        of_question = store.add([loaded.train.questions.to_pylist()])
        of_passage = store.add(
            loaded.passages.slice(start, 1024).to_pylist()
            for start in range(0, len(loaded.passages), 1024)
        )
        settings = resolve(
            TrainConfig(
                precision=precision,  # type: ignore[arg-type]
                device=device,  # type: ignore[arg-type]
                sharpness=sharpness,
                nonlinearity="linear",
            )
        )
        hardware = select(settings)
        model = build_model(base, "dendrites", settings.dropout).to(hardware.device)
        model.requires_grad_(False)
        generator = torch.Generator().manual_seed(1)
        learning: list[torch.nn.Parameter] = []
        for name, site in model.sites().items():
            if name.endswith((".v", ".up")):
                site.nonlinearity = "linear"
                site.grow(units, generator)
                learning += site.dendrite_parameters()
        self.model, self.store = model, store
        known = Ragged.of([of_passage[rows].tolist() for rows in _lists(questions, passages)])
        hard = None
        if negatives:
            hard = np.random.default_rng(3).choice(of_passage, (len(questions), 1))
        self.objective: Objective = QuestionPairs(
            of_question[questions], of_passage[passages], known, store, hard
        )
        if rehearsal:
            texts = loaded.dev.questions.slice(0, GENERAL_SENTENCES).to_pylist()
            general = store.add([texts])
            with torch.inference_mode():
                vectors = model.eval().embed(store, general).numpy()
            self.objective = Rehearsed(self.objective, general, vectors, 1.0)
        self.steps = TrainingSteps(Embedder(model, store, None), self.objective, settings, hardware)
        rate = 5e-3
        self.steps.begin(
            learning,
            AdamW([{"params": learning, "lr": rate, "base_lr": rate, "weight_decay": 0.01}]),
        )
        self.number = 0
        self._batches = self._endless(len(questions), batch)

    def _endless(self, examples: int, size: int) -> Iterator[Rows]:
        random = np.random.default_rng(1)
        while True:
            order = random.permutation(examples)
            yield from (order[i : i + size] for i in range(0, examples - size + 1, size))

    def step(self) -> tuple[int, int]:
        """One optimizer step; the pairs and tokens in it."""
        batch = next(self._batches)
        result = self.steps.step(batch, self.number, 1.0)
        float(result.loss)
        self.number += 1
        rows = self.objective.rows(batch)
        return len(batch), int(self.store.lengths_of(rows).sum())


def _lists(owners: Rows, values: Rows) -> list[Rows]:
    """`values` (k,) of each owner, in order; `owners` (k,) rise."""
    return list(np.split(values, np.flatnonzero(np.diff(owners)) + 1))


class Reference:
    """All weights by sentence-transformers: its collation, its loss, torch's AdamW, its padding."""

    def __init__(
        self,
        data: Path,
        *,
        precision: str,
        batch: int,
        tokens: int = 128,
        base_folder: str | None = None,
    ) -> None:
        import warnings

        warnings.filterwarnings("ignore")
        from sentence_transformers import InputExample, SentenceTransformer, losses
        from torch.utils.data import DataLoader

        torch.manual_seed(1)
        loaded, questions, passages = examples_of(data)
        self.model = SentenceTransformer(str(find_base_model(base_folder).folder), device="cpu")
        self.model.float()
        self.model.max_seq_length = tokens
        asked = loaded.train.questions.take(questions).to_pylist()
        answers = loaded.passages.take(passages).to_pylist()
        examples = [InputExample(texts=[a, b]) for a, b in zip(asked, answers, strict=True)]
        self._loader: Any = DataLoader(
            examples,  # type: ignore[arg-type]
            shuffle=True,
            batch_size=batch,
            drop_last=True,
            collate_fn=self.model.smart_batching_collate,
        )
        self._loss = losses.MultipleNegativesRankingLoss(self.model)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-5, weight_decay=0.01)
        self._bf16 = precision == "bf16"
        self._batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self._loader

    def step(self) -> tuple[int, int]:
        """One optimizer step; the pairs and real tokens in it."""
        self.model.train()
        features, labels = next(self._batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            loss = self._loss(features, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        tokens = sum(int(f["attention_mask"].sum()) for f in features)
        return len(features[0]["input_ids"]), tokens
