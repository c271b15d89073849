"""What an index holds, what it takes on disk, and what a refresh of it costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from nexus_engine.disk.lock import is_held
from nexus_engine.indexing.base_vectors import base_record
from nexus_engine.indexing.embedding import EmbeddingJob, mean_cosine, read_job
from nexus_engine.indexing.index_card import (
    JOB_FILE,
    TEXTS_FILE,
    IndexCard,
    ModelIdentity,
)
from nexus_engine.indexing.index_model import embedder_of, latest_identity, load_copy, read_index
from nexus_engine.indexing.question_store import QuestionStore
from nexus_engine.indexing.refreshing import JOB_FILE as REFRESH_FILE
from nexus_engine.indexing.tables import damaged
from nexus_engine.indexing.text_store import Document, TextStore
from nexus_engine.indexing.vector_file import check_vectors
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.vector_types import row_bytes

__all__ = ["IndexStatus", "cosine_to_latest", "index_status"]


class IndexStatus(NamedTuple):
    """The state of an index. `latest` is what its run's model is now; None if that is unknown."""

    card: IndexCard
    documents: list[Document]
    """Up to date ones."""
    live_passages: int
    text_bytes: int
    """Of the passages as UTF-8."""
    vector_bytes: int
    store_bytes: int
    """Of `texts.db`, the text included."""
    model_bytes: int
    latest: ModelIdentity | None
    is_written: bool
    unfinished_add: EmbeddingJob | None
    unfinished_refresh: EmbeddingJob | None
    questions: int = 0
    """Known questions, answered by a passage of the index or not."""

    @property
    def is_latest(self) -> bool | None:
        """Whether the vectors are by what the run's model is now; None if that is unknown."""
        if self.card.model.folder is None:
            return True
        if self.latest is None:
            return None
        return self.latest.fingerprint == self.card.model.fingerprint

    @property
    def bytes_beside_text(self) -> int:
        """Everything on disk but the text itself."""
        return self.vector_bytes + self.store_bytes + self.model_bytes - self.text_bytes

    @property
    def refresh_seconds(self) -> float | None:
        """About how long a refresh takes, by the speed of the last embedding here."""
        speed = self.card.texts_per_second
        return self.card.passages / speed if speed else None


def index_status(index: Path) -> IndexStatus:
    """The state of the index in the folder `index`.

    Raises:
        DataError: there is no index, or it is damaged.
    """
    is_growing = os.path.lexists(index / JOB_FILE)  # before the card: an addition may end
    card = read_index(index)
    check_vectors(index, card, is_growing=is_growing)
    with TextStore(index / TEXTS_FILE) as store:
        store.check(card)
        replaced = store.replaced(card.generation)
        gone = {first for first, passages in replaced if passages}
        documents = [
            each
            for each in store.documents(card.generation)
            if each.passages and each.first not in gone
        ]
        text_bytes = store.text_bytes()
        questions = QuestionStore(store).count(card.generation)
    has_base = card.base is not None
    return IndexStatus(
        card=card,
        documents=documents,
        live_passages=card.passages - sum(passages for _, passages in replaced),
        text_bytes=text_bytes,
        vector_bytes=card.passages * row_bytes(card.dims, card.dtype) * (1 + has_base),
        store_bytes=(index / TEXTS_FILE).stat().st_size,
        model_bytes=_model_bytes(index, card),
        latest=latest_identity(card.model.source),
        is_written=is_held(index) is True,
        unfinished_add=read_job(index / JOB_FILE),
        unfinished_refresh=read_job(index / REFRESH_FILE)
        or read_job(index / base_record(REFRESH_FILE)),
        questions=questions,
    )


def _model_bytes(index: Path, card: IndexCard) -> int:
    if card.model.folder is None:
        return 0
    kept = index / card.model.folder
    try:
        return sum(file.stat(follow_symlinks=False).st_size for file in kept.iterdir())
    except OSError as error:
        raise damaged(kept, error.strerror) from None


def cosine_to_latest(index: Path, status: IndexStatus) -> float:
    """Mean cosine similarity between the vectors of passages by the index's model and the latest.

    Raises:
        ModelError: a model is damaged or gone.
    """
    own = embedder_of(load_copy(index, status.card.model))
    latest = embedder_of(load_model(status.card.model.source))
    with TextStore(index / TEXTS_FILE) as store:
        return mean_cosine(store, status.card.passages, own, latest)
