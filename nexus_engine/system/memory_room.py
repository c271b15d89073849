"""How much more memory this process may take: what the machine has free, or its control groups.

A limit on addresses (`ulimit -v`) is not looked at; the commands try that one out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

__all__ = ["MemoryRoom", "memory_room"]

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
UNLIMITED = 2**60
"""Version 1 of control groups writes a number near 2**63 where nothing is limited."""


class MemoryRoom(NamedTuple):
    """`mb` MB (10^6 bytes) beyond what the process holds now, and what they are limited by."""

    mb: float
    limit: str


def memory_room() -> MemoryRoom:
    """The smallest of what is free on the machine and within the limit of each control group.

    Swap is not counted: a step that swaps is slower by orders of magnitude.
    """
    rooms = [MemoryRoom(psutil.virtual_memory().available / 1e6, "free on this machine")]
    rooms += [
        MemoryRoom(free / 1e6, "free within the limit of the control group")
        for free in _free_in_groups()
    ]
    return min(rooms)


def _free_in_groups() -> Iterator[int]:
    """Free bytes of each control group with a limit that this process is in, of both versions.

    Within a container the group may be mounted as the root, so the root is looked at too.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in MEMBERSHIP.read_text(encoding="utf-8").splitlines():
            _, controllers, name = line.split(":", 2)
            if "memory" in controllers.split(","):
                files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                yield from _free_upwards(CGROUPS / "memory", name, *files)
            elif not controllers:
                files = ("memory.max", "memory.current", "inactive_file")
                yield from _free_upwards(CGROUPS, name, *files)


def _free_upwards(root: Path, name: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    """Free bytes of the group `name` below `root` and of the groups that it is in."""
    group = root / name.lstrip("/")
    while group.is_relative_to(root):
        with contextlib.suppress(OSError, ValueError):
            most = int((group / limit).read_text())  # version 2 has the word max where none is
            if most < UNLIMITED:
                used = int((group / usage).read_text()) - _statistic(group / "memory.stat", cache)
                yield max(0, most - used)
        group = group.parent


def _statistic(file: Path, name: str) -> int:
    """A value of memory.stat; file cache that the kernel takes back first counts as free."""
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
