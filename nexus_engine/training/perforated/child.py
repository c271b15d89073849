"""The child process: `python -m nexus_engine.training.perforated.child FOLDER PIPE PARENT`.

Before the library is imported, the process is closed to it: pdb raises, the packages `perforatedbp`
(which the library would turn on by itself) and `torchvision` (which it does not need here) cannot
be imported, sockets refuse, and matplotlib draws nowhere. The working directory is FOLDER.

If the parent, the process PARENT, dies, the child ends at once and removes FOLDER, which holds some
of the user's data: a stopped training starts from scratch anyway. The parent requests a pause by
the folder's `control.jsonl`, not by SIGSTOP, since a stopped process cannot notice that its parent
has died.
"""

from __future__ import annotations

import contextlib
import json
import os
import pdb
import shutil
import socket
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from nexus_engine.system.parent_watch import ParentWatch

__all__ = ["close_doors"]

MAX_REMOVALS = 20


class LibraryAsked(Exception):  # noqa: N818 - it reports an event, not an error of ours
    """The library has waited for an answer from the keyboard."""


def close_doors() -> None:
    """Block pdb, sockets, a display and unwanted packages; call it before importing the library."""

    def raise_asked(*_: Any, **__: Any) -> NoReturn:
        raise LibraryAsked("pdb")

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("no sockets in this process")

    pdb.set_trace = raise_asked
    sys.breakpointhook = raise_asked
    for name in ("torchvision", "perforatedbp"):
        sys.modules[name] = None  # type: ignore[assignment]
    for name in ("connect", "connect_ex", "bind"):
        setattr(socket.socket, name, refuse)
    os.environ.update({"MPLBACKEND": "Agg", "MPLCONFIGDIR": os.getcwd()})


def main(folder: Path, pipe: int, parent: int) -> int:
    """Train the job in `folder`, report on the file descriptor `pipe`, return the exit code."""
    ParentWatch(parent, partial(_remove, folder))
    os.chdir(folder)
    close_doors()
    from nexus_engine.disk.json_text import plain
    from nexus_engine.errors import ExitCode, NexusError
    from nexus_engine.event_lines import encode_event
    from nexus_engine.runs.requests import ControlFile
    from nexus_engine.training.child_steering import ChildSteering
    from nexus_engine.training.perforated.job import Failed, Message
    from nexus_engine.training.steering import StopAsked

    steering = ChildSteering(parent, ControlFile(folder))

    def write_line(line: str) -> None:
        os.write(pipe, line.encode("utf-8", "replace") + b"\n")

    def send(message: Message) -> None:
        write_line(json.dumps(plain(message), allow_nan=False))

    failed: Failed | None = None
    try:
        from nexus_engine.training.perforated.work import work

        for event in work(folder, steering, send):
            write_line(encode_event(event))
    except StopAsked:
        if steering.orphaned:
            _remove(folder)
        return int(ExitCode.FAILED)
    except NexusError as error:
        failed = Failed(kind="NexusError", text=str(error), exit_code=int(error.exit_code))
    except LibraryAsked:
        failed = Failed(kind="LibraryAsked", text=_place(), exit_code=int(ExitCode.FAILED))
    except (MemoryError, OSError):
        failed = Failed(
            kind="internal", text="out of memory or disk", exit_code=int(ExitCode.RESOURCES)
        )
    except SystemExit:
        failed = Failed(kind="LibraryAsked", text=_place(), exit_code=int(ExitCode.FAILED))
    except Exception as error:
        # Without the error's message, which may quote the user's data.
        text = f"{type(error).__name__} {_place()}"
        failed = Failed(kind="internal", text=text, exit_code=int(ExitCode.FAILED))
    if failed is not None:
        with contextlib.suppress(OSError):
            send(failed)
        return failed.exit_code
    return int(ExitCode.OK)


def _remove(folder: Path) -> None:
    """Remove the folder, even if the library still writes to it."""
    for _ in range(MAX_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _place() -> str:
    """The place of the exception being handled: file and line of its last three frames."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    return "at " + " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-3:]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
