"""The way into the app, and what becomes of a run when its screen goes."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import ExitCode, one_line
from nexus_tui.app.application import Ending, NexusApp
from nexus_tui.app.settings import UiSettings
from nexus_tui.failures import error_line

if TYPE_CHECKING:
    from nexus_engine.session import Session

__all__ = ["open_app"]

SIGNAL_CODES: dict[Ending, ExitCode] = {
    "terminated": ExitCode.TERMINATED,
    "interrupted": ExitCode.INTERRUPTED,
    "hung up": ExitCode.HANGUP,
}


def open_app(settings: UiSettings, attach: Path | None = None) -> int:
    """Run the app until its screen goes, then see its run to where it belongs; the exit code.

    Quitting or TERM or INT: the run stops with a checkpoint. Leaving it running: it goes on in a
    process of its own. HUP, or a defect of the screen: it goes on here to its end.
    """
    app = NexusApp(settings, attach)
    with contextlib.suppress(OSError):  # a terminal that is gone cannot be restored
        app.run()
    session = app.session if app.training else None
    if app.ending == "hung up":
        _let_go_of_terminal()
    if app.crash:
        error_line(app.crash)
    if session is not None:
        return _see_to(session, app.ending)
    if app.ending == "crashed":
        return int(ExitCode.FAILED)
    return int(SIGNAL_CODES.get(app.ending, ExitCode.OK))


def _see_to(session: Session, ending: Ending) -> int:
    from nexus_tui.background import hand_over
    from nexus_tui.lines import resume_command
    from nexus_tui.signals import steered_by_signals

    name = session.folder.name
    with steered_by_signals(session.steering):
        if ending in ("hung up", "crashed"):
            _say(f"{name} goes on without a screen; Ctrl-C stops it with a checkpoint")
            while not session.wait(0.2):
                pass
            return int(ExitCode.FAILED if ending == "crashed" else ExitCode.OK)
        code = SIGNAL_CODES.get(ending, ExitCode.OK)
        session.steering.stop("left to go on" if ending == "leave" else ending, code)
        while not session.wait(0.2):
            pass
    if ending == "leave":
        return hand_over(session.folder.path)
    _say(f"stopped; go on with: {resume_command(name, str(session.folder.path))}")
    return int(code)


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
