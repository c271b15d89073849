"""`nexus search`: finds the texts of a corpus nearest to a query, by tuned and base model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_engine.errors import DataError
from nexus_tui.cli.commands.index_search import search_in_index
from nexus_tui.cli.commands.query_options import (
    ByOption,
    ColumnsOption,
    PrecisionOption,
    SkipBadOption,
)
from nexus_tui.terminal.failures import UsageError
from nexus_tui.terminal.typed_text import typed_text

if TYPE_CHECKING:
    from nexus_engine.scoring.searching import Match, SearchResult

__all__ = ["search"]

SOURCE_WIDTH = 24
"""Cells for the name of a document."""


def search(
    model: Annotated[
        str,
        typer.Argument(
            help="A run, latest, a folder with a model, or base; not needed with --index.",
            metavar="MODEL",
        ),
    ],
    query: Annotated[
        str | None,
        typer.Argument(
            help="A sentence or words to look for.", metavar="QUERY", show_default=False
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus",
            help="A text file with a sentence a line, a file or folder of questions with passages, "
            "a folder of documents, or demo-search.",
            metavar="CORPUS",
        ),
    ] = None,
    index_folder: Annotated[
        Path | None,
        typer.Option("--index", help="An index, in place of --corpus.", metavar="INDEX"),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", "-k", help="Number of matches to show.", min=1, max=10_000)
    ] = 10,
    hybrid: Annotated[
        bool | None,
        typer.Option(
            "--hybrid/--no-hybrid",
            help="Rank in an index by words too, or by vectors alone. Default: as the index says.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="Only files of the index whose name fits.", metavar="GLOB"),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--folder", help="Only files of the index in this folder.", metavar="NAME"),
    ] = None,
    by: ByOption = "passage",
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    precision: PrecisionOption = "fp32",
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each match on stdout.")
    ] = False,
) -> None:
    """Find what is nearest to QUERY in a corpus, by the tuned model and by its base.

    Equal texts count as one, at the first of their lines or passages. `moved` is the number of
    ranks by which training moved a text up (+) or down (-). If QUERY is a question of the corpus,
    its known answers are marked with *, and those that rank lower follow the others. A file or
    pipe gets the table as TSV with a header; there a text that begins with = + - @ gets a leading
    apostrophe, so that no spreadsheet takes it for a formula. --json leaves texts as they are. Put
    -- before a query that begins with -.

    With --index, QUERY stands alone, and the model of the index ranks: see nexus index.
    """
    if index_folder is not None:
        if corpus is not None or columns is not None or skip_bad or by != "passage":
            raise UsageError("search: --corpus, --columns, --skip-bad and --by are not for --index")
        search_in_index(
            index_folder,
            model if query is None else query,
            None if query is None else model,
            top,
            hybrid=hybrid,
            file=file,
            folder=folder,
            json=json,
        )
        return
    if query is None:
        raise UsageError("QUERY is missing; give a sentence or words to look for")
    if corpus is None:
        raise UsageError(
            "--corpus is missing; give a text file with a sentence a line, a file or folder of "
            "questions with passages, a folder of documents, or demo-search; or give --index INDEX"
        )
    if hybrid is not None or file is not None or folder is not None:
        raise UsageError("search: --hybrid, --file and --folder are for --index")
    query_text = typed_text(query, "the query")
    if not query_text.strip():
        raise DataError("the query is empty; give a sentence or words")
    from nexus_tui.terminal import streams
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.question_data import read_requested
    from nexus_tui.work.uses import record_use

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.cut_texts import cut_note
        from nexus_engine.scoring.querying import Querier
        from nexus_engine.scoring.searching import SearchIndex
        from nexus_engine.scoring.searching import search as search_index

        loaded = load_model(model, bf16=precision == "bf16")
        choice = choose_data([model], corpus, None)
        texts = read_requested(
            choice, loaded.tokenizer.max_tokens, columns=columns, skip_bad=skip_bad
        )
        if by == "document" and texts.documents is None:
            raise DataError(
                f"{texts.label}: holds no documents; --by document is for a folder of .txt and .md"
            )
        index = SearchIndex(texts)
        record_use([model], "search", texts.sentences)
        models = Querier().adopt(loaded)
        progress.begin("embedding", index.missing(models))
        result = search_index(
            models, index, query_text, top, progress.advance, by_document=by == "document"
        )
    if result.query_cut:
        streams.note(f"the query: {cut_note(1, 1, result.max_tokens)}")
    kind = "sentences" if texts.unit == "line" else "passages"
    streams.note(cut_note(result.cut, result.sentences, result.max_tokens, texts=kind))
    if json:
        _print_json(result, texts.unit)
    elif streams.is_live(sys.stdout):
        _print_table(result, texts.unit)
    else:
        _print_tsv(result, texts.unit)


def _nearest(result: SearchResult) -> list[Match]:
    """The matches by the tuned model where there is one, else by the base model.

    Known answers that are not among them follow.
    """
    matches = result.by_tuned or result.by_base
    ranks = {match.rank for match in matches}
    return [*matches, *(known for known in result.answers if known.rank not in ranks)]


def _moved(match: Match) -> str:
    return "" if match.rise is None else f"{match.rise:+d}" if match.rise else "0"


def _print_json(result: SearchResult, unit: str) -> None:
    from nexus_tui.terminal import streams

    for match in _nearest(result):
        facts = {
            "rank": match.rank,
            unit: match.line,
            "times": match.times,
            "sentence": match.sentence,
            "base": match.base,
            "tuned": match.tuned,
            "base_rank": match.base_rank,
            "rank_change": match.rise,
        }
        if unit == "passage":
            facts |= {
                "source": match.source,
                "heading": match.heading,
                "is_answer": match.is_answer,
            }
        streams.put_json(facts)


def _print_table(result: SearchResult, unit: str) -> None:
    """The matches, with their document where one is known.

    A `*` after the rank marks a known answer.
    """
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, shown
    from nexus_tui.words.render import table

    matches = _nearest(result)
    is_tuned = bool(result.by_tuned)
    has_sources = any(match.source for match in matches)
    header = ["rank", "base", *(["tuned", "moved"] if is_tuned else []), unit]
    numeric = [True] * len(header)
    room = max(8, streams.width(sys.stdout) - 43 - (SOURCE_WIDTH + 2) * has_sources)
    rows = []
    for match in matches:
        rank = f"{match.rank}{'*' if match.is_answer else ' ' if result.answers else ''}"
        tuned = [correlation(match.tuned), _moved(match)] if is_tuned else []
        source = [shown(match.source, SOURCE_WIDTH)] if has_sources else []
        texts = [*source, shown(match.sentence, room)]
        rows.append((rank, correlation(match.base), *tuned, str(match.line), *texts))
    header += ["document"] * has_sources + ["sentence"]
    numeric += [False] * (len(header) - len(numeric))
    streams.put(*table(tuple(header), rows, tuple(numeric)))


def _print_tsv(result: SearchResult, unit: str) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import cell

    more = ("answer", "document", "heading") if unit == "passage" else ()
    lines = ["\t".join(("rank", "base", "tuned", "moved", unit, *more, "sentence"))]
    for match in _nearest(result):
        tuned = "" if match.tuned is None else f"{match.tuned:.6f}"
        moved = "" if match.rise is None else str(match.rise)
        base = "" if match.base is None else f"{match.base:.6f}"
        cells = [str(match.rank), base, tuned, moved, str(match.line)]
        if more:
            answer = "yes" if match.is_answer else "no" if result.question is not None else ""
            cells += [answer, cell(match.source), cell(match.heading)]
        lines.append("\t".join((*cells, cell(match.sentence))))
    streams.put_lines(lines)
