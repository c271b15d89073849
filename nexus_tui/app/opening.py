"""The way into the app, and what becomes of a run when its screen goes."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import ExitCode, one_line
from nexus_tui.app.application import NexusApp
from nexus_tui.app.endings import STOP_CODES, Ending
from nexus_tui.app.terminal.driver import terminal_is_gone
from nexus_tui.app.terminal_signals import app_signals
from nexus_tui.settings.app import UiSettings
from nexus_tui.terminal.failures import error_line

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.session import Session

__all__ = ["open_app"]

WAIT_SECONDS = 0.2
"""Between two checks of a run that is ending; signals are met meanwhile."""


def open_app(
    settings: UiSettings, attach: Path | None = None, begin: Settings | None = None
) -> int:
    """Run the app until its screen goes, then see its run to where it belongs; the exit code.

    It opens on the run in `attach`, or trains `begin` at once, or shows the list of runs.

    Quitting or TERM or INT: the run stops with a checkpoint. Leaving it running: it goes on in a
    process of its own. HUP, or a defect of the screen: it goes on here to its end.
    """
    app = NexusApp(settings, attach, begin)
    with app_signals(app):
        try:
            app.run()
        except OSError as error:
            _take_as_an_end(app, error)
        return _after(app)


def _take_as_an_end(app: NexusApp, error: OSError) -> None:
    """A terminal that is gone cannot be restored; any other failure is a defect of the screen."""
    if terminal_is_gone():
        app.ending = "hung up" if app.ending == "quit" else app.ending
    else:
        app.note_crash(error)


def _after(app: NexusApp) -> int:
    if app.ending == "hung up":
        _let_go_of_terminal()
    if app.crash:
        error_line(app.crash)
    if app.session is not None and (app.training or app.ending in STOP_CODES):
        return _see_to(app.session, app.ending)
    if app.ending == "crashed":
        return int(ExitCode.FAILED)
    code = ExitCode.HANGUP if app.ending == "hung up" else STOP_CODES.get(app.ending)
    return int(code or ExitCode.OK)


def _see_to(session: Session, ending: Ending) -> int:
    """See the run to its end here, or to a process of its own; the exit code."""
    from nexus_engine.events import RunStopped
    from nexus_tui.terminal.signals import steered_by_signals
    from nexus_tui.words.lines import resume_command
    from nexus_tui.work.background import hand_over

    name = session.folder.name
    with steered_by_signals(session.steering):
        if ending in ("hung up", "crashed"):
            _say(f"{name} goes on without a screen; Ctrl-C stops it with a checkpoint")
        else:
            word = "left to go on" if ending == "leave" else ending
            session.steering.stop(word, STOP_CODES.get(ending, ExitCode.OK))
        while not session.wait(WAIT_SECONDS):
            pass
    ended = session.ended
    if isinstance(ended, RunStopped) and ending == "leave":
        return hand_over(session.folder.path)
    if isinstance(ended, RunStopped):
        _say(f"stopped; go on with: {resume_command(name, str(session.folder.path))}")
    if ending == "crashed":
        return int(ExitCode.FAILED)
    return getattr(ended, "exit_code", int(ExitCode.OK))


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"nexus: {one_line(line, 400)}\n")
        sys.stderr.flush()


def _let_go_of_terminal() -> None:
    """Point the standard streams at nothing: the terminal may be gone, and writing would fail."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.dup2(nowhere, stream)
    os.close(nowhere)
