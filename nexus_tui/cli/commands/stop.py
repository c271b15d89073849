"""`nexus stop`: stops a live run of any process, with a checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from nexus_engine.errors import RunError

__all__ = ["stop"]


def stop(
    run: Annotated[str, typer.Argument(help="A run, by name or folder, or latest.", metavar="RUN")],
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for the run to end.", metavar="F")
    ] = 60.0,
) -> None:
    """Stop a live run at its next step. It saves a checkpoint that --resume continues."""
    from nexus_engine.runs.folder import find_run
    from nexus_tui.terminal import streams
    from nexus_tui.words.lines import resume_command
    from nexus_tui.work.background import stop_run

    folder = find_run(run)
    if not stop_run(folder.path, wait):
        raise RunError(
            f"{folder.name}: still live {wait:g} s after the request to stop; "
            "wait longer with --wait, or find its process with nexus runs show"
        )
    streams.say(f"stopped; resume with: {resume_command(folder.name, str(folder.path))}")
