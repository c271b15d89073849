"""Broken sweeps: each mutation takes away one safeguard of a sweep or of a new folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reliability import check_creators, check_folder, check_sweep_disk, check_sweeps
from reliability.mutating import Mutation, here, put
from reliability.outcome import Outcome

__all__ = ["SWEEP_MUTATIONS"]


def _log_for_everybody() -> None:
    from nexus_engine.disk import new_folders

    put(
        new_folders,
        "create_file",
        lambda path: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    )


def _cell_without_lock() -> None:
    from nexus_engine.sweeps import cell

    put(cell, "_take", lambda run, steering, held: True)


def _first_write_is_all() -> None:
    from nexus_engine.disk import growing_lines

    put(growing_lines, "write_all", lambda handle, content: os.write(handle, content))


def _full_disk_of_one_run() -> None:
    from nexus_engine.sweeps.loop import _Sweep

    made = _Sweep._end

    def end(self: Any, ended: Any) -> Any:
        found = made(self, ended)
        self.full = False
        return found

    put(_Sweep, "_end", end)


def _on_the_disk(place: Path) -> Outcome:
    return check_sweep_disk.disk_fills(place, mounted=False)


SWEEP_MUTATIONS: dict[str, Mutation] = {
    "parent unseen": Mutation(
        "a run does not see that its sweep died",
        lambda: None,  # the check puts it into the processes of the runs
        lambda place, name: check_sweeps.killed(place, [(check_sweeps.START, 1.5)], unseen=True),
        "live on",
    ),
    "cell without lock": Mutation(
        "a run of a sweep begins without the lock",
        _cell_without_lock,
        lambda place, name: check_folder.locked(place, 1, name),
        "was changed",
    ),
    "log for everybody": Mutation(
        "a new folder's log is made over another's",
        _log_for_everybody,
        lambda place, name: check_creators.created_at_once(place, 150, name),
        "winners",
    ),
    "first write": Mutation(
        "a short write is taken for a whole one",
        _first_write_is_all,
        here(_on_the_disk),
        "a short write",
    ),
    "one run's disk": Mutation(
        "runs are started into a full disk",
        _full_disk_of_one_run,
        here(_on_the_disk),
        "were started",
    ),
}
