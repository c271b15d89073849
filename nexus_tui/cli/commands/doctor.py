"""`nexus doctor`: checks whether this machine is ready and says what to do if it is not."""

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
        bool, typer.Option("--json", help="Print a JSON object for each check on stdout.")
    ] = False,
    prove_offline: Annotated[
        bool,
        typer.Option(
            "--prove-offline",
            help="Train, evaluate and query without a network; write a receipt of all attempts.",
        ),
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="File to write the receipt to.", metavar="FILE")
    ] = None,
) -> None:
    """Check this machine: versions, CPU, memory, disk, model, data, a forward pass, terminal.

    Exits with 1 if a check fails and with 4 if a check runs out of memory. Warnings are advice.
    """
    if receipt is not None and not prove_offline:
        raise UsageError("--receipt needs --prove-offline; add it, or leave out --receipt")
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
    """Prove that NEXUS works offline; show and write the receipt."""
    from nexus_tui.doctor.offline_proof import prove_offline, verdict, write_receipt
    from nexus_tui.terminal import streams

    streams.say("training, evaluating and querying on twelve made-up pairs without a network ...")
    proof = prove_offline()
    written = write_receipt(proof, None if path is None else user_path(path))
    if as_json:
        streams.put_json(proof)
    else:
        streams.put(*verdict(proof))
        word = "proved" if proof["proved"] else "NOT proved"
        streams.put(f"{word}; receipt: {one_line(written, 200)}")
    if not proof["proved"]:
        raise typer.Exit(1)
