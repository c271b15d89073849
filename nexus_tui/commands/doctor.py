"""`nexus doctor`: is this machine ready, and what to do where it is not."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["doctor"]

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each check on stdout.")
    ] = False,
) -> None:
    """Check this machine: versions, CPU, memory, disk, model, data, a forward pass, terminal.

    Exits with 1 when a check fails; warnings are advice.
    """
    from rich.text import Text

    from nexus_tui import streams
    from nexus_tui.checks import all_checks

    failed = False
    for check in all_checks():
        failed = failed or check.status == "fail"
        if json:
            streams.put_json(check._asdict())
            continue
        line = Text(f"{check.status:<4}", style=STYLES[check.status])
        line.append(f"  {check.name}: {check.detail}", style="none")
        streams.put(line)
        if check.advice:
            streams.put(f"      {check.advice}")
    if failed:
        raise typer.Exit(1)
