"""The entry point `nexus`. Every ending becomes an exit code.

Neither this file nor the top of a command's file imports torch, numpy or the screen libraries:
`--help`, `--version` and shell completion stay instant.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from nexus_engine import __version__
from nexus_tui.cli.lazy_commands import LazyCommands
from nexus_tui.cli.memory_trial import try_memory
from nexus_tui.cli.memory_warning import warn_of_memory
from nexus_tui.terminal import failures, standard_streams

__all__ = ["app", "main"]

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

app = typer.Typer(
    name="nexus",
    cls=LazyCommands,
    help="Fine-tune a sentence-embedding model on your own data by growing dendrites, offline.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 data or model, 4 memory or disk, 5 diverged, "
    "130/143/129 stopped by INT/TERM/HUP with a checkpoint that --resume continues.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(requested: bool) -> None:
    if requested:
        with standard_streams.delivering():
            typer.echo(f"nexus {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw the app in plain ASCII characters.")
    ] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Redraw the app less often.")
    ] = False,
) -> None:
    """Fine-tune a sentence-embedding model on your own data by growing dendrites, offline.

    Without a command, on a terminal, it opens the app.
    """
    if ctx.invoked_subcommand is None:
        from nexus_tui.cli.commands import attach

        if attach.has_terminal():
            os.environ.update(OFFLINE)
            raise typer.Exit(attach.open_screen(None, ascii_only, low_bandwidth))
        # Typer prints its help on stdout; this call has failed, so that the help goes to stderr.
        with contextlib.redirect_stdout(sys.stderr):
            typer.echo(ctx.get_help())
        raise typer.Exit(2)
    if ctx.invoked_subcommand != "fetch":
        # Set before any command imports a Hugging Face library, over the shell's own values.
        os.environ.update(OFFLINE)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    if not set(sys.argv) & set(ctx.help_option_names):
        try_memory(ctx.invoked_subcommand)
        warn_of_memory(ctx.invoked_subcommand)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `nexus` with `arguments` (the process's own when None) and return the exit code."""
    standard_streams.open_closed()
    failures.tolerant_streams()
    try:
        code = app(args=arguments, prog_name="nexus", standalone_mode=False)
        standard_streams.flush_result()
    except SystemExit as ending:  # shell completion, and Typer's own broken pipe
        code = ending.code
    except BaseException as error:
        code = failures.report(error)
    standard_streams.settle()
    return code if isinstance(code, int) else 0
