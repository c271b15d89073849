"""Runs that outlive the terminal: started in a process of their own, stopped by name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine.errors import ExitCode, NexusError, RunError, one_line
from nexus_tui.terminal import streams
from nexus_tui.terminal.failures import error_line
from nexus_tui.words.lines import run_reference

__all__ = [
    "DetachError",
    "Detached",
    "begin_detached",
    "hand_over",
    "start_detached",
    "stop_run",
]

BEGIN_SECONDS = 120.0
"""How long to wait for a detached run to begin, before reporting that it still reads its data."""
POLL_SECONDS = 0.1
FAILURE_CODES = {int(code) for code in ExitCode} - {0}


class Detached(NamedTuple):
    """A run in a process of its own. `begun` is False while it still reads its data."""

    folder: Path
    pid: int
    begun: bool

    @property
    def reference(self) -> str:
        """How other commands refer to it: by its name if that is enough, else by its folder."""
        return run_reference(self.folder.name, str(self.folder))


class DetachError(NexusError):
    """The detached process ended with this message and exit code before its run began."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code) if exit_code in FAILURE_CODES else ExitCode.FAILED


def begin_detached(
    arguments: Sequence[str],
    folder: Path,
    cancelled: Callable[[], bool] = lambda: False,
    begin_seconds: float = BEGIN_SECONDS,
) -> Detached:
    """Start `nexus ARGUMENTS`, which trains into `folder`, apart from this terminal.

    Waits until the run has begun, at most `begin_seconds`. An interrupt while waiting, or
    `cancelled`, also ends the process.

    Raises:
        DetachError: the process ended before that; the message is its own.
    """
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            # -P: no module is imported from the current folder.
            [sys.executable, "-P", "-m", "nexus_tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=messages,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        try:
            begun = time.monotonic()
            while process.poll() is None:
                started = _begun_by(process.pid, folder)
                if started or time.monotonic() - begun > begin_seconds:
                    _reap_later(process)
                    return Detached(folder, process.pid, started)
                if cancelled():
                    raise DetachError("cancelled before the run began", int(ExitCode.FAILED))
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        messages.seek(0)
        lines = messages.read().decode("utf-8", "replace").strip().splitlines()
    message = (
        lines[-1].removeprefix("nexus: error: ") if lines else "the run ended without a message"
    )
    raise DetachError(message, process.returncode)


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Let a thread wait for the process, which would otherwise stay as a zombie when it ends."""
    threading.Thread(target=process.wait, name="nexus-detached", daemon=True).start()


def start_detached(
    arguments: Sequence[str],
    folder: Path,
    *,
    as_json: bool = False,
    begin_seconds: float = BEGIN_SECONDS,
) -> int:
    """Begin a detached run and print its name or folder on stdout; the exit code."""
    try:
        run = begin_detached(arguments, folder, begin_seconds=begin_seconds)
    except DetachError as error:
        error_line(str(error))
        return int(error.exit_code)
    if as_json:
        streams.put_json({"run_dir": str(folder), "name": folder.name, "pid": run.pid})
    else:
        streams.put(one_line(run.reference))
    state = "training" if run.begun else "still reading its data"
    streams.say(
        f"{state} in process {run.pid}; watch it with nexus attach, "
        "end it with nexus stop, each followed by that name"
    )
    return int(ExitCode.OK)


def _begun_by(pid: int, folder: Path) -> bool:
    """Whether the process `pid`, and no other, has begun the run in `folder`.

    `run.json` names the process. It is written when a run begins or resumes.
    """
    from nexus_engine.disk.regular_files import read_json

    try:
        facts = read_json(folder / "run.json")
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("pid") == pid


def hand_over(folder: Path) -> int:
    """Resume the run in `folder`, stopped with a checkpoint, in a process of its own."""
    return start_detached(["train", "--resume", str(folder)], folder)


def stop_run(folder: Path, wait_seconds: float) -> bool:
    """Ask the live run in `folder` to stop with a checkpoint; whether it did within the wait.

    Raises:
        RunError: it is not live, or its folder cannot be written.
    """
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.runs.requests import ControlFile
    from nexus_engine.runs.summary import state_of

    state = state_of(folder)
    if state != "live":
        raise RunError(f"{one_line(folder.name)}: is not live ({state}); there is nothing to stop")
    RunFolder(folder).check_writable("only its owner can stop it")
    try:
        ControlFile(folder).send("stop")
    except OSError as error:
        raise RunError(f"{one_line(folder)}: {error.strerror}") from None
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        if state_of(folder) != "live":
            return True
        time.sleep(POLL_SECONDS)
    return False
