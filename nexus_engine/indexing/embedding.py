"""Passages of an index become rows of a file of vectors, in blocks that survive a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import torch.nn.functional as F

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.regular_files import read_json
from nexus_engine.indexing.index_card import MAX_COUNT, VECTORS_NAME, ModelIdentity
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.indexing.vector_file import Codec, VectorWriter
from nexus_engine.scoring.querying import Embedder
from nexus_engine.scoring.ranking import unit_rows
from nexus_engine.scoring.vector_types import VectorType

__all__ = [
    "BLOCK_TEXTS",
    "EmbeddingJob",
    "IndexProgress",
    "embed_passages",
    "mean_cosine",
    "read_job",
]

BLOCK_TEXTS = 2048
"""Texts between two records of progress: about 5 s of work, 3 MB of vectors in memory."""
SAMPLE_TEXTS = 256
"""For the mean cosine similarity between two models."""


class IndexProgress(NamedTuple):
    """Progress of a job: `done` of `total` passages; `total` is None while it is not known."""

    stage: Literal["reading", "embedding", "embedding by base", "finishing"]
    done: int
    total: int | None = None


class EmbeddingJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The record of an unfinished job, and what it was ordered to do."""

    model: ModelIdentity
    dims: int
    dtype: VectorType
    corpus: str = ""
    """What is read; "" for a refresh."""
    options: tuple[str, ...] = ()
    """How it is read."""
    vectors: str
    rows: int = 0
    """Rows of the file of vectors that are on the disk."""
    scale: float | None = None
    seconds: float = 0.0
    """Spent on embedding."""
    embedded: int = 0
    """Texts embedded in that time."""

    def is_same_order(self, other: EmbeddingJob) -> bool:
        """Whether this, an order or its record, would end with the same index as the order `other`.

        A record goes on in the file that was ordered, behind the rows that were there.
        """
        return (
            self.model.fingerprint == other.model.fingerprint
            and (self.dims, self.dtype) == (other.dims, other.dtype)
            and (self.corpus, self.options) == (other.corpus, other.options)
            and self.vectors == other.vectors
            and self.rows >= other.rows
            and other.scale in (None, self.scale)
        )


def computed(bf16: bool, device: str) -> tuple[str, ...]:
    """The format of products and the device, in the words of a job's options.

    Both decide how numbers are rounded, so a job is continued only with the same.
    """
    return (f"bf16={bf16}", *([f"device={device}"] if device != "cpu" else []))


def read_job(path: Path) -> EmbeddingJob | None:
    """The job recorded at `path`; None if there is none or it cannot be used."""
    try:
        job = msgspec.convert(read_json(path), EmbeddingJob)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
    is_sound = (
        VECTORS_NAME.fullmatch(job.vectors) is not None
        and all(0 <= n < MAX_COUNT for n in (job.rows, job.embedded, job.seconds))
        and (job.scale is None or 0 < job.scale < math.inf)
    )
    return job if is_sound else None


def embed_passages(
    store: TextStore,
    embedder: Embedder,
    job: EmbeddingJob,
    path: Path,
    stop: int,
    block: int = BLOCK_TEXTS,
) -> Iterator[EmbeddingJob]:
    """Embed the passages from `job.rows` to `stop` - 1; yields the job after each block.

    The job is recorded at `path` once the block's vectors are on the disk. A second call with the
    recorded job goes on after that block, and writes the same bytes as a call without a stop.

    Raises:
        ModelError: the weights are too large to compute with.
        DataError: the file of vectors is damaged.
    """
    codec = Codec(job.dims, job.dtype, job.scale)
    with VectorWriter(path.parent / job.vectors, codec, job.rows) as writer:
        while job.rows < stop:
            started = time.monotonic()
            # Blocks end at multiples of `block`, so that a batch holds the same texts each time.
            end = min(stop, (job.rows // block + 1) * block)
            texts = store.texts(job.rows, end)
            vectors = embedder.embed(texts, remember=False, role="passage")
            unit = unit_rows(vectors[:, : job.dims])
            codec = codec.fitted(unit)
            writer.append(codec.encode(unit))
            job = msgspec.structs.replace(
                job,
                rows=end,
                scale=codec.scale,
                seconds=job.seconds + time.monotonic() - started,
                embedded=job.embedded + len(texts),
            )
            replace_json(path, job)
            yield job


def mean_cosine(store: TextStore, passages: int, first: Embedder, second: Embedder) -> float:
    """Mean cosine similarity between the vectors of the same texts by two models, -1..1.

    The texts are up to 256 of the first `passages`, evenly spread. NaN without any.
    """
    if not passages:
        return float("nan")
    ids = np.unique(np.linspace(0, passages - 1, min(SAMPLE_TEXTS, passages)).astype(np.int64))
    texts = [each.text for each in store.passages(ids).values()]
    one, other = (e.embed(texts, remember=False, role="passage") for e in (first, second))
    return float(F.cosine_similarity(one, other, dim=1).mean())
