"""Runs the cells of a sweep as child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from nexus_engine.errors import one_line
from nexus_engine.sweeps.workers import Ended
from nexus_engine.system.memory_room import memory_room

__all__ = ["Processes", "default_jobs"]

RUN_BYTES = 2e9
"""Memory that a run may need: 1.14 GB on STS-B, 1.9 GB on questions in batches of 64 (measured)."""


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)


def default_jobs(runs: int) -> int:
    """As many runs at a time as cores and memory allow: one thread a run uses the cores best."""
    fitting = int(1e6 * memory_room().mb // RUN_BYTES)
    return max(1, min(cores(), fitting, runs))


class Processes:
    """At most `jobs` children at a time, which share the cores equally."""

    engine = "processes"

    def __init__(self, sweep: Path, jobs: int) -> None:
        self.jobs = jobs
        self._sweep = sweep
        self._threads = max(1, cores() // jobs)
        self._live: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def start(self, cell: str) -> None:
        """Start a child for `cell` in its own session: Ctrl-C reaches it only through `stop`."""
        root = str(Path(__file__).parents[2])
        path = os.environ.get("PYTHONPATH")
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed after the child ends
        child = subprocess.Popen(
            # -P: no file in the working directory is imported in place of a library.
            [
                *(sys.executable, "-P", "-m", "nexus_engine.sweeps.cell"),
                *(str(self._sweep), cell, str(self._threads), str(os.getpid())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root},
        )
        self._live[cell] = (child, errors)

    def ended(self) -> list[Ended]:
        """See `Workers`."""
        ended = []
        for cell, (child, errors) in list(self._live.items()):
            code = child.poll()
            if code is None:
                continue
            del self._live[cell]
            errors.seek(0)
            lines = errors.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
            errors.close()
            if code < 0:
                name = signal.Signals(-code).name
                ended.append(Ended(cell, None, f"its process was ended by {name}"))
            else:
                ended.append(Ended(cell, code, one_line(lines[-1], 200) if lines else ""))
        return ended

    def stop(self) -> None:
        """See `Workers`."""
        for child, _ in self._live.values():
            child.terminate()

    def close(self) -> None:
        """See `Workers`."""
        for child, errors in self._live.values():
            child.kill()
            child.wait()
            errors.close()
        self._live.clear()
