"""`nexus data`: says what data holds, without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_tui.cli.commands.query_options import (
    ColumnsOption,
    ScoreRangeOption,
    SkipBadOption,
    TaskOption,
)

if TYPE_CHECKING:
    from rich.text import Text

    from nexus_engine.scoring.inspection import Inspection
    from nexus_tui.terminal.streams import Counting
    from nexus_tui.work.question_data import DataRequest

__all__ = ["data"]


def data(
    spec: Annotated[
        str,
        typer.Argument(
            help="A file or folder of pairs, questions or documents, or demo, demo-search, stsb.",
            metavar="SPEC",
        ),
    ],
    task: TaskOption = "auto",
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    score_range: ScoreRangeOption = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the split of a single file.", min=0)
    ] = 1,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            help="Tokens that the model reads; by default as in training.",
            min=32,
            max=512,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Base model whose tokens are counted: a name of `nexus models`, or a folder.",
            metavar="NAME|DIR",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Say what training would read: rows, lengths, duplicates and leaks. Nothing is trained.

    Lengths are in the model's tokens, its start and end tokens included. A leak is a text that
    stands in two splits.
    """
    from nexus_engine.config import TrainConfig
    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_tui.terminal import streams
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.question_data import data_request

    choice = choose_data([], spec, score_range)._replace(seed=seed, base=base)
    with streams.Counting() as progress:
        request = data_request(choice, task, columns, skip_bad=skip_bad)
        if max_length is None:
            max_length = resolve_for_base(TrainConfig(task=request.task, base=base)).max_length
        inspection = _inspect(request, max_length, progress)
    if json:
        streams.put_json(_as_json(spec, request.task, max_length, inspection))
        return
    streams.put(*_as_lines(max_length, inspection))
    for doubt in inspection.doubts:
        streams.say(_warning(doubt))


def _inspect(request: DataRequest, max_length: int, progress: Counting) -> Inspection:
    from nexus_engine.data import load_data
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.model.plain_tokenizer import plain_tokenizer
    from nexus_engine.scoring.inspection import (
        inspect_pairs,
        inspect_questions,
        texts_to_measure,
    )
    from nexus_tui.work.question_data import load_requested

    tokenizer = plain_tokenizer(find_base_model(request.choice.base).folder)
    if request.task == "retrieval":
        questions = load_requested(request, max_length, tokenizer)
        progress.begin("counting tokens", texts_to_measure(questions))
        return inspect_questions(questions, tokenizer, max_length, progress.advance)
    choice = request.choice
    pairs = load_data(
        choice.spec,
        seed=choice.seed,
        score_range=choice.score_range,
        columns=request.columns,
        skip_bad=request.skip_bad,
    )
    progress.begin("counting tokens", texts_to_measure(pairs))
    return inspect_pairs(pairs, tokenizer, max_length, progress.advance)


def _as_json(spec: str, task: str, max_length: int, inspection: Inspection) -> dict[str, object]:
    return {
        "data": spec,
        "task": task,
        "summary": inspection.summary,
        "notes": list(inspection.notes),
        "doubts": list(inspection.doubts),
        "splits": {_key(name): _keyed(counts) for name, counts in inspection.splits.items()},
        "max_length": max_length,
        "tokens": {
            name: {**lengths._asdict(), "share_cut": lengths.share_cut}
            for name, lengths in inspection.lengths.items()
        },
        "checks": _keyed(inspection.checks),
        "leaks": [leak._asdict() for leak in inspection.leaks],
        "score_range": inspection.score_range,
        "score_histogram": inspection.histogram,
    }


def _key(words: str) -> str:
    return words.replace(",", "").replace(" ", "_")


def _keyed(counts: Mapping[str, int]) -> dict[str, int]:
    return {_key(name): value for name, value in counts.items()}


def _as_lines(max_length: int, inspection: Inspection) -> list[Text]:
    """The inspection as tables of at most 80 columns, below its summary."""
    from rich.text import Text

    from nexus_tui.words.formats import count
    from nexus_tui.words.render import table

    lines = [Text(inspection.summary, style="bold"), Text()]
    names = list(next(iter(inspection.splits.values())))
    rows = [
        (name, *(count(counts[each]) for each in names))
        for name, counts in inspection.splits.items()
    ]
    lines += table(("split", *names), rows, (False, *(True for _ in names)))
    lines.append(Text())
    rows = [
        (
            name,
            count(each.texts),
            f"{each.median:.0f}",
            f"{each.percentile_95:.0f}",
            count(each.longest),
            count(each.cut),
            f"{each.share_cut:.1%}",
        )
        for name, each in inspection.lengths.items()
    ]
    header = ("tokens", "texts", "median", "95 %", "longest", f"over {max_length}", "share")
    lines += table(header, rows, (False, *(True for _ in header[1:])))
    lines.append(Text())
    if inspection.histogram is not None and inspection.score_range is not None:
        lines += [*_histogram(inspection.histogram, inspection.score_range), Text()]
    rows = [(name, count(value)) for name, value in inspection.checks.items()]
    lines += table(("check", "count"), rows, (False, True))
    lines.append(Text())
    lines += _leak_lines(inspection)
    return lines + [Text(f"note: {note}") for note in inspection.notes]


def _leak_lines(inspection: Inspection) -> list[Text]:
    from rich.text import Text

    from nexus_tui.words.formats import count

    if not inspection.leaks:
        return [Text("leaks between splits: none")]
    return [
        Text(
            f"leak: {leak.split} has {count(leak.texts)} {leak.kind}{'s' * (leak.texts > 1)} "
            f"that {leak.other} has too",
            style="yellow",
        )
        for leak in inspection.leaks
    ]


def _histogram(
    histogram: Mapping[str, tuple[int, ...]], score_range: tuple[float, float]
) -> list[Text]:
    """The pairs in each tenth of the range of scores, by split."""
    from nexus_tui.words.formats import count
    from nexus_tui.words.render import bar, table

    low, high = score_range
    bins = len(next(iter(histogram.values())))
    total = [sum(counts[place] for counts in histogram.values()) for place in range(bins)]
    rows = [
        (
            f"{low + (high - low) * place / bins:g}..{low + (high - low) * (place + 1) / bins:g}",
            *(count(counts[place]) for counts in histogram.values()),
            bar(total[place] / max(total)),
        )
        for place in range(bins)
    ]
    header = ("scores", *histogram, "")
    return table(header, rows, (False, *(True for _ in histogram), False))


def _warning(line: str) -> Text:
    from rich.text import Text

    return Text(f"warning: {line}", style="yellow")
