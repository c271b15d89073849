"""Which process an id meant: ids are given again, and the clock can be set back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nexus_engine.errors import one_line

__all__ = ["is_alive", "own_identity"]

START_FIELD = 19
"""Of /proc/PID/stat, counted behind the name: ticks from the machine's start to the process's."""
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LONGEST = 4096


def own_identity() -> str | None:
    """What names this process and no other, before or after; None where the system has no such."""
    return _identity(os.getpid())


def _identity(pid: int) -> str | None:
    """The machine's start and the ticks from then to the process's start: no clock is in it."""
    try:
        boot = Path(BOOT_ID).read_text(encoding="ascii").strip()
        with Path(f"/proc/{pid:d}/stat").open("rb") as file:
            fields = file.read(LONGEST).rpartition(b")")[2].split()
        return f"{boot}:{int(fields[START_FIELD])}"
    except (OSError, ValueError, IndexError):
        return None


def is_alive(facts: dict[str, Any]) -> bool:
    """Whether the process that wrote these facts, a run's `run.json`, still runs."""
    import psutil

    pid, started = facts.get("pid"), facts.get("started_unix_s")
    if not isinstance(pid, int) or not isinstance(started, int | float):
        return False
    try:
        process = psutil.Process(pid)
        # A process that ended and that nobody has waited for yet has an id all the same.
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        known = facts.get("process_identity")
        if isinstance(known, str):
            return one_line(known, 100) == _identity(pid)
        # A run of an earlier version: the same id, and not started later.
        return process.create_time() <= started + 1
    except (psutil.Error, ValueError, OverflowError):
        return False
