"""Processes for the checks: forked from a server that has the engine loaded.

A child gets a mutation's name (or none) and a task by name; it writes what it has to say into a
file, since it may be killed at any moment.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
_context: Any = None


def context() -> Any:
    """The fork server's, with everything heavy imported once."""
    global _context
    if _context is None:
        places = [str(TESTS), str(TESTS / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(places)
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload(["reliability.forkserver_imports"])
        from multiprocessing import forkserver

        forkserver.ensure_running()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return _context


def _enter(task: Callable[..., Any], mutation: str | None, folder: Path, arguments: Any) -> None:
    """In the child: quiet, at home in `folder`, changed as the mutation says."""
    with (folder / "stderr").open("ab") as stderr, (folder / "stdout").open("ab") as stdout:
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    os.environ["XDG_DATA_HOME"] = str(folder / "data")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    if mutation is not None:
        from reliability.mutations import MUTATIONS

        MUTATIONS[mutation].apply()
    told = task(folder, **arguments)
    if told is not None:
        partial = folder / "told.part"
        partial.write_text(json.dumps(told))
        partial.rename(folder / "told")


def start(
    task: Callable[..., Any], folder: Path, mutation: str | None = None, **arguments: Any
) -> BaseProcess:
    """Run `task(folder, **arguments)` in a child; what it returns is for `told`."""
    folder.mkdir(exist_ok=True)
    (folder / "told").unlink(missing_ok=True)
    process = context().Process(
        target=_enter, args=(task, mutation, folder, arguments), daemon=True
    )
    process.start()
    return process


def told(folder: Path) -> Any:
    """What the child's task returned; None where it did not come to its end."""
    path = folder / "told"
    return json.loads(path.read_text()) if path.exists() else None


def finish(process: BaseProcess, seconds: float = 400) -> int | None:
    """Wait for the child; its exit code, None where it had to be killed for taking too long."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def call(
    task: Callable[..., Any], folder: Path, mutation: str | None = None, **arguments: Any
) -> Any:
    """Run a task to its end; what it returned."""
    code = finish(start(task, folder, mutation, **arguments))
    if code != 0:
        raise RuntimeError(
            f"{task.__name__} ended with {code}: {(folder / 'stderr').read_text()[-800:]}"
        )
    return told(folder)


def wait_until(ready: Callable[[], bool], seconds: float = 300) -> bool:
    """Whether `ready` came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.002)
    return False
