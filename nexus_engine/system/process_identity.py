"""Identifying a process beyond its id, since ids are reused and clocks can be set back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nexus_engine.errors import one_line

__all__ = ["is_alive", "own_identity"]

START_FIELD = 19
"""Index in /proc/PID/stat after the name: clock ticks from boot to the process's start."""
BOOT_ID = "/proc/sys/kernel/random/boot_id"
MAX_STAT_BYTES = 4096


def own_identity() -> str | None:
    """A string that no other process ever has; None on systems without /proc."""
    return _identity(os.getpid())


def _identity(pid: int) -> str | None:
    """The boot id and the ticks from boot to the process's start, independent of the clock."""
    try:
        boot = Path(BOOT_ID).read_text(encoding="ascii").strip()
        with Path(f"/proc/{pid:d}/stat").open("rb") as file:
            fields = file.read(MAX_STAT_BYTES).rpartition(b")")[2].split()
        return f"{boot}:{int(fields[START_FIELD])}"
    except (OSError, ValueError, IndexError):
        return None


def is_alive(facts: dict[str, Any]) -> bool:
    """Whether the process that wrote `facts`, the content of a `run.json`, still runs."""
    import psutil

    pid, started = facts.get("pid"), facts.get("started_unix_s")
    if not isinstance(pid, int) or not isinstance(started, int | float):
        return False
    try:
        process = psutil.Process(pid)
        # A process that has ended keeps its id until its parent waits for it.
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        identity = facts.get("process_identity")
        if isinstance(identity, str):
            return one_line(identity, 100) == _identity(pid)
        # An earlier version wrote no identity: the process must not have started after the run.
        return process.create_time() <= started + 1
    except (psutil.Error, ValueError, OverflowError):
        return False
