"""Cosine similarity by a base model and by a tuned one, asked again and again.

A `Querier` keeps both models in memory and sees when a run has left better weights: those alone
are read anew. The two share every weight that training left as it was, so a model grown on a
frozen encoder costs its dendrites. Embeddings are remembered in memory alone, never on disk.
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
from nexus_engine.model.base_model import BaseModel, find_base_model, load_encoder
from nexus_engine.model.sentence_model import SentenceModel, cosine
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.saved_model import LoadedModel, check_finite, load_saved
from nexus_engine.scoring.evaluation import embed_all

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

REMEMBERED = 4096
"""Sentences whose embeddings an embedder remembers: 6 MB at 384 float32 each."""
READ_TRIES = 3
"""Of weights that a live run may replace between the card and the file that it names."""

Progress = Callable[[int], None]
"""Told how many more sentences are done."""
Check = Callable[[], None]
"""Called before each batch; raises to end the work."""


class PairCosines(NamedTuple):
    """Cosine similarity of one pair, -1..1; `tuned` is None where there is no tuned model."""

    base: float
    tuned: float | None


def stamp_of(folder: Path) -> FileStamp | None:
    """The state of the model in `folder`: changes with its card; None when there is none (yet)."""
    return file_stamp(folder / "model.json")


class Embedder:
    """One model ready to embed, with the embeddings that it remembers. Any thread may ask.

    `epoch` and `dev_spearman` are those of the tuned weights, None for a base model.
    """

    def __init__(
        self,
        model: SentenceModel,
        tokenizer: Tokenizer,
        turn: threading.Lock,
        *,
        epoch: int | None = None,
        dev_spearman: float | None = None,
    ) -> None:
        self.model = model
        self.epoch = epoch
        self.dev_spearman = dev_spearman
        self._name = "base" if epoch is None else f"the tuned model of epoch {epoch}"
        self._tokenizer = tokenizer
        self._turn = turn
        self._memory: OrderedDict[str, Tensor] = OrderedDict()
        self._guard = threading.Lock()

    def embed(
        self,
        sentences: Sequence[str],
        progress: Progress = lambda _: None,
        check: Check = lambda: None,
        *,
        remember: bool = True,
        cut: Progress = lambda _: None,
    ) -> Tensor:
        """(n, width) float32, not normalised. `progress` counts distinct sentences.

        `cut` is told how many of those that are not remembered are longer than the model reads.

        One batch is one turn: a short question of another thread waits for a batch at most.

        Raises:
            ModelError: the weights are too large to compute with.
        """
        wanted = list(dict.fromkeys(sentences))
        known = self._recalled(wanted)
        fresh = [sentence for sentence in wanted if sentence not in known]
        if known:
            progress(len(known))
        if not fresh:
            return torch.stack([known[sentence] for sentence in sentences])
        vectors = self._embedded(fresh, progress, check, cut)
        if remember:
            self._remember(fresh, vectors)
        if known:
            vectors = torch.cat([vectors, torch.stack(list(known.values()))])
        place = {sentence: row for row, sentence in enumerate([*fresh, *known])}
        return vectors[torch.tensor([place[sentence] for sentence in sentences])]

    def _embedded(
        self, fresh: Sequence[str], progress: Progress, check: Check, cut: Progress
    ) -> Tensor:
        store = TokenStore(self._tokenizer)
        rows = store.add([fresh])
        cut(len(store.cut_among(rows)))

        def embed(chosen: npt.NDArray[np.int64]) -> Tensor:
            with self._turn:
                vectors = check_finite(self.model.embed(store, chosen), self._name)
            progress(len(chosen))
            return vectors

        return embed_all(embed, store, rows, check)

    def _recalled(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        with self._guard:
            for sentence in sentences:
                vector = self._memory.get(sentence)
                if vector is not None:
                    self._memory.move_to_end(sentence)
                    found[sentence] = vector
        return found

    def _remember(self, sentences: Sequence[str], vectors: Tensor) -> None:
        if len(sentences) > REMEMBERED:  # they would push out all else
            return
        with self._guard:
            for sentence, vector in zip(sentences, vectors, strict=True):
                self._memory[sentence] = vector.clone()  # not a view that keeps its whole batch
                self._memory.move_to_end(sentence)
            while len(self._memory) > REMEMBERED:
                self._memory.popitem(last=False)


class ModelPair(NamedTuple):
    """The base model, and the tuned one where there is one. A snapshot: weights never change."""

    base: Embedder
    tuned: Embedder | None

    def each(self) -> list[Embedder]:
        """The models that there are."""
        return [self.base] if self.tuned is None else [self.base, self.tuned]


class Querier:
    """Keeps one base and one tuned model at hand. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._dtype = torch.float32
        self._base: Embedder | None = None
        self._base_model: BaseModel | None = None
        self._tuned: Embedder | None = None
        self._folder: Path | None = None
        self._stamp: FileStamp | None = None

    def models(self, folder: Path | None) -> ModelPair:
        """The base model and the tuned model that `folder` holds now (None: the base alone).

        What is in memory and still true is used; a folder without a model (yet) gives the base
        alone.

        Raises:
            ModelError: the model in `folder`, or the base model, is missing files or damaged.
        """
        with self._lock:
            stamp = None if folder is None else stamp_of(folder)
            if folder is None or stamp is None:
                return ModelPair(self._some_base(), None)
            if folder != self._folder or stamp != self._stamp or self._tuned is None:
                self._read(folder)
            assert self._base is not None
            return ModelPair(self._base, self._tuned)

    def adopt(self, loaded: LoadedModel) -> ModelPair:
        """The models of a run that was loaded elsewhere; its base computes in the same format."""
        with self._lock:
            self._dtype = loaded.model.dtype
            if loaded.card is None:
                self._base_model = loaded.base
                self._base = Embedder(loaded.model.eval(), loaded.tokenizer, self._turn)
                return ModelPair(self._base, None)
            return ModelPair(*self._fitted(loaded))

    def _some_base(self) -> Embedder:
        if self._base is None:
            self._set_base(find_base_model())
        assert self._base is not None
        return self._base

    def _set_base(self, base: BaseModel) -> None:
        model = SentenceModel(load_encoder(base)).eval()
        model.dtype = self._dtype
        self._base = Embedder(model, Tokenizer(base.folder), self._turn)
        self._base_model = base

    def _read(self, folder: Path) -> None:
        for left in reversed(range(READ_TRIES)):
            stamp = stamp_of(folder)
            try:
                loaded = load_saved(folder, "tuned")
            except ModelError:
                if left and stamp_of(folder) != stamp:
                    continue  # replaced while it was read
                raise
            break
        self._base, self._tuned = self._fitted(loaded)
        self._folder, self._stamp = folder, stamp

    def _fitted(self, loaded: LoadedModel) -> tuple[Embedder, Embedder]:
        """The base model that `loaded` was trained from, and `loaded` with the weights of that."""
        if self._base_model is None or self._base_model.sha256 != loaded.base.sha256:
            self._set_base(loaded.base)
        assert self._base is not None
        assert loaded.card is not None
        share_weights(loaded.model, self._base.model)
        tuned = Embedder(
            loaded.model.eval(),
            loaded.tokenizer,
            self._turn,
            epoch=loaded.card.epoch,
            dev_spearman=loaded.card.dev_spearman,
        )
        return self._base, tuned


