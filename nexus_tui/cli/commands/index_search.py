"""`nexus search --index`: finds the passages of an index nearest to a query."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import DataError, one_line
from nexus_tui.terminal.typed_text import typed_text

if TYPE_CHECKING:
    from nexus_engine.indexing.index_card import IndexCard
    from nexus_engine.indexing.searching import Hit

__all__ = ["search_in_index"]

SOURCE_WIDTH = 24
"""Cells for the name of a file."""


def search_in_index(
    index: Path,
    query: str,
    model: str | None,
    top: int,
    *,
    hybrid: bool | None,
    file: str | None,
    folder: str | None,
    json: bool,
) -> None:
    """Print what is nearest to `query` in the index.

    Raises:
        DataError: there is no index, it is damaged, or the query is empty.
        ModelError: `model` is given and is not that of the index.
    """
    query_text = typed_text(query, "the query")
    if not query_text.strip():
        raise DataError("the query is empty; give a sentence or words")
    from nexus_engine.indexing.filters import Filter
    from nexus_engine.indexing.index_model import embedder_of, load_copy
    from nexus_engine.indexing.searching import OpenIndex
    from nexus_engine.scoring.cut_texts import cut_note
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_index_use

    with OpenIndex(index) as opened:
        _check_model(index, opened.card, model)
        embedder = embedder_of(load_copy(index, opened.card.model))
        cut: list[int] = []
        vector = embedder.embed([query_text], cut=cut.append)[0]
        hits = opened.search(
            vector,
            query_text,
            top,
            hybrid=hybrid,
            within=Filter(file, folder),
        )
        record_index_use(opened.card.model.source, "search", len(opened))
    if any(cut):
        streams.note(f"the query: {cut_note(1, 1, embedder.max_tokens)}")
    if json:
        for rank, hit in enumerate(hits, start=1):
            streams.put_json({"rank": rank, **hit._asdict()})
    elif streams.is_live(sys.stdout):
        _print_table(hits)
    else:
        _print_tsv(hits)


def _check_model(index: Path, card: IndexCard, model: str | None) -> None:
    """Refuse a model that did not make the index's vectors; note a newer one of its run."""
    from nexus_engine.indexing.index_model import (
        latest_identity,
        named_identity,
        not_its_model,
        refresh_command,
    )
    from nexus_tui.terminal import streams

    if model is not None:
        if named_identity(model).fingerprint != card.model.fingerprint:
            raise not_its_model(index, model)
        return
    latest = latest_identity(card.model.source)
    if latest is not None and latest.fingerprint != card.model.fingerprint:
        command = refresh_command(index)
        streams.note(f"the run has a newer model than the index; {one_line(command, 300)}")


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _print_table(hits: list[Hit]) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, shown
    from nexus_tui.words.render import table

    room = max(8, streams.width(sys.stdout) - 43 - SOURCE_WIDTH - 2)
    rows = [
        (
            str(rank),
            correlation(hit.cosine),
            _rank(hit.vector_rank),
            _rank(hit.word_rank),
            str(hit.start),
            shown(hit.file, SOURCE_WIDTH),
            shown(hit.text, room),
        )
        for rank, hit in enumerate(hits, start=1)
    ]
    header = ("rank", "cosine", "vector", "words", "start", "file", "passage")
    streams.put(*table(header, rows, (True, True, True, True, True, False, False)))


def _print_tsv(hits: list[Hit]) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import cell

    header = ("rank", "cosine", "vector", "words", "start", "file", "folder", "heading", "passage")
    lines = ["\t".join(header)]
    for rank, hit in enumerate(hits, start=1):
        ranks = ("" if each is None else str(each) for each in (hit.vector_rank, hit.word_rank))
        names = (cell(hit.file), cell(hit.folder), cell(hit.heading), cell(hit.text))
        lines.append("\t".join((str(rank), f"{hit.cosine:.6f}", *ranks, str(hit.start), *names)))
    streams.put_lines(lines)
