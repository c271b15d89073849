"""Documents of a corpus go into the texts of an index; what is there already is left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from nexus_engine.indexing.corpus_stream import IndexedPassage, SourceDocument
from nexus_engine.indexing.text_store import Document, TextStore

__all__ = ["Intake", "take_in"]

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
    if known is not None:
        store.replace_older(known, generation)
        total = total._replace(replaced=total.replaced + 1)
    return store.add_document(source.folder, source.name, source.digest, generation), total
