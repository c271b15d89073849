"""The child process: `python -m nexus_engine.training.perforated.child FOLDER PIPE PARENT`.

Before the library is imported, everything it could reach for is closed: pdb raises, the packages
`perforatedbp` (which it would turn on by itself) and `torchvision` (which it does not need here)
cannot be found, sockets refuse, and matplotlib draws nowhere. The working directory is FOLDER.

Nobody waits for a child whose parent, the process PARENT, has died: it ends at any moment, since a
stopped training begins again anyway, and takes FOLDER away with what it holds of the user's data.
A pause is asked for by the folder's `control.jsonl`, not by SIGSTOP: a process that stands still
cannot notice the death of its parent.
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

__all__: list[str] = []

REMOVALS = 20


class LibraryAsked(Exception):  # noqa: N818 - what happened, not an error of ours
    """The library wanted an answer from somebody at a keyboard."""


def close_doors() -> None:
    """Take away what the library must not touch; to be called before it is imported."""

    def ask(*_: Any, **__: Any) -> NoReturn:
        raise LibraryAsked("pdb")

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("no sockets in this process")

    pdb.set_trace = ask
    sys.breakpointhook = ask
    for name in ("torchvision", "perforatedbp"):
        sys.modules[name] = None  # type: ignore[assignment]
    for name in ("connect", "connect_ex", "bind"):
        setattr(socket.socket, name, refuse)
    os.environ.update({"MPLBACKEND": "Agg", "MPLCONFIGDIR": os.getcwd()})


def main(folder: Path, pipe: int, parent: int) -> int:
    """Train the job in `folder`, telling of it on the file descriptor `pipe`; the exit code."""
    ParentWatch(parent, partial(_remove, folder))
    os.chdir(folder)
    close_doors()
    from nexus_engine.disk.json_text import plain
    from nexus_engine.errors import ExitCode, NexusError
    from nexus_engine.events import encode_event
    from nexus_engine.runs.requests import ControlFile
    from nexus_engine.training.child_steering import ChildSteering
    from nexus_engine.training.perforated.job import Failed, Message
    from nexus_engine.training.steering import StopAsked

    steering = ChildSteering(parent, ControlFile(folder))

    def tell(line: str) -> None:
        os.write(pipe, line.encode("utf-8", "replace") + b"\n")

    def send(message: Message) -> None:
        tell(json.dumps(plain(message), allow_nan=False))

    failed: Failed | None = None
    try:
        from nexus_engine.training.perforated.work import work

        for event in work(folder, steering, send):
            tell(encode_event(event))
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
        # Not the message: it may hold what the user's data holds.
        text = f"{type(error).__name__} {_place()}"
        failed = Failed(kind="internal", text=text, exit_code=int(ExitCode.FAILED))
    if failed is not None:
        with contextlib.suppress(OSError):
            send(failed)
        return failed.exit_code
    return int(ExitCode.OK)


def _remove(folder: Path) -> None:
    """Take the folder away, also where the library writes there meanwhile."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _place() -> str:
    """Where the exception being handled came from: file and line of its last frames of Python."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    return "at " + " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-3:]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
