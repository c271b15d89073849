"""The base models on this machine, and the known ones that are not. No weight is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nexus_engine.disk.regular_files import size_of
from nexus_engine.errors import ModelError
from nexus_engine.model.base_model import find_folders
from nexus_engine.model.fetched_model import fetched_models
from nexus_engine.model.known_models import KNOWN, KnownModel
from nexus_engine.model.model_folder import read_model_folder
from nexus_engine.model.shape import ModelShape

__all__ = ["ListedModel", "list_models"]


class ListedModel(NamedTuple):
    """A known model: where it lies, its shape and size in bytes; all None if it is not here.

    `problem` is one line about a folder that cannot be used. `is_recorded` says whether its hashes
    are known: published, or recorded at the first fetch.
    """

    name: str
    repository: str
    folder: Path | None = None
    origin: str = ""
    shape: ModelShape | None = None
    size_bytes: int | None = None
    problem: str = ""
    is_recorded: bool = False


def list_models() -> list[ListedModel]:
    """Every known model, those that are here first, in the order of `KNOWN`.

    Raises:
        ModelError: the record of fetched models is damaged.
    """
    recorded = fetched_models()
    listed = [_listed(known, recorded=known.name in recorded) for known in KNOWN.values()]
    return sorted(listed, key=lambda model: model.folder is None)


def _listed(known: KnownModel, *, recorded: bool) -> ListedModel:
    model = ListedModel(
        known.name,
        known.repository,
        is_recorded=recorded or known.weights_sha256 is not None,
    )
    for folder, origin in find_folders(known):
        model = model._replace(folder=folder, origin=origin)
        try:
            shape = read_model_folder(folder)
            size = sum(_sizes(folder))
        except ModelError as error:
            model = model._replace(problem=model.problem or str(error))
            continue
        return model._replace(shape=shape, size_bytes=size, problem="")
    return model


def _sizes(folder: Path) -> Iterator[int]:
    """The bytes of the weights and of the tokenizer."""
    for name in ("model.safetensors", "tokenizer.json"):
        try:
            yield size_of(folder / name, follow=True)
        except OSError as error:
            raise ModelError(f"{folder / name}: {error.strerror}") from None
