"""`nexus embed`: writes the vectors of many texts to a file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import typer

from nexus_tui.cli.commands.query_options import (
    DeviceOption,
    MaxLengthOption,
    PrecisionOption,
    SkipBadOption,
)

__all__ = ["embed"]

REDRAW_SECONDS = 0.5


def embed(
    model: Annotated[
        str, typer.Argument(help="A run, latest, a folder with a model, or base.", metavar="MODEL")
    ],
    file: Annotated[
        str,
        typer.Argument(
            help="A text file with a text a line, a file with --column, a folder of documents, "
            "or - for stdin.",
            metavar="FILE|DIR|-",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="A new file; its name ends in .npy, .parquet or .safetensors.",
            metavar="VECTORS",
        ),
    ],
    column: Annotated[
        str | None,
        typer.Option(
            "--column", help="The column of the texts in CSV, TSV, JSON lines or Parquet."
        ),
    ] = None,
    dims: Annotated[
        int | None,
        typer.Option("--dims", help="Numbers of a vector. Default: all.", min=1, max=4096),
    ] = None,
    dtype: Annotated[
        Literal["f32", "f16", "int8", "binary"],
        typer.Option("--dtype", help="How a number is stored; binary takes one bit."),
    ] = "f32",
    precision: PrecisionOption = "fp32",
    device: DeviceOption = "cpu",
    max_length: MaxLengthOption = None,
    role: Annotated[
        Literal["query", "passage"],
        typer.Option(
            "--role",
            help="What the texts are, for models with prompts: passages that are searched, or "
            "queries and texts to compare.",
        ),
    ] = "passage",
    skip_bad: SkipBadOption = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Continue what the same command left beside VECTORS, or begin anew.",
        ),
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Write the vectors of texts to a file, in the order of the texts.

    Vectors have length 1. Memory does not grow with the number of texts. After an interruption,
    give the same command again: it continues where it was, and writes the same bytes.
    """
    from nexus_engine.disk.new_folders import usable_path
    from nexus_engine.scoring.embedding_partial import check_new
    from nexus_engine.scoring.vector_files import format_of
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_questions

    target = usable_path(out)
    format_of(target, dtype, dims or 1)
    check_new(target)
    if file == "-" and sys.stdin.isatty():
        streams.say("reading texts from the terminal, one a line; end with Ctrl-D")
    with _Counted() as progress:
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.cut_texts import cut_note
        from nexus_engine.scoring.embedding_files import embed_file
        from nexus_engine.scoring.embedding_texts import EmbeddingTexts
        from nexus_engine.scoring.text_length import aligned

        [loaded] = aligned([load_model(model, bf16=precision == "bf16", device=device)], max_length)
        texts = EmbeddingTexts(
            file,
            column=column,
            skip_bad=skip_bad,
            max_tokens=loaded.tokenizer.max_tokens,
            tokenizer_folder=loaded.base.folder,
        )
        begun = time.perf_counter()
        result = embed_file(
            loaded,
            texts,
            target,
            dtype=dtype,
            dims=dims,
            fresh=not resume,
            role=role,
            progress=progress.advance,
        )
        seconds = time.perf_counter() - begun
    record_questions([model], "embed", result.rows, result.texts_sha256)
    streams.note(
        cut_note(result.cut, result.rows, loaded.tokenizer.max_tokens, texts="texts"),
        f"{result.skipped:,} rows without a usable text are left out" if result.skipped else "",
        f"{result.resumed:,} texts were embedded before" if result.resumed else "",
    )
    numbers = dims or loaded.model.encoder.shape.width
    rate = (result.rows - result.resumed) / max(seconds, 1e-9)
    if json:
        streams.put_json(
            {
                "out": str(target),
                "model": loaded.name,
                "model_fingerprint": result.fingerprint,
                "rows": result.rows,
                "dims": numbers,
                "dtype": dtype,
                "scale": result.scale,
                "size_bytes": result.size_bytes,
                "resumed_rows": result.resumed,
                "cut": result.cut,
                "skipped": result.skipped,
                "seconds": seconds,
            }
        )
        return
    from nexus_tui.words.formats import count, shown

    what = f"{count(result.rows)} texts, {numbers} numbers of {dtype} each"
    size = f"{result.size_bytes / 1e6:,.1f} MB"
    streams.put(f"{shown(str(target), 200)}: {what}, {size}, in {seconds:.1f} s ({rate:,.0f}/s)")


class _Counted:
    """How many texts are done and how fast, on one moving line on stderr, if that is a terminal."""

    def __init__(self) -> None:
        from nexus_tui.terminal import streams

        self._is_live = streams.is_live(sys.stderr)
        self._done, self._begun, self._drawn = 0, time.monotonic(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._is_live and self._drawn:
            self._write("\r\x1b[K")

    def advance(self, texts: int) -> None:
        self._done += texts
        now = time.monotonic()
        if self._is_live and now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            rate = self._done / max(now - self._begun, 1e-9)
            self._write(f"\r\x1b[Kembedding: {self._done:,} texts, {rate:,.0f} a second")

    @staticmethod
    def _write(text: str) -> None:
        from nexus_tui.terminal.standard_streams import Talk

        talk = Talk(sys.stderr)
        talk.write(text)
        talk.flush()
