"""`nexus index`: builds an index on disk, adds to it, shows, refreshes and judges it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nexus_tui.cli.commands.query_options import (
    ColumnsOption,
    DeviceOption,
    PrecisionOption,
    SkipBadOption,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_engine.indexing.embedding import IndexProgress
    from nexus_engine.indexing.intake import Intake
    from nexus_engine.indexing.status import IndexStatus

__all__ = ["app"]

app = typer.Typer(
    help="Build, refresh, show and judge an index on disk for `nexus search --index`.",
    no_args_is_help=True,
    add_completion=False,
)

IndexArgument = Annotated[
    Path, typer.Argument(help="The folder of an index.", metavar="INDEX", show_default=False)
]
CorpusArgument = Annotated[
    str,
    typer.Argument(
        help="A folder of documents, a text file with a passage a line, BEIR's corpus.jsonl, "
        "questions with passages, or demo-search.",
        metavar="CORPUS",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object on stdout.")]


@app.command("build")
def build_command(
    corpus: CorpusArgument,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A run, latest, a folder with a model, or base.", metavar="RUN"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The new folder.", metavar="INDEX")],
    dims: Annotated[
        int | None,
        typer.Option(
            "--dims", help="Numbers of a vector, its first. Default: 48.", min=1, max=4096
        ),
    ] = None,
    dtype: Annotated[
        Literal["int8", "f32", "f16", "binary"],
        typer.Option("--dtype", help="How a number is stored; binary is a bit for its sign."),
    ] = "int8",
    with_base: Annotated[
        bool,
        typer.Option(
            "--with-base", help="Store vectors by the base model too, to compare in the app."
        ),
    ] = False,
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    precision: PrecisionOption = "fp32",
    device: DeviceOption = "cpu",
    json: Json = False,
) -> None:
    """Build an index of CORPUS by the model of a run.

    After a kill the same command goes on where it was. The index keeps the texts, the questions
    whose answers CORPUS knows, and a copy of the trained weights.
    """
    from nexus_engine.indexing.building import build
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.uses import record_index_use

    read = _follow(
        build(
            corpus,
            model,
            out,
            dims=dims,
            dtype=dtype,
            bf16=precision == "bf16",
            device=device,
            columns=_columns(columns),
            skip_bad=skip_bad,
            seed=choose_data([model], corpus, None).seed,
            with_base=with_base,
        )
    )
    _tell_left_out(read)
    status = _status(out)
    record_index_use(model, "index", status.live_passages)
    _print(out, status, json=json)


@app.command("add")
def add_command(
    index: IndexArgument,
    corpus: CorpusArgument,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Drop the files that the folder CORPUS no longer holds."),
    ] = False,
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    precision: PrecisionOption = "fp32",
    device: DeviceOption = "cpu",
    json: Json = False,
) -> None:
    """Add CORPUS to an index, by the model of the index.

    Files that the index holds already are left; files that changed are replaced.
    """
    from nexus_engine.indexing.building import add
    from nexus_engine.indexing.index_card import read_card
    from nexus_tui.terminal import streams
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.uses import record_index_use

    read = _follow(
        add(
            index,
            corpus,
            bf16=precision == "bf16",
            device=device,
            prune=prune,
            columns=_columns(columns),
            skip_bad=skip_bad,
            seed=choose_data([read_card(index).model.source], corpus, None).seed,
        )
    )
    _tell_left_out(read)
    status = _status(index)
    if read is not None:
        record_index_use(status.card.model.source, "index", read.passages)
        new = read.added - read.replaced
        removed = f"{read.removed:,} removed, " if prune else ""
        streams.say(
            f"{new:,} new files, {read.replaced:,} replaced, {removed}{read.unchanged:,} unchanged"
        )
    _print(index, status, json=json)


@app.command("refresh")
def refresh_command(
    index: IndexArgument,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A run, latest, a folder with a model, or base. Default: the run of the index.",
            metavar="RUN",
        ),
    ] = None,
    with_base: Annotated[
        bool | None,
        typer.Option(
            "--with-base/--without-base",
            help="Store vectors by the base model too, or drop them. Default: as the index has it.",
            show_default=False,
        ),
    ] = None,
    precision: PrecisionOption = "fp32",
    device: DeviceOption = "cpu",
    json: Json = False,
) -> None:
    """Embed the passages of an index by another model, or by what its run's model is now.

    The old vectors answer until the new ones are complete. After a kill the same command goes on.
    """
    from nexus_engine.indexing.index_model import read_index
    from nexus_engine.indexing.refreshing import refresh
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_index_use

    before = read_index(index)
    _follow(refresh(index, model, bf16=precision == "bf16", device=device, with_base=with_base))
    status = _status(index)
    if status.card == before:
        streams.say("the index is by this model already")
    else:
        record_index_use(status.card.model.source, "index", status.live_passages)
    _print(index, status, json=json)


@app.command("status")
def status_command(
    index: IndexArgument,
    files: Annotated[bool, typer.Option("--files", help="List the files of the index.")] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Measure how far vectors move with a refresh, on 256 passages."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Say what an index holds, whether its model is its run's latest, and what a refresh costs."""
    from nexus_engine.indexing.status import cosine_to_latest

    status = _status(index)
    moved = None
    if measure and status.is_latest is False:
        moved = cosine_to_latest(index, status)
    _print(index, status, json=json, files=files, to_latest=moved)


