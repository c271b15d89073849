"""The model that is asked: the base model alone, or a run with the weights it has on disk now."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["BASE_ALONE", "QueriedModel", "Stamp", "stamp_of"]

Stamp = tuple[int, int, int]
"""Changes with the weights: time, inode and size of the file that is written last."""


class QueriedModel(NamedTuple):
    """The model that is asked: a run by its folder; None for the base model alone."""

    name: str
    run: Path | None

    @property
    def best(self) -> Path | None:
        """The folder of its best weights."""
        return None if self.run is None else self.run / "best"


BASE_ALONE = QueriedModel("base", None)


def stamp_of(model: QueriedModel) -> Stamp | None:
    """Which weights the target has on disk now."""
    if model.best is None:
        return None
    try:
        found = (model.best / "model.json").lstat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
