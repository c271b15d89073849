"""`nexus attach`: opens the live screen on a run of any process, or prints it once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_tui.terminal.failures import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from nexus_engine.runs.run_view import RunView

__all__ = ["attach", "has_terminal", "open_screen"]


def attach(
    run: Annotated[str, typer.Argument(help="Name, folder, or latest.", metavar="RUN")] = "latest",
    once: Annotated[
        bool, typer.Option("--once", help="Print one screen of the run and exit.")
    ] = False,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw in plain ASCII characters.")
    ] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Draw less often.")
    ] = False,
) -> None:
    """Open the live screen on a run, whichever process trains it. Ended runs are shown in full."""
    from nexus_engine.runs.folder import find_run

    folder = find_run(run)
    folder.read_run()
    if once:
        _print_once(folder.path, ascii_only)
        return
    if not has_terminal():
        raise UsageError("attach needs a terminal; without one, use nexus attach --once")
    raise typer.Exit(open_screen(folder.path, ascii_only, low_bandwidth))


def has_terminal() -> bool:
    """Whether stdin, stdout and stderr are a terminal, so that the app can be shown.

    The app draws on stderr. A stdout that is not a terminal means that a script is calling.
    """
    from nexus_tui.terminal import streams

    return sys.stdin.isatty() and streams.is_live(sys.stdout) and streams.is_live(sys.stderr)


def open_screen(path: Path | None, ascii_only: bool, low_bandwidth: bool) -> int:
    """Open the app on the run in `path`, or on the list of runs; its exit code."""
    from nexus_engine.runs.folder import runs_root
    from nexus_tui.app.opening import open_app
    from nexus_tui.settings.app import read_ui_settings

    runs_root()  # fails without a home folder, before a screen opens
    settings = read_ui_settings(ascii_only=ascii_only, low_bandwidth=low_bandwidth)
    return open_app(settings, path)


def _print_once(path: Path, ascii_only: bool) -> None:
    from nexus_engine.runs.event_reading import EventLog
    from nexus_engine.runs.run_view import RunView, reduce
    from nexus_tui.terminal import streams

    view = RunView()
    for event in EventLog(path / "events.jsonl").overview():
        view = reduce(view, event)
    streams.put(*_state_lines(view, path, ascii_only))


def _state_lines(view: RunView, path: Path, ascii_only: bool) -> list[Text]:
    from nexus_engine.errors import one_line
    from nexus_engine.runs.summary import state_of
    from nexus_tui.charts.run.heading import Head
    from nexus_tui.charts.run.one_picture import state_lines, terminal_chart_style
    from nexus_tui.terminal import streams
    from nexus_tui.terminal.encoding import draws_pictures

    alive = view.ended is not None or state_of(path) == "live"
    chart_style = terminal_chart_style(ascii_only=ascii_only or not draws_pictures(sys.stdout))
    return state_lines(
        view,
        Head(name=one_line(path.name, 100), alive=alive),
        streams.width(sys.stdout),
        chart_style,
    )
