"""The queried model: the base model alone, or a run with its present weights on disk."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nexus_engine.disk.regular_files import FileStamp
from nexus_engine.disk.regular_files import stamp_of as file_stamp

__all__ = ["BASE_ALONE", "QueriedModel", "Stamp", "stamp_of"]

Stamp = FileStamp
"""The stamp of `model.json`, which a run writes last when it saves weights."""


class QueriedModel(NamedTuple):
    """A model by its name and run folder; `run` is None for the base model alone."""

    name: str
    run: Path | None

    @property
    def best(self) -> Path | None:
        """The folder of the run's best weights."""
        return None if self.run is None else self.run / "best"


BASE_ALONE = QueriedModel("base", None)


def stamp_of(model: QueriedModel) -> Stamp | None:
    """The stamp of the model's weights on disk; None for the base model or without weights."""
    return None if model.best is None else file_stamp(model.best / "model.json")
