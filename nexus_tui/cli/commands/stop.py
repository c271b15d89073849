"""`nexus stop`: ends a live run of any process, with a checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from nexus_engine.errors import RunError

__all__ = ["stop"]


def stop(
    run: Annotated[str, typer.Argument(help="Name, folder, or latest.", metavar="RUN")],
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for it to end.", metavar="F")
    ] = 60.0,
) -> None:
    """Stop a live run within a step; its checkpoint is then there to be resumed."""
    from nexus_engine.runs.folder import find_run
    from nexus_tui.terminal import streams
    from nexus_tui.words.lines import resume_command
    from nexus_tui.work.background import stop_run

    folder = find_run(run)
    if not stop_run(folder.path, wait):
        raise RunError(
            f"{folder.name}: asked to stop, but still live after {wait:g} s; "
            "wait longer with --wait, or see its process in nexus runs show"
        )
    streams.say(f"stopped; go on with: {resume_command(folder.name, str(folder.path))}")
