"""`nexus similarity`: scores pairs of sentences by the tuned model and its base."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_engine.errors import DataError
from nexus_tui.cli.commands.query_options import PrecisionOption
from nexus_tui.terminal.failures import UsageError
from nexus_tui.terminal.typed_text import typed_text

if TYPE_CHECKING:
    from nexus_engine.data import Pairs
    from nexus_engine.runs.saved_model import LoadedModel
    from nexus_engine.scoring.similarity import SideBySide

__all__ = ["similarity"]

Row = tuple[str, str, float, float | None]
"""Two sentences, their cosine by the base model and, where there is one, by the tuned model."""


def similarity(
    model: Annotated[
        str, typer.Argument(help="A run, latest, a folder with a model, or base.", metavar="MODEL")
    ],
    sentences: Annotated[
        list[str] | None,
        typer.Argument(help="Two sentences, or - for pairs on stdin.", metavar="S1 S2"),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="File of pairs to score, or - for stdin.", metavar="PAIRS"),
    ] = None,
    precision: PrecisionOption = "fp32",
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each pair on stdout.")
    ] = False,
) -> None:
    """Compute the cosine similarity of pairs by the tuned model and its base, and the difference.

    A terminal shows the pairs of a file as a table; a file or pipe gets them as TSV with a header.
    In TSV a sentence that begins with = + - @ gets a leading apostrophe, so that no spreadsheet
    takes it for a formula. --json leaves sentences as they are. Put -- before sentences that begin
    with -.
    """
    typed = sentences or []
    if typed == ["-"]:
        if file is not None:
            raise UsageError("give either --file or - for stdin, not both")
        file, typed = "-", []
    if file is None:
        typed = _checked_pair(typed)
    elif typed:
        raise UsageError("give either two sentences or --file, not both")
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_use

    if file == "-" and sys.stdin.isatty():
        streams.say("reading pairs from the terminal; end with Ctrl-D")
    with streams.Counting() as progress:
        from nexus_engine.data import load_unscored
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.similarity import distinct_sentences, score_pairs

        pairs = _one_pair(typed) if file is None else load_unscored(file)
        loaded = load_model(model, bf16=precision == "bf16")
        record_use([model], "similarity", pairs, typed=file is None)
        sides = 1 if loaded.card is None else 2
        total = sides * distinct_sentences(pairs)
        progress.begin("embedding", total)
        cosines = score_pairs(loaded, pairs, progress.advance)
    streams.note(*cosines.notes)
    rows = _rows(loaded, pairs, cosines)
    if file is None:
        rows = ((typed[0], typed[1], base, tuned) for _, _, base, tuned in rows)
    if json:
        _print_json(rows)
    elif file is None:
        _print_bars(rows)
    elif streams.is_live(sys.stdout):
        _print_table(rows)
    else:
        _print_tsv(rows)


def _checked_pair(arguments: list[str]) -> list[str]:
    """The two sentences of the command line.

    Raises:
        UsageError: there are not two of them.
        DataError: one is empty or not UTF-8.
    """
    if len(arguments) != 2:
        count = "no sentences" if not arguments else f"{len(arguments)} sentence(s)"
        raise UsageError(
            f"{count} given: give two, each in quotes, or --file PAIRS, or - for pairs on stdin"
        )
    pair = [typed_text(text, f"sentence {place}") for place, text in enumerate(arguments, start=1)]
    for place, sentence in enumerate(pair, start=1):
        if not sentence.strip():
            raise DataError(f"sentence {place} is empty; give two sentences")
    return pair


def _one_pair(sentences: list[str]) -> Pairs:
    """Two sentences as a table of one pair."""
    from nexus_engine.data import Pairs, arrow_strings

    return Pairs(arrow_strings(sentences[:1]), arrow_strings(sentences[1:]), None)


def _rows(loaded: LoadedModel, pairs: Pairs, cosines: SideBySide) -> Iterator[Row]:
    place = 0
    for firsts, seconds in pairs.batches():
        for first, second in zip(firsts, seconds, strict=True):
            tuned = None if loaded.card is None else float(cosines.tuned[place])
            yield first, second, float(cosines.base[place]), tuned
            place += 1


def _difference(base: float, tuned: float | None) -> float | None:
    return None if tuned is None else tuned - base


def _print_json(rows: Iterator[Row]) -> None:
    from nexus_tui.terminal import streams

    for first, second, base, tuned in rows:
        streams.put_json(
            {
                "sentence1": first,
                "sentence2": second,
                "base": base,
                "tuned": tuned,
                "difference": _difference(base, tuned),
            }
        )


def _print_bars(rows: Iterator[Row]) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.render import side_by_side

    for first, second, base, tuned in rows:
        streams.put(*side_by_side(first, second, base, tuned, streams.width(sys.stdout)))


def _print_table(rows: Iterator[Row]) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, gain, shown

    columns = streams.width(sys.stdout)
    streams.put(f"{'base':>7}  {'tuned':>7}  {'diff':>7}  sentences")
    sentence_width = max(4, (columns - 30) // 2)
    for first, second, base, tuned in rows:
        figures = f"{correlation(base):>7}  {correlation(tuned):>7}  "
        figures += f"{gain(_difference(base, tuned)):>7}"
        streams.put(f"{figures}  {shown(first, sentence_width)} | {shown(second, sentence_width)}")


def _print_tsv(rows: Iterator[Row]) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import cell

    def lines() -> Iterator[str]:
        yield "base\ttuned\tdifference\tsentence1\tsentence2"
        for first, second, base, tuned in rows:
            after = "" if tuned is None else f"{tuned:.6f}"
            difference = "" if tuned is None else f"{tuned - base:.6f}"
            yield f"{base:.6f}\t{after}\t{difference}\t{cell(first)}\t{cell(second)}"

    streams.put_lines(lines())
