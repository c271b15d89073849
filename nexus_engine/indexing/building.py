"""Build an index, and add to one.

A build works in a hidden folder beside its goal, which gets its name in one step at the end. An
addition writes behind the last passage of the index, and `index.json` takes it in in one step. Both
go on after a kill when the same command is given again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from nexus_engine.disk.files import make_folder, replace_json, sync
from nexus_engine.disk.lock import LOCK_FILE, RunLock
from nexus_engine.disk.new_folders import usable_path
from nexus_engine.errors import ConfigError, DataError, NexusError, ResourceError, one_line
from nexus_engine.indexing.base_vectors import (
    FIRST_BASE,
    base_embedder,
    base_record,
    check_with_base,
    embed_by_base,
)
from nexus_engine.indexing.corpus_stream import CorpusOptions, corpus_path
from nexus_engine.indexing.embedding import (
    BLOCK_TEXTS,
    EmbeddingJob,
    IndexProgress,
    computed,
    embed_passages,
    mean_cosine,
    read_job,
)
from nexus_engine.indexing.index_card import (
    JOB_FILE,
    TEXTS_FILE,
    BaseVectors,
    IndexCard,
    building_folder,
    read_card,
    write_card,
)
from nexus_engine.indexing.index_model import (
    embedder_of,
    identity_of,
    keep_copy,
    load_copy,
    read_index,
)
from nexus_engine.indexing.intake import COMMIT_PASSAGES, Intake, read_corpus_into
from nexus_engine.indexing.question_store import QuestionStore
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.indexing.vector_file import Codec, VectorWriter, check_vectors
from nexus_engine.runs.saved_model import LoadedModel, load_model
from nexus_engine.scoring.querying import Querier
from nexus_engine.scoring.vector_types import VectorType

__all__ = [
    "BUSY",
    "DEFAULT_BLOCKS",
    "Blocks",
    "add",
    "build",
    "cosine_to_base",
]

FIRST_VECTORS = "vectors-0001"
_NO_BASE = BaseVectors(fingerprint="", vectors=FIRST_BASE)
BUSY = "is being written by {holder}; wait until it ends"


class Blocks(NamedTuple):
    """How much is done between two records of progress."""

    texts: int = BLOCK_TEXTS
    passages: int = COMMIT_PASSAGES


DEFAULT_BLOCKS = Blocks()
DEFAULT_DIMS = 48
"""Numbers of a vector, where the model has as many."""


def build(
    corpus: str,
    model: str,
    out: Path,
    *,
    dims: int | None = None,
    dtype: VectorType = "int8",
    bf16: bool = False,
    device: str = "cpu",
    columns: dict[str, str] | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    with_base: bool = False,
    blocks: Blocks = DEFAULT_BLOCKS,
) -> Iterator[IndexProgress | Intake]:
    """Build the index `out` of `corpus` by `model`: `base`, a run, or a folder with a model.

    `dims` is 48 by default, or all that a narrower model has.

    With `with_base` the index also gets vectors by the base model. Where the same build was killed,
    it goes on; another unfinished build at `out` is dropped. The last item is what was read.

    Raises:
        ConfigError: `out` exists, or a setting is out of range.
        DataError: the corpus cannot be used.
        ModelError: the model is missing or damaged.
        RunError: there is no such run, or another process builds at `out`.
    """
    out = usable_path(out)
    if os.path.lexists(out):
        _forget_finished(out)
        advice = "add to an index: nexus index add INDEX CORPUS; or name a new folder"
        raise ConfigError(f"--out {one_line(out)}: exists; {advice}")
    path = corpus_path(corpus)
    loaded = load_model(model, bf16=bf16, device=device)
    width = loaded.model.encoder.shape.width
    if dims is None:
        dims = min(DEFAULT_DIMS, width)
    if not 1 <= dims <= width:
        raise ConfigError(f"--dims {dims}: give 1 to {width}, the numbers of the model's vectors")
    if with_base:
        check_with_base(loaded)
    identity = identity_of(loaded, model)
    options = CorpusOptions(identity.max_tokens, columns, skip_bad, seed, loaded.base.folder)
    order = EmbeddingJob(
        model=identity, dims=dims, dtype=dtype, corpus=str(path),
        options=_told(options, bf16, device, with_base=with_base), vectors=FIRST_VECTORS,
    )  # fmt: skip
    folder = building_folder(out)
    _make(folder)
    with RunLock(folder, BUSY):
        job = read_job(folder / JOB_FILE)
        if job is None or not job.is_same_order(order):
            _empty(folder)
            job = order
            replace_json(folder / JOB_FILE, job)
        try:
            keep_copy(folder, identity, model)
            with TextStore(folder / TEXTS_FILE, create=True) as store:
                intake = yield from read_corpus_into(store, corpus, options, 0, blocks.passages)
                stop = store.next_id()
                if not stop:
                    raise DataError(f"{one_line(path)}: holds no passage; give a corpus with text")
                yield from _embed(store, folder, job, loaded, stop, blocks)
                job = read_job(folder / JOB_FILE) or job
                base = None
                if with_base:
                    base = yield from _embed_base(
                        store, folder, job, loaded, _NO_BASE, 0, stop, blocks
                    )
                yield IndexProgress("finishing", stop, stop)
                with store.transaction():
                    store.count_frequent()
                    QuestionStore(store).find_answers(-1, 0, stop)
                store.compact()
                write_card(folder, _card(job, store, loaded, stop, base))
        except NexusError as error:
            if not isinstance(error, ResourceError):  # with more room it can go on
                shutil.rmtree(folder, ignore_errors=True)
            raise
        _publish(folder, out)
        _forget(out)  # last: without its record a killed build would begin anew
        yield intake


def add(
    index: Path,
    corpus: str,
    *,
    columns: dict[str, str] | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    bf16: bool = False,
    device: str = "cpu",
    prune: bool = False,
    blocks: Blocks = DEFAULT_BLOCKS,
) -> Iterator[IndexProgress | Intake]:
    """Add `corpus` to `index`, by the model of the index; the last item is what was read.

    A document that the index has already is left, and one that changed is replaced. With `prune`
    those that the folder `corpus` no longer holds are dropped. Where the index has vectors by the
    base model, it gets those too. Until the end searches see the index as it was. An unfinished
    addition of another corpus is undone.

    Raises:
        ConfigError: `prune`, and the corpus is no folder.
        DataError: there is no index, or the corpus cannot be used.
        ModelError: the model of the index is damaged.
        RunError: another process writes the index.
    """
    read_index(index)
    path = corpus_path(corpus)
    with RunLock(index, BUSY):
        card = read_index(index)
        check_vectors(index, card, is_growing=True)
        loaded = load_copy(index, card.model, bf16=bf16, device=device)
        options = CorpusOptions(card.model.max_tokens, columns, skip_bad, seed, loaded.base.folder)
        order = EmbeddingJob(
            model=card.model, dims=card.dims, dtype=card.dtype, corpus=str(path),
            options=_told(options, bf16, device, prune=prune), vectors=card.vectors,
            rows=card.passages, scale=card.scale,
        )  # fmt: skip
        job = read_job(index / JOB_FILE)
        generation = card.generation + 1
        with TextStore(index / TEXTS_FILE) as store:
            is_continued = job is not None and job.is_same_order(order)
            if not is_continued or job is None:
                undo(index, store, card)
                job = order
                replace_json(index / JOB_FILE, job)
            try:
                intake = yield from read_corpus_into(
                    store, corpus, options, generation, blocks.passages, prune=prune
                )
                stop = store.next_id()
                yield from _embed(store, index, job, loaded, stop, blocks)
                base = card.base
                if base is not None:
                    base = yield from _embed_base(
                        store, index, job, loaded, base, card.passages, stop, blocks
                    )
            except (ConfigError, DataError):
                undo(index, store, card)
                raise
            with store.transaction():
                store.count_frequent()
                questions = QuestionStore(store)
                questions.find_answers(card.generation, card.passages, stop)
                is_changed = questions.has_sets_after(card.generation)
            words = store.words()
            is_changed |= store.has_documents_after(card.generation)
        if is_changed:
            write_card(
                index,
                msgspec.structs.replace(
                    card, passages=stop, generation=generation, words=words, base=base
                ),
            )
        _forget(index)
        yield intake


def undo(index: Path, store: TextStore, card: IndexCard) -> None:
    """Remove what an unfinished addition wrote."""
    with store.transaction():
        store.undo_after(card.generation, card.passages)
        QuestionStore(store).undo_after(card.generation, card.passages)
    files = [(card.vectors, card.scale)]
    if card.base is not None:
        files.append((card.base.vectors, card.base.scale))
    for name, scale in files:
        VectorWriter(index / name, Codec(card.dims, card.dtype, scale), card.passages).close()
    _forget(index)


def _forget_finished(out: Path) -> None:
    """Remove the records of a build that was killed when all else was done."""
    if not os.path.lexists(out / JOB_FILE):
        return
    with contextlib.suppress(NexusError, OSError):
        read_card(out)  # no lock is made in a folder that is no index
        with RunLock(out, BUSY), TextStore(out / TEXTS_FILE) as store:
            generation = read_card(out).generation
            questions = QuestionStore(store)
            is_added = questions.has_tables and questions.has_sets_after(generation)
            if not is_added and not store.has_documents_after(generation):
                _forget(out)


def _forget(index: Path) -> None:
    """Remove the records of a build or an addition."""
    (index / base_record(JOB_FILE)).unlink(missing_ok=True)
    (index / JOB_FILE).unlink(missing_ok=True)


def _embed(
    store: TextStore,
    folder: Path,
    job: EmbeddingJob,
    loaded: LoadedModel,
    stop: int,
    blocks: Blocks,
) -> Iterator[IndexProgress]:
    yield IndexProgress("embedding", job.rows, stop)
    path = folder / JOB_FILE
    for state in embed_passages(store, embedder_of(loaded), job, path, stop, blocks.texts):
        yield IndexProgress("embedding", state.rows, stop)


def _embed_base(
    store: TextStore,
    folder: Path,
    own: EmbeddingJob,
    loaded: LoadedModel,
    known: BaseVectors,
    rows: int,
    stop: int,
    blocks: Blocks,
) -> Generator[IndexProgress, None, BaseVectors]:
    path = folder / base_record(JOB_FILE)
    embedder = base_embedder(loaded)
    found = yield from embed_by_base(store, path, own, embedder, known, rows, stop, blocks.texts)
    return found


def _card(
    job: EmbeddingJob,
    store: TextStore,
    loaded: LoadedModel,
    passages: int,
    base: BaseVectors | None,
) -> IndexCard:
    return IndexCard(
        model=job.model,
        dims=job.dims,
        dtype=job.dtype,
        scale=job.scale,
        vectors=job.vectors,
        base=base,
        passages=passages,
        words=store.words(),
        texts_per_second=job.embedded / job.seconds if job.seconds else 0.0,
        cosine_to_base=cosine_to_base(store, passages, loaded),
        made_unix_s=time.time(),
    )


def cosine_to_base(store: TextStore, passages: int, loaded: LoadedModel) -> float | None:
    """How near the vectors by `loaded` are to the base model's; None for the base model."""
    if loaded.card is None:
        return None
    models = Querier().adopt(loaded)
    assert models.tuned is not None
    return mean_cosine(store, passages, models.base, models.tuned)


def _told(
    options: CorpusOptions,
    bf16: bool,
    device: str,
    *,
    with_base: bool = False,
    prune: bool = False,
) -> tuple[str, ...]:
    columns = sorted((options.columns or {}).items())
    return (
        *(f"{role}={name}" for role, name in columns),
        f"skip_bad={options.skip_bad}",
        f"seed={options.seed}",
        *computed(bf16, device),
        *(["with_base"] if with_base else []),
        *(["prune"] if prune else []),
    )


def _make(folder: Path) -> None:
    try:
        make_folder(folder.parent)
        make_folder(folder, inside_run=True)
    except OSError as error:
        raise ConfigError(
            f"--out {one_line(folder.parent)}: cannot make the index there ({error.strerror})"
        ) from None


def _empty(folder: Path) -> None:
    """Remove an unfinished build of another order."""
    for entry in folder.iterdir():
        if entry.name == LOCK_FILE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _publish(folder: Path, out: Path) -> None:
    if os.path.lexists(out):
        raise ConfigError(f"--out {one_line(out)}: was made by another process meanwhile")
    sync(folder)
    os.rename(folder, out)
    with contextlib.suppress(PermissionError):
        sync(out.parent)
