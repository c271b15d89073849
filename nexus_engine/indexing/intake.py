"""A corpus goes into the texts of an index; what is there already is left."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from typing import NamedTuple

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.indexing.corpus_stream import (
    CorpusOptions,
    IndexCorpus,
    IndexedPassage,
    SourceDocument,
    open_corpus,
)
from nexus_engine.indexing.embedding import IndexProgress
from nexus_engine.indexing.question_store import QuestionStore
from nexus_engine.indexing.text_store import Document, TextStore, stored

__all__ = ["Intake", "read_corpus_into"]

COMMIT_PASSAGES = 5_000
"""Passages of a transaction: about 1 s of reading."""


class Intake(NamedTuple):
    """What was read so far."""

    passages: int = 0
    added: int = 0
    """Documents with new passages."""
    replaced: int = 0
    """Documents whose older passages went out of date."""
    unchanged: int = 0
    """Documents that were there already, as they are now."""
    removed: int = 0
    """Documents whose files have left the folder, where that was asked."""
    left_out: str = ""
    """Why the questions of the corpus were left out; "" if they were not."""


def read_corpus_into(
    store: TextStore,
    corpus: str,
    options: CorpusOptions,
    generation: int,
    commit: int,
    *,
    prune: bool = False,
) -> Generator[IndexProgress, None, Intake]:
    """Read the documents and questions of `corpus` as of `generation`; returns what was read.

    With `prune` documents of its folder that it no longer holds are dropped. Questions that cannot
    be used are left out.

    Raises:
        ConfigError: `prune`, and the corpus is no folder.
        DataError: the corpus cannot be used; what was committed stays.
    """
    found = open_corpus(corpus, options)
    if prune and not found.is_folder:
        raise ConfigError("--prune: give the folder whose files are gone, not a file")
    names: set[str] = set()
    intake = Intake()
    for intake in take_in(store, _named(found, names), generation, commit):
        yield IndexProgress("reading", intake.passages)
    with store.transaction():
        questions = QuestionStore(store)
        questions.create()
        if found.questions is not None:
            try:
                questions.put(found.folder, found.questions, generation)
            except DataError as error:
                intake = intake._replace(left_out=str(error))
        if prune:
            kept = () if found.questions is None else (found.questions.name,)
            questions.drop_missing(found.folder, kept, generation)
            removed = store.drop_missing(found.folder, names, generation)
            intake = intake._replace(removed=removed)
    return intake


def _named(corpus: IndexCorpus, names: set[str]) -> Iterator[SourceDocument]:
    """The documents of `corpus`; their names go into `names`."""
    for document in corpus.documents:
        names.add(stored(document.name))
        yield document


def take_in(
    store: TextStore, sources: Iterator[SourceDocument], generation: int, commit: int
) -> Iterator[Intake]:
    """Read `sources` into `store` as of `generation`; yields the count after each commit.

    After a kill, a second call with the same sources goes on behind the last commit.

    Raises:
        DataError: a source cannot be read; what was committed stays.
    """
    total = Intake()
    source: SourceDocument | None = next(sources, None)
    document: Document | None = None
    rest: Iterator[IndexedPassage] = iter(())
    while source is not None:
        room = commit
        with store.transaction():
            while source is not None and room > 0:
                if document is None:
                    document, total = _opened(store, source, generation, total)
                    if document is not None:
                        rest = islice(source.passages, document.passages, None)
                        total = total._replace(passages=total.passages + document.passages)
                if document is not None:
                    part = list(islice(rest, room))
                    document = store.add_passages(document, part)
                    total = total._replace(passages=total.passages + len(part))
                    room -= len(part)
                    if not room:
                        break  # the document may go on
                    store.complete(document)
                document = None
                room -= 1  # so that a million unchanged documents are many transactions
                source = next(sources, None)
        yield total


def _opened(
    store: TextStore, source: SourceDocument, generation: int, total: Intake
) -> tuple[Document | None, Intake]:
    """The document that takes the passages of `source`; None if all are there."""
    known = store.document_named(source.folder, source.name)
    if known is not None and known.is_complete and known.digest == source.digest:
        return None, total._replace(unchanged=total.unchanged + 1)
    total = total._replace(added=total.added + 1)
    if known is not None and not known.is_complete:
        if known.digest == source.digest:
            return known, total
        store.drop_from(known.first, generation)  # it changed after the kill
        known = store.document_named(source.folder, source.name)
    if known is not None and not known.is_gone:
        store.replace_older(known, generation)
        total = total._replace(replaced=total.replaced + 1)
    return store.add_document(source.folder, source.name, source.digest, generation), total
