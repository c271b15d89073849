"""`nexus report`: writes runs and sweeps as one HTML page and as Markdown."""

from __future__ import annotations

from typing import Annotated

import typer

from nexus_engine.system.user_paths import user_path

__all__ = ["report"]


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Runs and sweeps, by name or folder, or latest.", metavar="RUN|SWEEP..."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", help="The folder to write to.", metavar="DIR")
    ] = "nexus-report",
    tensorboard: Annotated[
        str | None,
        typer.Option(
            "--tensorboard",
            help="Also write the metrics for TensorBoard to this folder.",
            metavar="DIR",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Write report.html, a page without external files, and report.md.

    They show results with intervals, curves, switches, a sweep's grid as a heat map, parameters
    against scores, controls, the forgetting guard, settings and machine.
    """
    from nexus_engine.reports.writing import write_report
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown_path

    tensorboard_dir = None if tensorboard is None else user_path(tensorboard)
    written = write_report(runs, user_path(out), tensorboard_dir)
    if json:
        streams.put_json(
            {
                "html": str(written.html),
                "markdown": str(written.markdown),
                "runs": written.runs,
                "sweeps": written.sweeps,
                "tensorboard": None if tensorboard_dir is None else str(tensorboard_dir),
            }
        )
        return
    streams.put(shown_path(written.html), shown_path(written.markdown))
    if tensorboard_dir is not None:
        streams.put(shown_path(tensorboard_dir))
