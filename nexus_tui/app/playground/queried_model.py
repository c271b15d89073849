"""The model that is asked: the base model alone, or a run with the weights it has on disk now."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nexus_engine.disk.regular_files import FileStamp
from nexus_engine.disk.regular_files import stamp_of as file_stamp

__all__ = ["BASE_ALONE", "QueriedModel", "Stamp", "stamp_of"]

Stamp = FileStamp
"""Of the file of the weights that is written last."""


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
    return None if model.best is None else file_stamp(model.best / "model.json")
