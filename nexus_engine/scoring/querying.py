"""Repeated queries to a base model and a tuned model, for the playground and for search.

A `Querier` keeps both models in memory. When a run saves better weights, it reads only those. The
two models share every weight that training did not change, so a model grown on a frozen encoder
takes only the memory of its dendrites. Recent embeddings are kept in memory, never on disk.

`score` takes pairs of strings and returns a record for each. For the pairs of a whole file, as
arrays, use `nexus_engine.scoring.similarity`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.disk.regular_files import FileStamp
from nexus_engine.disk.regular_files import stamp_of as file_stamp
from nexus_engine.errors import ModelError
from nexus_engine.model.base_model import BaseModel, find_base_model
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel, cosine
from nexus_engine.model.shape import Role
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.model_fingerprint import model_fingerprint
from nexus_engine.runs.saved_model import LoadedModel, check_finite, load_saved
from nexus_engine.scores import Metric
from nexus_engine.scoring.evaluation import FEW, embed_all, embed_few

__all__ = [
    "Embedder",
    "ModelPair",
    "PairCosines",
    "Querier",
    "distinct",
    "ordered",
    "score",
    "stamp_of",
]

MAX_REMEMBERED = 4096
"""Sentences whose embeddings an embedder keeps: 6 MB at 384 float32 each."""
READ_ATTEMPTS = 3
"""A live run may replace the weights after their card is read; then both are read again."""

Progress = Callable[[int], None]
"""Receives the number of sentences done since the last call."""
Check = Callable[[], None]
"""Called before each batch; may raise to end the work."""


class PairCosines(NamedTuple):
    """The cosine similarity of a pair, -1..1, by each model; `tuned` is None if there is none."""

    base: float
    tuned: float | None


def stamp_of(folder: Path) -> FileStamp | None:
    """A stamp that changes when a model is saved in `folder`; None if there is no model (yet)."""
    return file_stamp(folder / "model.json")


class Embedder:
    """A model and its recent embeddings. Any thread may call it.

    `compute_lock` serialises the batches of all embedders that share it. `epoch`, `dev_score` and
    the `metric` that decided belong to the tuned weights; they are None for a base model.
    `fingerprint` tells its vectors from those of another model.
    """

    def __init__(
        self,
        model: SentenceModel,
        tokenizer: Tokenizer,
        compute_lock: threading.Lock,
        *,
        epoch: int | None = None,
        dev_score: float | None = None,
        metric: Metric | None = None,
        fingerprint: str = "",
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self.model = model
        self.fingerprint = fingerprint
        self.epoch = epoch
        self.dev_score = dev_score
        self.metric = metric
        self._name = "base" if epoch is None else f"the tuned model of epoch {epoch}"
        self._tokenizer = tokenizer
        self._compute_lock = compute_lock
        self._max_remembered = max_remembered
        self._memory: OrderedDict[tuple[str, str], Tensor] = OrderedDict()
        self._memory_lock = threading.Lock()

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        compute_lock: threading.Lock,
        max_remembered: int = MAX_REMEMBERED,
    ) -> Embedder:
        """The embedder of a loaded model."""
        card = loaded.card
        return cls(
            loaded.model.eval(),
            loaded.tokenizer,
            compute_lock,
            epoch=None if card is None else card.epoch,
            dev_score=None if card is None else card.dev_score,
            metric=None if card is None else card.metric,
            fingerprint=model_fingerprint(loaded),
            max_remembered=max_remembered,
        )

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the model reads."""
        return self._tokenizer.max_tokens

    def embed(
        self,
        sentences: Sequence[str],
        progress: Progress = lambda _: None,
        check: Check = lambda: None,
        *,
        remember: bool = True,
        cut: Callable[[int], None] = lambda _: None,
        role: Role = "query",
    ) -> Tensor:
        """Embeddings (n, width) float32, not normalised, remembered ones included.

        `role` decides the model's prompt: texts that are searched are passages, and questions and
        texts that are compared with each other are queries.
        `progress` counts distinct sentences. `cut` receives the number of newly embedded
        sentences that are longer than the model reads. `compute_lock` is held for one batch at a
        time, so another thread's short query waits for at most one batch.

        Raises:
            ModelError: the weights are too large to compute with.
        """
        distinct_sentences = list(dict.fromkeys(sentences))
        prompt = self._tokenizer.prompts.of(role)
        known = self._recall(distinct_sentences, prompt)
        new = [sentence for sentence in distinct_sentences if sentence not in known]
        if known:
            progress(len(known))
        if not new:
            return torch.stack([known[sentence] for sentence in sentences])
        vectors = self._compute(new, progress, check, cut, prompt)
        if remember:
            self._remember(new, vectors, prompt)
        if known:
            vectors = torch.cat([vectors, torch.stack(list(known.values()))])
        row_of = {sentence: row for row, sentence in enumerate([*new, *known])}
        return vectors[torch.tensor([row_of[sentence] for sentence in sentences])]

    def _compute(
        self,
        sentences: Sequence[str],
        progress: Progress,
        check: Check,
        cut: Callable[[int], None],
        prompt: str,
    ) -> Tensor:
        store = TokenStore(self._tokenizer)
        rows = store.add([sentences], prompt=prompt)
        cut(len(store.cut_among(rows)))

        is_question = len(sentences) <= FEW and self.model.embeds_single
        compute = embed_few if is_question else SentenceModel.embed

        def embed(batch: npt.NDArray[np.int64]) -> Tensor:
            with self._compute_lock:
                vectors = check_finite(compute(self.model, store, batch), self._name)
            progress(len(batch))
            return vectors

        return embed_all(embed, store, rows, check)

    def _recall(self, sentences: Sequence[str], prompt: str) -> dict[str, Tensor]:
        known: dict[str, Tensor] = {}
        with self._memory_lock:
            for sentence in sentences:
                vector = self._memory.get((prompt, sentence))
                if vector is not None:
                    self._memory.move_to_end((prompt, sentence))
                    known[sentence] = vector
        return known

    def _remember(self, sentences: Sequence[str], vectors: Tensor, prompt: str) -> None:
        if len(sentences) > self._max_remembered:  # they would displace everything else
            return
        with self._memory_lock:
            for sentence, vector in zip(sentences, vectors, strict=True):
                key = (prompt, sentence)
                self._memory[key] = vector.clone()  # a view would keep its whole batch
                self._memory.move_to_end(key)
            while len(self._memory) > self._max_remembered:
                self._memory.popitem(last=False)


