"""`nexus doctor`: is this machine ready, and what to do where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nexus_engine.errors import ExitCode, one_line
from nexus_engine.system.user_paths import user_path
from nexus_tui.terminal.failures import UsageError

__all__ = ["doctor"]

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each check on stdout.")
    ] = False,
    prove_offline: Annotated[
        bool,
        typer.Option(
            "--prove-offline",
            help="Train, judge and ask without a network, and write a receipt of what was tried.",
        ),
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="Where to write it.", metavar="FILE")
    ] = None,
) -> None:
    """Check this machine: versions, CPU, memory, disk, model, data, a forward pass, terminal.

    Exits with 1 when a check fails, with 4 when memory ran out in one; warnings are advice.
    """
    if receipt is not None and not prove_offline:
        raise UsageError("--receipt goes with --prove-offline")
    if prove_offline:
        _prove(receipt, as_json=json)
        return
    from rich.text import Text

    from nexus_tui.doctor.checks import OUT_OF_MEMORY, all_checks
    from nexus_tui.terminal import streams

    code = ExitCode.OK
    for check in all_checks():
        if check.detail == OUT_OF_MEMORY:
            code = ExitCode.RESOURCES
        elif check.status == "fail" and code == ExitCode.OK:
            code = ExitCode.FAILED
        if json:
            streams.put_json(check._asdict())
            continue
        line = Text(f"{check.status:<4}", style=STYLES[check.status])
        line.append(f"  {check.name}: {check.detail}", style="none")
        streams.put(line)
        if check.advice:
            streams.put(f"      {check.advice}")
    if code != ExitCode.OK:
        raise typer.Exit(int(code))


def _prove(path: Path | None, *, as_json: bool) -> None:
    """Prove being offline, show and write the receipt."""
    from nexus_tui.doctor.offline_proof import prove_offline, verdict, write_receipt
    from nexus_tui.terminal import streams

    streams.say("training, judging and asking on twelve made-up pairs, without a network ...")
    found = prove_offline()
    written = write_receipt(found, None if path is None else user_path(path))
    if as_json:
        streams.put_json(found)
    else:
        streams.put(*verdict(found))
        word = "proved" if found["proved"] else "NOT proved"
        streams.put(f"{word}; receipt: {one_line(written, 200)}")
    if not found["proved"]:
        raise typer.Exit(1)
