"""Open the app; when its screen closes, stop, hand over or finish the run that it trains."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import ExitCode, one_line
from nexus_tui.app.application import NexusApp
from nexus_tui.app.endings import STOP_CODES, Ending
from nexus_tui.app.teach.state import TeachRequest
from nexus_tui.app.terminal.driver import terminal_is_gone
from nexus_tui.app.terminal_signals import app_signals
from nexus_tui.settings.app import UiSettings
from nexus_tui.terminal.failures import error_line

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.session import Session

__all__ = ["open_app"]

WAIT_SECONDS = 0.2
"""Time between two checks of a run that is ending; signals are handled in between."""
MAX_STOP_SECONDS = 10.0
"""How long the end of the app waits for the short runs of a learning curve to stop."""


def open_app(
    settings: UiSettings,
    attach: Path | None = None,
    train: Settings | None = None,
    teach: TeachRequest | None = None,
) -> int:
    """Run the app until its screen closes, then take care of its run; return the exit code.

    The app opens the run in `attach`, or trains with the settings `train` at once, or opens Teach
    as `teach` says, or shows the list of runs.

    After quit, TERM or INT, the run stops with a checkpoint. After "leave it running", it
    continues in a detached process. After HUP or a failure of the screen, it continues here.
    """
    app = NexusApp(settings, attach, train, teach)
    with app_signals(app):
        try:
            app.run()
        except OSError as error:
            _record_failure(app, error)
        app.teach.retraining.close(MAX_STOP_SECONDS)
        for queue in (app.teach.queue, app.playground.quick, app.playground.long):
            queue.end(MAX_STOP_SECONDS)
        return _finish(app)


def _record_failure(app: NexusApp, error: OSError) -> None:
    """Record a terminal that is gone as a hang-up, and any other error as a crash."""
    if terminal_is_gone():
        app.ending = "hung up" if app.ending == "quit" else app.ending
    else:
        app.note_crash(error)


def _finish(app: NexusApp) -> int:
    if app.ending == "hung up":
        _release_terminal()
    if app.crash:
        error_line(app.crash)
    if app.session is not None and (app.training or app.ending in STOP_CODES):
        return _end_run(app.session, app.ending)
    if app.ending == "crashed":
        return int(ExitCode.FAILED)
    code = ExitCode.HANGUP if app.ending == "hung up" else STOP_CODES.get(app.ending)
    return int(code or ExitCode.OK)


def _end_run(session: Session, ending: Ending) -> int:
    """Wait until the run ends here, or hand it over to a detached process; the exit code."""
    from nexus_engine.events import RunStopped
    from nexus_tui.terminal.signals import steered_by_signals
    from nexus_tui.words.lines import resume_command
    from nexus_tui.work.background import hand_over

    name = session.folder.name
    with steered_by_signals(session.steering):
        if ending in ("hung up", "crashed"):
            _print(f"{name} goes on without a screen; Ctrl-C stops it with a checkpoint")
        else:
            reason = "left to go on" if ending == "leave" else ending
            session.steering.stop(reason, STOP_CODES.get(ending, ExitCode.OK))
        while not session.wait(WAIT_SECONDS):
            pass
    ended = session.ended
    if isinstance(ended, RunStopped) and ending == "leave":
        return hand_over(session.folder.path)
    if isinstance(ended, RunStopped):
        _print(f"stopped; resume with: {resume_command(name, str(session.folder.path))}")
    if ending == "crashed":
        return int(ExitCode.FAILED)
    return getattr(ended, "exit_code", int(ExitCode.OK))


def _print(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"nexus: {one_line(line, 400)}\n")
        sys.stderr.flush()


def _release_terminal() -> None:
    """Point the standard streams at the null device: writing to a lost terminal would fail."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.dup2(null, stream)
    os.close(null)
