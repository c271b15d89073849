"""`nexus search`: finds the sentences of a file nearest to a query, by tuned and base model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_engine.errors import DataError
from nexus_tui.cli.commands.query_options import PrecisionOption
from nexus_tui.terminal.typed_text import typed_text

if TYPE_CHECKING:
    from nexus_engine.scoring.searching import Match, SearchResult

__all__ = ["search"]


def search(
    model: Annotated[
        str, typer.Argument(help="A run, latest, a folder with a model, or base.", metavar="MODEL")
    ],
    query: Annotated[str, typer.Argument(help="A sentence or words to look for.", metavar="QUERY")],
    corpus: Annotated[
        str,
        typer.Option("--corpus", help="A text file with one sentence a line.", metavar="FILE"),
    ],
    top: Annotated[
        int, typer.Option("--top", help="Number of sentences to show.", min=1, max=10_000)
    ] = 10,
    precision: PrecisionOption = "fp32",
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each sentence on stdout.")
    ] = False,
) -> None:
    """Find the sentences of a file that are nearest to QUERY, by the tuned model and by its base.

    Equal sentences count as one, at the first of their lines. `moved` is the number of ranks by
    which training moved a sentence up (+) or down (-). A file or pipe gets the table as TSV with a
    header; there a sentence that begins with = + - @ gets a leading apostrophe, so that no
    spreadsheet takes it for a formula. --json leaves sentences as they are. Put -- before a query
    that begins with -.
    """
    query_text = typed_text(query, "the query")
    if not query_text.strip():
        raise DataError("the query is empty; give a sentence or words")
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_use

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.cut_texts import cut_note
        from nexus_engine.scoring.querying import Querier
        from nexus_engine.scoring.searching import SearchIndex, read_sentences
        from nexus_engine.scoring.searching import search as search_index

        contents = read_sentences(Path(corpus))
        index = SearchIndex(contents)
        record_use([model], "search", contents.sentences)
        models = Querier().adopt(load_model(model, bf16=precision == "bf16"))
        progress.begin("embedding", index.missing(models))
        result = search_index(models, index, query_text, top, progress.advance)
    if result.query_cut:
        streams.note(f"the query: {cut_note(1, 1)}")
    streams.note(cut_note(result.cut, result.sentences))
    if json:
        _print_json(result)
    elif streams.is_live(sys.stdout):
        _print_table(result)
    else:
        _print_tsv(result)


def _nearest(result: SearchResult) -> list[Match]:
    """The matches by the tuned model where there is one, else by the base model."""
    return result.by_tuned or result.by_base


def _moved(match: Match) -> str:
    return "" if match.rise is None else f"{match.rise:+d}" if match.rise else "0"


def _print_json(result: SearchResult) -> None:
    from nexus_tui.terminal import streams

    for rank, match in enumerate(_nearest(result), start=1):
        streams.put_json(
            {
                "rank": rank,
                "line": match.line,
                "times": match.times,
                "sentence": match.sentence,
                "base": match.base,
                "tuned": match.tuned,
                "base_rank": match.base_rank,
                "rank_change": match.rise,
            }
        )


def _print_table(result: SearchResult) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, shown
    from nexus_tui.words.render import table

    matches = _nearest(result)
    sentence_width = max(8, streams.width(sys.stdout) - 42)
    if not result.by_tuned:
        base_rows = [
            (str(rank), correlation(m.base), str(m.line), shown(m.sentence, sentence_width))
            for rank, m in enumerate(matches, start=1)
        ]
        base_header = ("rank", "base", "line", "sentence")
        streams.put(*table(base_header, base_rows, (True, True, True, False)))
        return
    rows = [
        (
            str(rank),
            correlation(m.base),
            correlation(m.tuned),
            _moved(m),
            str(m.line),
            shown(m.sentence, sentence_width),
        )
        for rank, m in enumerate(matches, start=1)
    ]
    header = ("rank", "base", "tuned", "moved", "line", "sentence")
    streams.put(*table(header, rows, (True, True, True, True, True, False)))


def _print_tsv(result: SearchResult) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import cell

    lines = ["rank\tbase\ttuned\tmoved\tline\tsentence"]
    for rank, match in enumerate(_nearest(result), start=1):
        tuned = "" if match.tuned is None else f"{match.tuned:.6f}"
        moved = "" if match.rise is None else str(match.rise)
        lines.append(
            f"{rank}\t{match.base:.6f}\t{tuned}\t{moved}\t{match.line}\t{cell(match.sentence)}"
        )
    streams.put_lines(lines)
