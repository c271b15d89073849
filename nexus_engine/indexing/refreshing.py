"""Refresh an index: embed its passages by another model, beside the vectors that answer."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.lock import RunLock
from nexus_engine.indexing.building import BUSY, DEFAULT_BLOCKS, Blocks, cosine_to_base
from nexus_engine.indexing.embedding import (
    EmbeddingJob,
    IndexProgress,
    embed_passages,
    read_job,
)
from nexus_engine.indexing.index_card import TEXTS_FILE, IndexCard, read_card, write_card
from nexus_engine.indexing.index_model import embedder_of, identity_of, keep_copy
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.runs.saved_model import load_model

__all__ = ["refresh"]

JOB_FILE = "refresh.json"
VECTORS_NAME = re.compile(r"vectors-(\d{4,})")


def refresh(
    index: Path, model: str | None = None, *, bf16: bool = False, blocks: Blocks = DEFAULT_BLOCKS
) -> Iterator[IndexProgress]:
    """Embed all passages of `index` by `model`; by default by what its run's model is now.

    Yields nothing if the index is by that model already. The old vectors and their model answer
    until the new ones are complete; then `index.json` names the new ones in one step. After a kill
    the same call goes on.

    Raises:
        DataError: there is no index, or it is damaged.
        ModelError: the model is missing or damaged.
        RunError: there is no such run, or another process writes the index.
    """
    source = model or read_card(index).model.source
    loaded = load_model(source, bf16=bf16)
    identity = identity_of(loaded, source)
    with RunLock(index, BUSY):
        card = read_card(index)
        if identity.fingerprint == card.model.fingerprint:
            _sweep(index, card)
            return
        order = EmbeddingJob(
            model=identity, dims=card.dims, dtype=card.dtype, options=(f"bf16={bf16}",),
            vectors=_next_name(card.vectors),
        )  # fmt: skip
        job = read_job(index / JOB_FILE)
        if job is None or not job.is_same_order(order) or job.vectors != order.vectors:
            job = order
            _sweep(index, card)
            replace_json(index / JOB_FILE, job)
        keep_copy(index, identity, source)
        with TextStore(index / TEXTS_FILE) as store:
            yield IndexProgress("embedding", job.rows, card.passages)
            states = embed_passages(
                store, embedder_of(loaded), job, index / JOB_FILE, card.passages, blocks.texts
            )
            for job in states:
                yield IndexProgress("embedding", job.rows, card.passages)
            moved = cosine_to_base(store, card.passages, loaded)
        fresh = msgspec.structs.replace(
            card,
            model=identity,
            scale=job.scale,
            vectors=job.vectors,
            texts_per_second=job.embedded / job.seconds if job.seconds else 0.0,
            cosine_to_base=moved,
            made_unix_s=time.time(),
        )
        write_card(index, fresh)
        _sweep(index, fresh)


def _next_name(vectors: str) -> str:
    match = VECTORS_NAME.fullmatch(vectors)
    return f"vectors-{int(match[1]) + 1 if match else 1:04d}"


def _sweep(index: Path, card: IndexCard) -> None:
    """Remove vectors and models that `card` does not name. Open maps of them stay readable."""
    (index / JOB_FILE).unlink(missing_ok=True)
    for entry in list(index.iterdir()):
        is_old = entry.name.startswith(("vectors-", "model-"))
        if is_old and entry.name not in (card.vectors, card.model.folder):
            with contextlib.suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    os.unlink(entry)