def share_weights(model: SentenceModel, source: SentenceModel) -> int:
    """Let `model` hold `source`'s own tensors wherever the two are equal; how many it now shares.

    For models that are not trained any more.
    """
    held = dict(source.named_parameters())
    shared = 0
    for name, parameter in model.named_parameters():
        twin = held.get(name)
        if twin is not None and twin.shape == parameter.shape and torch.equal(twin, parameter):
            parameter.data = twin.data
            shared += 1
    return shared


def distinct(pairs: Iterable[tuple[str, str]]) -> int:
    """How many sentences each model embeds for `pairs`."""
    return len({sentence for pair in pairs for sentence in pair})


def score(
    models: ModelPair,
    pairs: Sequence[tuple[str, str]],
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> list[PairCosines]:
    """Each pair by both models. `progress` comes to `distinct(pairs)` for each of them."""
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
    row = {sentence: place for place, sentence in enumerate(sentences)}
    vectors = embedder.embed(sentences, progress, check)
    first = torch.tensor([row[a] for a, _ in pairs])
    second = torch.tensor([row[b] for _, b in pairs])
    found: list[float] = []
    for start in range(0, len(pairs), 4096):  # doubles of a few pairs at a time
        part = slice(start, start + 4096)
        found += cosine(vectors[first[part]].double(), vectors[second[part]].double()).tolist()
    return found


def ordered(found: Sequence[PairCosines], by: str) -> list[int]:
    """Places of `found`, the most telling first.

    `by` is `difference` (the largest change, whatever its sign), `tuned` or `base` (the most
    alike), or `file` (as they came).
    What is not a finite number comes first, so that it is seen. Without a tuned model `difference`
    and `tuned` mean `base`.
    """
    if by == "file" or not found:
        return list(range(len(found)))
    base = np.asarray([one.base for one in found])
    keys = base
    if found[0].tuned is not None and by != "base":
        tuned = np.asarray([one.tuned for one in found], np.float64)
        keys = np.abs(tuned - base) if by == "difference" else tuned
    keys = np.where(np.isfinite(keys), keys, np.inf)
    return np.argsort(-keys, kind="stable").tolist()  # type: ignore[no-any-return]
