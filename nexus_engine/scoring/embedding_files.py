"""Texts of any number to a file of their vectors, in bounded memory; a killed run continues.

Texts are taken in windows. A window is tokenised, each distinct text in it is embedded once, in
batches that fill the bins of the CPU's layout (`evaluation.embed_all`), and its vectors are
appended in the order of the texts. Windows depend on the texts alone, so a command that was killed
and continued writes the same bytes as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from torch import Tensor

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.model.shape import Prompts, Role
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.runs.model_fingerprint import model_fingerprint
from nexus_engine.runs.saved_model import LoadedModel, check_finite
from nexus_engine.scoring.embedding_partial import Journal, PartialFile, chained, check_new
from nexus_engine.scoring.embedding_texts import EmbeddingTexts, TextRow
from nexus_engine.scoring.evaluation import embed_all
from nexus_engine.scoring.ranking import unit_rows
from nexus_engine.scoring.small_vectors import HIGHEST
from nexus_engine.scoring.vector_files import VectorFormat, format_of
from nexus_engine.scoring.vector_types import VectorType

__all__ = ["EmbeddedFile", "embed_file"]

WINDOW_TEXTS = 4096
WINDOW_CHARACTERS = 16_000_000
"""A window ends where it reaches one of the two, so its memory is bounded."""
TOKENISED_AT_ONCE = 1024

Progress = Callable[[int], None]
"""Receives the number of texts done since the last call."""


class EmbeddedFile(NamedTuple):
    """A file of vectors that was written: `rows` texts, `resumed` of them by an earlier process."""

    rows: int
    resumed: int
    cut: int
    """Texts longer than the model reads, each once a window."""
    skipped: int
    """Rows that were left out."""
    size_bytes: int
    scale: float | None
    """What int8 numbers were multiplied with; None for the other types."""
    fingerprint: str
    """Of the model."""
    texts_sha256: str


def embed_file(
    loaded: LoadedModel,
    texts: EmbeddingTexts,
    out: Path,
    *,
    dtype: VectorType = "f32",
    dims: int | None = None,
    fresh: bool = False,
    role: Role = "passage",
    progress: Progress = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> EmbeddedFile:
    """Write the vectors of `texts` by the model `loaded` to the new file `out`.

    Vectors are cut to their first `dims` numbers and then brought to length 1. The name of `out`
    decides the format. What an earlier process of the same command left beside `out` is continued,
    unless `fresh`. `role` decides the prompt of a model that has some. `check` is called before
    each batch and may raise to stop; what is done stays.

    Raises:
        ConfigError: `out` exists, has no known format, or cannot be written; `dims` is too large;
            what lies beside `out` belongs to another command or other texts.
        DataError: there is no text, or a row cannot be used.
        ModelError: the model's weights are too large to compute with.
        ResourceError: the disk is full.
    """
    width = loaded.model.encoder.shape.width
    size = width if dims is None else dims
    if not 1 <= size <= width:
        raise ConfigError(
            f"--dims {size}: the model's vectors have {width} numbers; give 1..{width}"
        )
    form = format_of(out, dtype, size)
    check_new(out)
    fingerprint = model_fingerprint(loaded)
    precision = str(loaded.model.dtype).removeprefix("torch.")
    device = loaded.model.device.type
    request = {
        "model": fingerprint,
        "format": form.suffix,
        "dtype": dtype,
        "dims": str(size),
        "precision": precision,
        **({} if device == "cpu" else {"device": device}),
        # Only where it matters, so that what an earlier version left is continued.
        **({"role": role} if loaded.base.shape.prompts != Prompts() else {}),
    }
    with PartialFile(out, form, request, fresh=fresh) as partial:
        embedder = _Embedder(loaded, form, progress, check, role)
        resumed = partial.journal.rows
        journal = _embed_windows(partial, texts, embedder, progress)
        if not journal.rows:
            raise DataError(f"{texts.label}: holds no text to embed")
        scale = HIGHEST / journal.largest if journal.largest > 0 else 1.0
        facts = {
            "model": loaded.name,
            "model_fingerprint": fingerprint,
            "max_tokens": str(loaded.tokenizer.max_tokens),
            "precision": precision,
            "rows": str(journal.rows),
            "dims": str(size),
            "dtype": dtype,
            "normalized": "true",
            **({"role": role} if loaded.base.shape.prompts != Prompts() else {}),
            **({"scale": repr(scale)} if dtype == "int8" else {}),
        }
        partial.finish(facts, scale)
    return EmbeddedFile(
        journal.rows,
        resumed,
        journal.cut,
        texts.skipped,
        out.stat().st_size,
        scale if dtype == "int8" else None,
        fingerprint,
        journal.texts_sha256,
    )


def _embed_windows(
    partial: PartialFile, texts: EmbeddingTexts, embedder: _Embedder, progress: Progress
) -> Journal:
    """Embed the windows that the journal does not count yet; the last journal."""
    done, chain, number = partial.journal, "", 0
    for window in _windows(texts):
        number += 1
        chain = chained(chain, window)
        if number < done.windows:
            progress(len(window))
            continue
        if number == done.windows:
            if chain != done.texts_sha256:
                raise partial.refuse_texts()
            progress(len(window))
            continue
        content, largest, cut = embedder.embed(window)
        present = partial.journal
        journal = msgspec.structs.replace(
            present,
            rows=present.rows + len(window),
            windows=number,
            cut=present.cut + cut,
            largest=max(present.largest, largest),
            texts_sha256=chain,
        )
        partial.append(content, journal)
    if number < done.windows:
        raise partial.refuse_texts()
    return partial.journal


def _windows(texts: Iterable[TextRow]) -> Iterator[list[TextRow]]:
    window: list[TextRow] = []
    characters = 0
    for row in texts:
        window.append(row)
        characters += len(row[1])
        if len(window) == WINDOW_TEXTS or characters >= WINDOW_CHARACTERS:
            yield window
            window, characters = [], 0
    if window:
        yield window


class _Embedder:
    """Embeds windows of texts by one model into the rows of one format."""

    def __init__(
        self,
        loaded: LoadedModel,
        form: VectorFormat,
        progress: Progress,
        check: Callable[[], None],
        role: Role,
    ) -> None:
        self._loaded, self._form, self._progress, self._check = loaded, form, progress, check
        self._prompt = loaded.base.shape.prompts.of(role)

    def embed(self, window: list[TextRow]) -> tuple[bytes, float, int]:
        """The bytes of a window, its largest number without its sign, and how many are cut."""
        loaded = self._loaded
        store = TokenStore(loaded.tokenizer)
        sentences = [text for _, text in window]
        starts = range(0, len(sentences), TOKENISED_AT_ONCE)
        parts = (sentences[start : start + TOKENISED_AT_ONCE] for start in starts)
        rows = store.add(parts, prompt=self._prompt)
        done = 0

        def embed(batch: Rows) -> Tensor:
            nonlocal done
            vectors = check_finite(loaded.model.embed(store, batch), loaded.name)
            done += len(batch)
            self._progress(len(batch))
            return vectors

        vectors = embed_all(embed, store, rows, self._check)
        unit = unit_rows(vectors[:, : self._form.dims]).numpy()
        kept = self._form.rows([row for row, _ in window], unit)
        self._progress(len(window) - done)  # equal texts, which were embedded once
        cut = len(store.cut_among(rows))
        return kept.tobytes(), float(np.abs(unit).max()), cut