class ModelPair(NamedTuple):
    """The base model and, if there is one, the tuned model. Their weights never change.

    Both read as many tokens of a text: as many as the tuned model was trained on.
    """

    base: Embedder
    tuned: Embedder | None

    def each(self) -> list[Embedder]:
        """The base model and, if there is one, the tuned model, as a list."""
        return [self.base] if self.tuned is None else [self.base, self.tuned]


class Querier:
    """Keeps a base model and a tuned model in memory. Any thread may call its methods."""

    def __init__(
        self,
        *,
        load: Callable[[Path, str], LoadedModel] = load_saved,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self._load = load
        self._max_remembered = max_remembered
        self._lock = threading.Lock()
        self._compute_lock = threading.Lock()
        self._dtype, self._device = torch.float32, torch.device("cpu")
        self._base: Embedder | None = None
        self._base_model: BaseModel | None = None
        self._tuned: Embedder | None = None
        self._folder: Path | None = None
        self._stamp: FileStamp | None = None

    def models(self, folder: Path | None) -> ModelPair:
        """The base model, and the tuned model that is in `folder` now.

        Only what changed since the last call is read. If `folder` is None or has no model (yet),
        there is no tuned model.

        Raises:
            ModelError: the model in `folder`, or the base model, is missing files or damaged.
        """
        with self._lock:
            stamp = None if folder is None else stamp_of(folder)
            if folder is None or stamp is None:
                return ModelPair(self._base_embedder(), None)
            if folder != self._folder or stamp != self._stamp or self._tuned is None:
                self._read_tuned(folder)
            assert self._base_model is not None
            assert self._tuned is not None
            base = self._base_reading(self._base_model, self._tuned.max_tokens)
            return ModelPair(base, self._tuned)

    def adopt(self, loaded: LoadedModel) -> ModelPair:
        """`loaded`, read elsewhere, and its base, computed in the same format and on its device."""
        with self._lock:
            self._dtype, self._device = loaded.model.dtype, loaded.model.device
            if loaded.card is None:
                self._base_model = loaded.base
                self._base = self._embedder(loaded)
                return ModelPair(self._base, None)
            return ModelPair(*self._with_base(loaded))

    def _base_embedder(self) -> Embedder:
        if self._base_model is None:
            self._base_model = find_base_model()
        return self._base_reading(self._base_model, self._base_model.shape.max_tokens)

    def _base_reading(self, base: BaseModel, max_tokens: int) -> Embedder:
        """The base model, reading `max_tokens` of a text. Its weights are read only once."""
        if self._base is None or self._base_model is None or self._base_model.sha256 != base.sha256:
            model = SentenceModel(load_encoder(base)).to(self._device)
            model.dtype = self._dtype
            self._base_model = base
        elif self._base.max_tokens != max_tokens:
            model = self._base.model
        else:
            return self._base
        tokenizer = Tokenizer(base.folder, max_tokens, base.shape)
        self._base = self._embedder(LoadedModel("base", model, tokenizer, base, None))
        return self._base

    def _read_tuned(self, folder: Path) -> None:
        for attempts_left in reversed(range(READ_ATTEMPTS)):
            stamp = stamp_of(folder)
            try:
                loaded = self._load(folder, "tuned")
            except ModelError:
                if attempts_left and stamp_of(folder) != stamp:
                    continue  # replaced while it was read
                raise
            break
        self._base, self._tuned = self._with_base(loaded)
        self._folder, self._stamp = folder, stamp

    def _with_base(self, loaded: LoadedModel) -> tuple[Embedder, Embedder]:
        """The base model that `loaded` was trained from, and `loaded`, which shares its weights."""
        base = self._base_reading(loaded.base, loaded.tokenizer.max_tokens)
        assert loaded.card is not None
        share_weights(loaded.model, base.model)
        return base, self._embedder(loaded)

    def _embedder(self, loaded: LoadedModel) -> Embedder:
        return Embedder.of(loaded, self._compute_lock, self._max_remembered)


def share_weights(model: SentenceModel, source: SentenceModel) -> int:
    """Make `model` share the parameters of `source` that are equal; return their number.

    Neither model may be trained afterwards.
    """
    source_parameters = dict(source.named_parameters())
    shared = 0
    for name, parameter in model.named_parameters():
        other = source_parameters.get(name)
        if other is not None and other.shape == parameter.shape and torch.equal(other, parameter):
            parameter.data = other.data
            shared += 1
    return shared


def distinct(pairs: Iterable[tuple[str, str]]) -> int:
    """The number of distinct sentences in `pairs`."""
    return len({sentence for pair in pairs for sentence in pair})


def score(
    models: ModelPair,
    pairs: Sequence[tuple[str, str]],
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> list[PairCosines]:
    """The similarities of each pair of strings by the models that there are.

    For each model, `progress` counts up to `distinct(pairs)`. See `Embedder.embed` for errors.
    """
    if not pairs:
        return []
    columns = [_cosines(embedder, pairs, progress, check) for embedder in models.each()]
    if len(columns) == 1:
        return [PairCosines(base, None) for base in columns[0]]
    return [PairCosines(base, tuned) for base, tuned in zip(*columns, strict=True)]


def _cosines(
    embedder: Embedder, pairs: Sequence[tuple[str, str]], progress: Progress, check: Check
) -> list[float]:
    sentences = list(dict.fromkeys(sentence for pair in pairs for sentence in pair))
    row_of = {sentence: row for row, sentence in enumerate(sentences)}
    vectors = embedder.embed(sentences, progress, check)
    first = torch.tensor([row_of[a] for a, _ in pairs])
    second = torch.tensor([row_of[b] for _, b in pairs])
    cosines: list[float] = []
    for start in range(0, len(pairs), 4096):  # bounds the memory of the float64 copies
        part = slice(start, start + 4096)
        cosines += cosine(vectors[first[part]].double(), vectors[second[part]].double()).tolist()
    return cosines


def ordered(cosines: Sequence[PairCosines], by: str) -> list[int]:
    """The indices of `cosines` in the order `by`.

    `difference` sorts by falling absolute difference between the models, `tuned` and `base` by
    falling similarity; `file` keeps the order. Values that are not finite come first, so that they
    are seen. Without a tuned model, `difference` and `tuned` mean `base`.
    """
    if by == "file" or not cosines:
        return list(range(len(cosines)))
    base = np.asarray([pair.base for pair in cosines])
    keys = base
    if cosines[0].tuned is not None and by != "base":
        tuned = np.asarray([pair.tuned for pair in cosines], np.float64)
        keys = np.abs(tuned - base) if by == "difference" else tuned
    keys = np.where(np.isfinite(keys), keys, np.inf)
    return np.argsort(-keys, kind="stable").tolist()  # type: ignore[no-any-return]
