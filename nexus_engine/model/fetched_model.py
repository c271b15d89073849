"""What the first fetch of a known model brought, so that later reads can tell a change.

The hashes of most published models are not known to NEXUS. `nexus fetch model` records the commit
and the SHA-256 of what came, in `fetched-models.json` in NEXUS's data folder; from then on other
files under that name are refused. The record trusts the first fetch.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from nexus_engine.disk.files import make_folder, replace_json
from nexus_engine.disk.regular_files import read_json, sha256_of
from nexus_engine.errors import ConfigError, ModelError, one_line
from nexus_engine.model.known_models import KnownModel
from nexus_engine.system.user_paths import data_folder

__all__ = ["FetchedModel", "check_as_fetched", "fetched_models", "file_digest", "record_first"]

FILE = "fetched-models.json"
MAX_BYTES = 2_000_000_000
"""Size of a file in a model folder; an encoder of 24 layers, 1024 wide, takes 1.3 GB."""


class FetchedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fetched model: its repository, the commit, and the SHA-256 of weights and tokenizer."""

    repository: str
    revision: str
    weights_sha256: str
    tokenizer_sha256: str


def fetched_models() -> dict[str, FetchedModel]:
    """The records by the models' names; none without a home folder.

    Raises:
        ModelError: the file is damaged.
    """
    path = _path()
    if path is None:
        return {}
    try:
        return msgspec.convert(read_json(path), dict[str, FetchedModel])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ModelError(
            f"{one_line(path)}: damaged ({type(error).__name__}); remove it and fetch again"
        ) from None


def record_first(known: KnownModel, folder: Path) -> bool:
    """Record what came in `folder`, a snapshot of the cache; False if there was a record.

    Raises:
        ModelError: the record is damaged or cannot be written, or a file of the model is missing.
    """
    path, records = _path(), fetched_models()
    if path is None or known.name in records:
        return False
    records[known.name] = FetchedModel(
        repository=known.repository,
        revision=folder.name,
        weights_sha256=file_digest(folder / "model.safetensors"),
        tokenizer_sha256=file_digest(folder / "tokenizer.json"),
    )
    try:
        make_folder(path.parent)
        replace_json(path, records)
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    return True


def file_digest(path: Path) -> str:
    """SHA-256 of a file. Follows links, since the Hugging Face cache consists of them.

    Raises:
        ModelError: it is missing, or cannot be read.
    """
    try:
        return sha256_of(path, MAX_BYTES, follow=True)
    except FileNotFoundError:
        raise ModelError(f"{one_line(path)}: missing from the model folder") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None


def check_as_fetched(known: KnownModel, weights_sha256: str, tokenizer_sha256: str) -> None:
    """Refuse files that are neither the published ones nor those that the first fetch brought.

    Raises:
        ModelError: they differ.
    """
    record = fetched_models().get(known.name)
    expected = (
        known.weights_sha256 or (None if record is None else record.weights_sha256),
        known.tokenizer_sha256 or (None if record is None else record.tokenizer_sha256),
    )
    for wanted, found in zip(expected, (weights_sha256, tokenizer_sha256), strict=True):
        if wanted is not None and wanted != found:
            raise ModelError(
                f"{known.name}: its files differ from those that were fetched first (SHA-256 "
                f"{found[:12]}…, recorded {one_line(wanted, 12)}…); remove the folder from the "
                "cache and fetch it again, or name the folder: --base DIR"
            )


def _path() -> Path | None:
    try:
        return data_folder() / FILE
    except ConfigError:
        return None