@app.command("eval")
def eval_command(
    index: IndexArgument,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Questions whose answers the index holds. Default: the data of the index's run.",
            metavar="SPEC",
        ),
    ] = None,
    split: Annotated[
        Literal["test", "dev", "train"], typer.Option("--split", help="The part of the data.")
    ] = "test",
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Let searches of the index rank by the better of both.")
    ] = False,
    json: Json = False,
) -> None:
    """Judge an index on questions: nDCG@10 of its search by vectors alone, and by words too."""
    from nexus_tui.cli.commands.index_eval import evaluate_index

    evaluate_index(index, data, split, columns, skip_bad=skip_bad, keep=keep, json=json)


def _status(index: Path) -> IndexStatus:
    from nexus_engine.indexing.status import index_status

    return index_status(index)


def _tell_left_out(read: Intake | None) -> None:
    from nexus_tui.terminal import streams

    if read is not None and read.left_out:
        streams.note(f"its questions are left out: {read.left_out}")


def _columns(columns: str | None) -> dict[str, str] | None:
    if columns is None:
        return None
    from nexus_engine.data.questions.fields import columns_option

    return columns_option(columns)


def _follow(work: Iterator[IndexProgress | Intake]) -> Intake | None:
    """Show the progress of `work`; what it read, if it says so."""
    from nexus_engine.indexing.intake import Intake
    from nexus_tui.terminal import streams

    read = None
    stage, done = "", 0
    with streams.Counting() as bar:
        for state in work:
            if isinstance(state, Intake):
                read = state
                continue
            if state.stage != stage:
                stage, done = state.stage, 0
                bar.begin(stage, state.total or 1)
            if state.total is not None:
                bar.advance(state.done - done)
                done = state.done
    return read


def _print(
    index: Path,
    status: IndexStatus,
    *,
    json: bool,
    files: bool = False,
    to_latest: float | None = None,
) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown

    if json:
        streams.put_json(_facts(index, status, files=files, to_latest=to_latest))
        return
    streams.put(*_lines(index, status, to_latest))
    if files:
        streams.put_lines(
            f"{each.passages:>9,}  {shown(each.name, 200)}" for each in status.documents
        )


def _lines(index: Path, status: IndexStatus, to_latest: float | None) -> Iterator[str]:
    from nexus_engine.errors import one_line
    from nexus_tui.words.formats import correlation, duration, size

    card = status.card
    count = len(status.documents)
    files = f"{count:,} file" + "s" * (count != 1)
    yield f"{one_line(index, 200)}: {status.live_passages:,} passages of {files}"
    yield f"vectors  {card.dims} numbers as {card.dtype}, {size(status.vector_bytes)}"
    if card.base is not None:
        yield "base     vectors by the base model too, to compare in the app"
    if not card.hybrid:
        yield "ranks    by vectors alone, as nexus index eval --keep found"
    if status.questions:
        yield f"known    {status.questions:,} questions with their answers"
    beside = size(max(0, status.bytes_beside_text))
    yield f"size     {size(status.text_bytes)} of text, {beside} beside it"
    yield f"model    {one_line(card.model.source, 200)}{_latest_words(status)}"
    if card.cosine_to_base is not None:
        moved = correlation(card.cosine_to_base)
        yield f"moved    mean cosine {moved} between a passage's vector by the base and this model"
    if to_latest is not None:
        yield f"         mean cosine {correlation(to_latest)} between this model and the latest"
    if status.refresh_seconds is not None:
        speed = f"{card.texts_per_second:,.0f} passages/s when the vectors were made"
        yield f"refresh  {duration(status.refresh_seconds)} ({speed})"
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(card.made_unix_s))
    yield f"made     {made}"
    if status.is_written:
        yield "now      another process is writing"
    if status.unfinished_add is not None and not status.is_written:
        corpus = one_line(status.unfinished_add.corpus, 200)
        yield f"note     an addition of {corpus} is unfinished; give the same command again"
    if status.unfinished_refresh is not None and not status.is_written:
        rows = status.unfinished_refresh.rows
        yield f"note     a refresh stands at {rows:,} passages; give the same command again"


def _latest_words(status: IndexStatus) -> str:
    if status.card.model.folder is None:
        return ""
    if status.is_latest is None:
        return ", which is gone; the index answers by its own copy"
    return ", its latest" if status.is_latest else ", which has a newer model: refresh the index"


def _facts(
    index: Path, status: IndexStatus, *, files: bool, to_latest: float | None
) -> dict[str, object]:
    card = status.card
    facts: dict[str, object] = {
        "index": str(index),
        "passages": status.live_passages,
        "files": len(status.documents),
        "dims": card.dims,
        "dtype": card.dtype,
        "has_base": card.base is not None,
        "ranks_by_words": card.hybrid,
        "questions": status.questions,
        "text_bytes": status.text_bytes,
        "vector_bytes": status.vector_bytes,
        "bytes_beside_text": status.bytes_beside_text,
        "model": card.model.source,
        "base_sha256": card.model.base_sha256,
        "weights_sha256": card.model.weights_sha256,
        "is_latest": status.is_latest,
        "cosine_to_base": card.cosine_to_base,
        "cosine_to_latest": to_latest,
        "texts_per_second": card.texts_per_second,
        "refresh_seconds": status.refresh_seconds,
        "made_unix_s": card.made_unix_s,
        "is_written": status.is_written,
        "is_add_unfinished": status.unfinished_add is not None,
        "is_refresh_unfinished": status.unfinished_refresh is not None,
    }
    if files:
        facts["documents"] = [
            {"file": each.name, "folder": each.folder, "passages": each.passages}
            for each in status.documents
        ]
    return facts
