"""Vectors of an index by the base model, beside those of its own model, for a comparison."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import msgspec

from nexus_engine.errors import ConfigError
from nexus_engine.indexing.embedding import EmbeddingJob, IndexProgress, embed_passages, read_job
from nexus_engine.indexing.index_card import BaseVectors, ModelIdentity
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.runs.saved_model import LoadedModel
from nexus_engine.scoring.querying import Embedder, Querier

__all__ = ["FIRST_BASE", "base_embedder", "base_record", "check_with_base", "embed_by_base"]

FIRST_BASE = "base-0001"


def check_with_base(loaded: LoadedModel) -> None:
    """Refuse vectors by the base model beside those by the base model.

    Raises:
        ConfigError: `loaded` is the base model.
    """
    if loaded.card is None:
        raise ConfigError("--with-base: the vectors are by the base model already")


def base_embedder(loaded: LoadedModel) -> Embedder:
    """The base model of `loaded`, reading as many tokens and computing as precisely."""
    return Querier().adopt(loaded).base


def base_record(record: str) -> str:
    """The file in which the base model's part of the job in `record` is recorded."""
    return f"base-{record}"


def embed_by_base(
    store: TextStore,
    path: Path,
    own: EmbeddingJob,
    embedder: Embedder,
    known: BaseVectors,
    rows: int,
    stop: int,
    block: int,
) -> Generator[IndexProgress, None, BaseVectors]:
    """Embed the passages up to `stop` - 1 by the base model, as the job `own` did by its model.

    `known` has the first `rows` of them. The job is recorded at `path`, and a second call after a
    kill goes on. Returns what the card then says.

    Raises:
        DataError: the file of vectors is damaged.
    """
    order = msgspec.structs.replace(
        own,
        model=ModelIdentity(
            source="base",
            fingerprint=embedder.fingerprint,
            base_sha256=own.model.base_sha256,
            max_tokens=embedder.max_tokens,
        ),
        vectors=known.vectors,
        rows=rows,
        scale=known.scale,
        seconds=0.0,
        embedded=0,
    )
    job = read_job(path)
    if job is None or not job.is_same_order(order):
        job = order
    yield IndexProgress("embedding by base", job.rows, stop)
    states = embed_passages(store, embedder, job, path, stop, block)
    for job in states:
        yield IndexProgress("embedding by base", job.rows, stop)
    return BaseVectors(fingerprint=embedder.fingerprint, vectors=job.vectors, scale=job.scale)
