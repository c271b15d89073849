"""Limits that make a smaller box of this one: processors, memory, instruction sets."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

MIB = 2**20
CGROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),  # version 1
    (Path("/sys/fs/cgroup"), "memory.max"),  # version 2
)


class Box(NamedTuple):
    """A smaller box: `cores`, and `memory` in MiB, None for all; `level` is a key of `LEVELS`."""

    name: str
    cores: int | None = None
    memory: int | None = None
    level: str = "native"

    @contextlib.contextmanager
    def limits(self) -> Iterator[tuple[Callable[[], None], str]]:
        """What a child calls before it starts its program, and how the memory is limited."""
        group, way = self._group()
        used = sorted(os.sched_getaffinity(0))[: self.cores] if self.cores else None

        def enter() -> None:
            if used:
                os.sched_setaffinity(0, used)
            if group is not None:
                (group / "cgroup.procs").write_text(str(os.getpid()))
            elif self.memory:
                resource.setrlimit(resource.RLIMIT_AS, (self.memory * MIB, self.memory * MIB))

        try:
            yield enter, way
        finally:
            if group is not None:
                group.rmdir()

    def _group(self) -> tuple[Path | None, str]:
        """A control group with the box's memory; without one RLIMIT_AS, which counts addresses."""
        if not self.memory:
            return None, ""
        for root, limit in CGROUPS:
            group = root / f"nexus-box-{os.getpid()}"
            if not (root / limit).exists() and not (root / "cgroup.controllers").exists():
                continue
            try:
                group.mkdir()
            except OSError:
                continue
            try:
                (group / limit).write_text(str(self.memory * MIB))
            except OSError:
                group.rmdir()
                continue
            with contextlib.suppress(OSError):  # version 2; version 1 swaps only where swap exists
                (group / "memory.swap.max").write_text("0")
            return group, "control group"
        return None, "RLIMIT_AS"
