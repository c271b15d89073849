"""Runs that outlive the terminal: started apart from it, and stopped by name."""

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

from nexus_engine.errors import ConfigError, ExitCode, NexusError, RunError, one_line
from nexus_tui.terminal import streams
from nexus_tui.terminal.failures import error_line

__all__ = [
    "DetachError",
    "Detached",
    "begin_detached",
    "hand_over",
    "start_detached",
    "stop_run",
]

BEGIN_SECONDS = 120.0
"""How long a detached run may take to read its data and model before that is told."""
POLL_SECONDS = 0.1
CODES = {int(code) for code in ExitCode} - {0}


class Detached(NamedTuple):
    """A run in a process of its own. `begun` is False while it still reads its data."""

    folder: Path
    pid: int
    begun: bool

    @property
    def asked(self) -> str:
        """What other commands call it: its name where that is enough, else its folder."""
        from nexus_engine.runs.folder import runs_root

        try:
            known = self.folder.parent == runs_root()
        except ConfigError:  # no home
            known = False
        return self.folder.name if known else str(self.folder)


class DetachError(NexusError):
    """The detached process ended before its run began, with this message and exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code) if exit_code in CODES else ExitCode.FAILED


def begin_detached(
    arguments: Sequence[str], folder: Path, cancelled: Callable[[], bool] = lambda: False
) -> Detached:
    """Start `nexus ARGUMENTS`, which trains into `folder`, apart from this terminal.

    Waits until the run has begun. Whoever is interrupted while waiting, or `cancelled`, takes the
    process back with it.

    Raises:
        DetachError: it ended before; the message is its own.
    """
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen(
            # -P: what lies in the folder that one happens to be in is not imported.
            [sys.executable, "-P", "-m", "nexus_tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=talk,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        try:
            begun = time.monotonic()
            while process.poll() is None:
                started = _begun_by(process.pid, folder)
                if started or time.monotonic() - begun > BEGIN_SECONDS:
                    _wait_for(process)
                    return Detached(folder, process.pid, started)
                if cancelled():
                    raise DetachError("taken back before it began", int(ExitCode.FAILED))
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        talk.seek(0)
        said = talk.read().decode("utf-8", "replace").strip().splitlines()
    last = said[-1].removeprefix("nexus: error: ") if said else "the run ended without a word"
    raise DetachError(last, process.returncode)


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """Have a thread wait for the process: one that ended is else still there, as a zombie."""
    threading.Thread(target=process.wait, name="nexus-detached", daemon=True).start()


def start_detached(arguments: Sequence[str], folder: Path, *, as_json: bool = False) -> int:
    """`begin_detached`, told on the streams; the exit code. What to call the run goes to stdout."""
    try:
        found = begin_detached(arguments, folder)
    except DetachError as error:
        error_line(str(error))
        return int(error.exit_code)
    if as_json:
        streams.put_json({"run_dir": str(folder), "name": folder.name, "pid": found.pid})
    else:
        streams.put(one_line(found.asked))
    doing = "goes on" if found.begun else "is still reading its data"
    streams.say(
        f"{doing} in process {found.pid}; see it with nexus attach, "
        "end it with nexus stop, each followed by that name"
    )
    return int(ExitCode.OK)


def _begun_by(pid: int, folder: Path) -> bool:
    """Whether the process `pid` has begun the run in `folder`, and not another one there.

    `run.json` is written when a run begins, also at a resume, and names the process.
    """
    from nexus_engine.disk.regular_files import read_json

    try:
        found = read_json(folder / "run.json")
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("pid") == pid


def hand_over(folder: Path) -> int:
    """Let the run in `folder`, stopped with a checkpoint, go on in a process of its own."""
    return start_detached(["train", "--resume", str(folder)], folder)


def stop_run(folder: Path, wait_seconds: float) -> bool:
    """Ask the live run in `folder` to stop with a checkpoint; whether it has within the wait.

    Raises:
        RunError: it is not live, or its folder cannot be written.
    """
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.runs.requests import ControlFile
    from nexus_engine.runs.summary import state_of

    state = state_of(folder)
    if state != "live":
        raise RunError(f"{one_line(folder.name)}: is not live ({state}); nothing to stop")
    RunFolder(folder).check_writable("only its owner can stop it")
    try:
        ControlFile(folder).send("stop")
    except OSError as error:
        raise RunError(f"{one_line(folder)}: {error.strerror}") from None
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        if state_of(folder) != "live":
            return True
        time.sleep(POLL_SECONDS)
    return False
