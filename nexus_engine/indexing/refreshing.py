"""Refresh an index: embed its passages by another model, beside the vectors that answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.lock import RunLock
from nexus_engine.indexing.base_vectors import (
    base_embedder,
    base_record,
    check_with_base,
    embed_by_base,
)
from nexus_engine.indexing.building import BUSY, DEFAULT_BLOCKS, Blocks, cosine_to_base
from nexus_engine.indexing.embedding import (
    EmbeddingJob,
    IndexProgress,
    computed,
    embed_passages,
    read_job,
)
from nexus_engine.indexing.index_card import JOB_FILE as ADD_FILE
from nexus_engine.indexing.index_card import (
    TEXTS_FILE,
    VECTORS_NAME,
    BaseVectors,
    IndexCard,
    ModelIdentity,
    write_card,
)
from nexus_engine.indexing.index_model import (
    embedder_of,
    identity_of,
    keep_copy,
    latest_identity,
    load_copy,
    read_index,
)
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.indexing.vector_file import Codec, check_rows
from nexus_engine.runs.saved_model import LoadedModel, load_model

__all__ = ["refresh"]

JOB_FILE = "refresh.json"


def refresh(
    index: Path,
    model: str | None = None,
    *,
    bf16: bool = False,
    device: str = "cpu",
    with_base: bool | None = None,
    blocks: Blocks = DEFAULT_BLOCKS,
) -> Iterator[IndexProgress]:
    """Embed all passages of `index` by `model`; by default by what its run's model is now.

    `with_base` says whether the index has vectors by the base model too; None leaves that as it is.
    They are embedded anew only where another base model, or as much of a text, asks for it.

    Yields nothing if the index is so already. The old vectors and their model answer until the new
    ones are complete; then `index.json` names the new ones in one step. After a kill the same call
    goes on.

    Raises:
        ConfigError: `with_base`, and the model is the base model.
        DataError: there is no index, or it is damaged.
        ModelError: the model is missing or damaged.
        RunError: there is no such run, or another process writes the index.
    """
    loaded, identity = _model(index, model, bf16=bf16, device=device, with_base=with_base)
    if with_base:
        check_with_base(loaded)
    with RunLock(index, BUSY):
        card = read_index(index)
        wants_base = card.base is not None if with_base is None else with_base
        wants_base &= loaded.card is not None
        order = EmbeddingJob(
            model=identity, dims=card.dims, dtype=card.dtype, options=computed(bf16, device),
            vectors=_next_name("vectors", card.vectors),
        )  # fmt: skip
        fresh = card
        if wants_base and card.base is not None:  # they may be kept
            path = index / card.base.vectors
            check_rows(path, Codec(card.dims, card.dtype), card.passages, is_growing=True)
        with TextStore(index / TEXTS_FILE) as store:
            if identity.fingerprint != card.model.fingerprint:
                named = model or card.model.source
                fresh = yield from _by_model(index, store, card, order, loaded, named, blocks)
            base = card.base if wants_base else None
            if wants_base:
                embedder = base_embedder(loaded)
                if base is None or base.fingerprint != embedder.fingerprint:
                    name = _next_name("base", None if base is None else base.vectors)
                    base = yield from embed_by_base(
                        store, index / base_record(JOB_FILE), order, embedder,
                        BaseVectors(fingerprint="", vectors=name), 0, card.passages, blocks.texts,
                    )  # fmt: skip
            fresh = msgspec.structs.replace(fresh, base=base)
        if fresh.base != card.base:  # an unfinished addition begins that part anew
            (index / base_record(ADD_FILE)).unlink(missing_ok=True)
        if fresh != card:
            write_card(index, fresh)
        _sweep(index, fresh)


def _by_model(
    index: Path,
    store: TextStore,
    card: IndexCard,
    order: EmbeddingJob,
    loaded: LoadedModel,
    named: str,
    blocks: Blocks,
) -> Generator[IndexProgress, None, IndexCard]:
    """The vectors by `loaded`, the model `named`; returns the card that names them."""
    job = read_job(index / JOB_FILE)
    if job is None or not job.is_same_order(order):
        job = order
        _sweep(index, card)
        replace_json(index / JOB_FILE, job)
    keep_copy(index, order.model, named)
    yield IndexProgress("embedding", job.rows, card.passages)
    states = embed_passages(
        store, embedder_of(loaded), job, index / JOB_FILE, card.passages, blocks.texts
    )
    for job in states:
        yield IndexProgress("embedding", job.rows, card.passages)
    return msgspec.structs.replace(
        card,
        model=order.model,
        scale=job.scale,
        hybrid=True,  # what was measured was of the other model
        vectors=job.vectors,
        texts_per_second=job.embedded / job.seconds if job.seconds else 0.0,
        cosine_to_base=cosine_to_base(store, card.passages, loaded),
        made_unix_s=time.time(),
    )


def _model(
    index: Path, model: str | None, *, bf16: bool, device: str, with_base: bool | None
) -> tuple[LoadedModel, ModelIdentity]:
    """The model to refresh to. Where its run is gone, base vectors need the index's copy alone."""
    card = read_index(index)
    source = model or card.model.source
    if model is None and with_base is not None and latest_identity(source) is None:
        return load_copy(index, card.model, bf16=bf16, device=device), card.model
    loaded = load_model(source, bf16=bf16, device=device)
    return loaded, identity_of(loaded, source)


def _next_name(stem: str, name: str | None) -> str:
    match = None if name is None else VECTORS_NAME.fullmatch(name)
    return f"{stem}-{int(match[1]) + 1 if match else 1:04d}"


def _sweep(index: Path, card: IndexCard) -> None:
    """Remove vectors and models that `card` does not name. Open maps of them stay readable."""
    (index / base_record(JOB_FILE)).unlink(missing_ok=True)
    (index / JOB_FILE).unlink(missing_ok=True)
    named = {card.vectors, card.model.folder, None if card.base is None else card.base.vectors}
    for entry in list(index.iterdir()):
        is_old = VECTORS_NAME.fullmatch(entry.name) or entry.name.startswith("model-")
        if is_old and entry.name not in named:
            with contextlib.suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    os.unlink(entry)
