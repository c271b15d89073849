"""`nexus export`: writes a run's model in the format of other software, and checks it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import typer

from nexus_engine.errors import ConfigError
from nexus_engine.exports.options import MAX_LOSS, Format

__all__ = ["export"]


def export(
    run: Annotated[str, typer.Argument(help="A run, by name or folder, or latest.", metavar="RUN")],
    out: Annotated[
        str,
        typer.Option("--out", help="The new folder to write.", metavar="DIR", show_default=False),
    ],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="st: sentence-transformers; onnx, onnx-int8; gguf: llama.cpp, Ollama; delta: what "
            "training changed.",
        ),
    ] = "st",
    max_loss: Annotated[
        float,
        typer.Option(
            "--max-loss",
            help="What the export may lose of the deciding metric on dev.",
            min=0.0,
            max=1.0,
        ),
    ] = MAX_LOSS,
    fold: Annotated[
        Literal["exact", "approximate"],
        typer.Option(
            "--fold",
            help="approximate: replace nonlinear units by their linear fit on the train text.",
        ),
    ] = "exact",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Export the best weights of a run for other software.

    Everything is written, read back in a fresh process and compared with the run; a folder that
    does not agree is removed. No other software is needed for st and delta; onnx, onnx-int8 and
    gguf need the extra `export`.
    """
    if not math.isfinite(max_loss):
        raise ConfigError("--max-loss: give a number from 0 to 1")
    from pathlib import Path

    from nexus_tui.terminal import streams

    exported: Any = None
    with streams.Counting() as progress:
        from nexus_engine.exports.exporting import Exported
        from nexus_engine.exports.exporting import export as export_run
        from nexus_engine.runs.folder import find_run

        folder = find_run(run)
        for item in export_run(
            folder, format_, Path(out), max_loss=max_loss, approximate=fold == "approximate"
        ):
            if isinstance(item, Exported):
                exported = item
                continue
            progress.begin(item.words, 100)
            progress.advance(round(100 * item.fraction))
    streams.note(*exported.notes)
    if json:
        from nexus_tui.work.exporting import export_fields

        streams.put_json(export_fields(folder.name, exported))
        return
    from nexus_tui.words.formats import shown_path

    streams.put(shown_path(exported.path))
    size = f"{exported.size_bytes / 1e6:,.1f} MB in {len(exported.files)} files"
    streams.put(f"{size}, --format {exported.format}", *exported.checks)
