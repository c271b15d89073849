"""Runs that outlive the terminal: started apart from it, and stopped by name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nexus_engine.errors import ExitCode, RunError, one_line
from nexus_tui import streams
from nexus_tui.failures import error_line

__all__ = ["hand_over", "start_detached", "stop_run"]

BEGIN_SECONDS = 120.0
"""How long a detached run may take to read its data and model before that is told."""
POLL_SECONDS = 0.1


def start_detached(arguments: Sequence[str], folder: Path) -> int:
    """Start `nexus ARGUMENTS`, which trains into `folder`, apart from this terminal.

    Waits until the run has begun, or has failed: then its own error line and exit code are given.
    On success the run's name goes to stdout.
    """
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen(
            [sys.executable, "-m", "nexus_tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=talk,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        begun = time.monotonic()
        known = _run_file_stamp(folder)
        while process.poll() is None and time.monotonic() - begun < BEGIN_SECONDS:
            if _run_file_stamp(folder) != known:
                streams.put(folder.name)
                streams.say(
                    f"goes on in process {process.pid}; see it with nexus attach, "
                    "end it with nexus stop, each followed by that name"
                )
                return int(ExitCode.OK)
            time.sleep(POLL_SECONDS)
        if process.poll() is None:
            streams.say(f"process {process.pid} is still reading its data; see nexus runs")
            return int(ExitCode.OK)
        talk.seek(0)
        said = talk.read().decode("utf-8", "replace").strip().splitlines()
    last = said[-1].removeprefix("nexus: error: ") if said else "the run ended without a word"
    error_line(last)
    return process.returncode or int(ExitCode.FAILED)


def _run_file_stamp(folder: Path) -> tuple[int, int] | None:
    """What changes when a run has begun: `run.json` is written then, also at a resume."""
    try:
        found = (folder / "run.json").stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino)


def hand_over(folder: Path) -> int:
    """Let the run in `folder`, stopped with a checkpoint, go on in a process of its own."""
    return start_detached(["train", "--resume", str(folder)], folder)


def stop_run(folder: Path, wait_seconds: float) -> bool:
    """Ask the live run in `folder` to stop with a checkpoint; whether it has within the wait.

    Raises:
        RunError: it is not live, or its folder cannot be written.
    """
    from nexus_engine.control import ControlFile
    from nexus_engine.run_folder import summarise

    state = summarise(folder).state
    if state != "live":
        raise RunError(f"{one_line(folder.name)}: is not live ({state}); nothing to stop")
    try:
        ControlFile(folder).send("stop")
    except OSError as error:
        raise RunError(f"{one_line(folder)}: {error.strerror}") from None
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        if summarise(folder).state != "live":
            return True
        time.sleep(POLL_SECONDS)
    return False
