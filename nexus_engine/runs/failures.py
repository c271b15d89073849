"""Turns an error that ends a run into one line for the user and a documented exit code."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from nexus_engine.errors import ExitCode, NexusError, one_line
from nexus_engine.events import RunFailed
from nexus_engine.system.shortages import OUT_OF_ROOM, out_of_memory

__all__ = ["failure"]

KEPT = "the last checkpoint and the best weights are kept"


def failure(error: Exception, folder: Path) -> RunFailed:
    """The terminal event for `error`, which ended the run in `folder`."""
    kind = type(error).__name__
    if out_of_memory(error):
        message = (
            f"out of memory; {KEPT}: close other programs and resume, or start a new run with a "
            "smaller --batch-size"
        )
        return _failed("MemoryError", message, ExitCode.RESOURCES)
    match error:
        case NexusError():
            return _failed(kind, str(error), error.exit_code)
        case OSError():
            path = one_line(os.fsdecode(error.filename or folder), 200)
            message = f"{path}: {error.strerror or kind}"
            if error.errno not in OUT_OF_ROOM:
                return _failed(kind, message, ExitCode.FAILED)
            return _failed(kind, f"{message}; {KEPT}: make room, then resume", ExitCode.RESOURCES)
    # The error's own message and local variables may hold the user's sentences.
    frames = traceback.extract_tb(error.__traceback__)
    position = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return _failed(kind, f"internal error: {kind} at {position}", ExitCode.FAILED)


def _failed(kind: str, message: str, code: ExitCode) -> RunFailed:
    return RunFailed(
        time_unix_s=time.time(), kind=kind, message=one_line(message), exit_code=int(code)
    )
