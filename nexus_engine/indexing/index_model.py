"""The model of an index: who it is, and the copy of its trained weights that the index keeps.

With its own copy an index answers by the model that made its vectors, whatever happens to the run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import threading
from pathlib import Path

import msgspec

from nexus_engine.disk.files import make_folder, sync, write_new
from nexus_engine.disk.regular_files import read_regular
from nexus_engine.disk.tensor_files import MAX_WEIGHT_BYTES
from nexus_engine.errors import ModelError, RunError, one_line
from nexus_engine.indexing.index_card import IndexCard, ModelIdentity, read_card
from nexus_engine.model.base_model import find_base_model
from nexus_engine.runs.folder import find_run
from nexus_engine.runs.model_fingerprint import fingerprint_of, model_fingerprint
from nexus_engine.runs.saved_model import (
    CARD_FILE as MODEL_CARD,
)
from nexus_engine.runs.saved_model import (
    EXPORT_CARD,
    LoadedModel,
    ModelCard,
    computing,
    intact_card,
    is_base,
    load_model,
    load_saved,
    named_base,
)
from nexus_engine.scoring.querying import Embedder
from nexus_engine.system.user_paths import user_path

__all__ = [
    "embedder_of",
    "folder_name",
    "identity_of",
    "keep_copy",
    "latest_identity",
    "load_copy",
    "named_identity",
    "not_its_model",
    "read_index",
    "refresh_command",
]


def identity_of(loaded: LoadedModel, name: str) -> ModelIdentity:
    """Who the model is that `load_model(name)` read."""
    weights = None if loaded.card is None else loaded.card.weights_sha256
    return ModelIdentity(
        source=name if weights is None else str(_named_folder(name)),
        fingerprint=model_fingerprint(loaded),
        base_sha256=loaded.base.sha256,
        weights_sha256=weights,
        max_tokens=loaded.tokenizer.max_tokens,
        folder=None if weights is None else folder_name(weights),
    )


def folder_name(weights_sha256: str) -> str:
    """The name of the copy's folder in an index."""
    return f"model-{weights_sha256[:16]}"


def named_identity(name: str) -> ModelIdentity:
    """Who the model `name` is now, as `load_model` would read it; its weights are only hashed.

    Raises:
        ModelError: the model is missing or damaged.
        RunError: there is no run of that name.
    """
    if is_base(name):
        base = named_base(name)
        tokens = base.shape.max_tokens
        return ModelIdentity(
            source=name,
            fingerprint=fingerprint_of(
                base.sha256, base.tokenizer_sha256, None, tokens, base.shape
            ),
            base_sha256=base.sha256,
            max_tokens=tokens,
        )
    folder = _saved_folder(name)
    card = intact_card(folder)
    if card is None:
        raise ModelError(f"{one_line(folder, 200)}: no intact model there; train, or name another")
    return ModelIdentity(
        source=str(_named_folder(name)),
        fingerprint=_saved_fingerprint(card),
        base_sha256=card.base_sha256,
        weights_sha256=card.weights_sha256,
        max_tokens=card.max_tokens,
        folder=folder_name(card.weights_sha256),
    )


def _saved_fingerprint(card: ModelCard) -> str:
    tokenizer = card.tokenizer_sha256
    if tokenizer is None:  # in a card of an earlier version
        tokenizer = find_base_model(card.base_folder).tokenizer_sha256
    return fingerprint_of(card.base_sha256, tokenizer, card, card.max_tokens)


def read_index(index: Path) -> IndexCard:
    """The card of the index in `index`; one of an earlier version gets its model's fingerprint.

    Raises:
        DataError: there is no index, or its card is damaged or of a later version.
    """
    card = read_card(index)
    model = card.model
    if model.fingerprint:
        return card
    try:
        if model.folder is None:
            tokenizer = named_base(model.source).tokenizer_sha256
            found = fingerprint_of(model.base_sha256, tokenizer, None, model.max_tokens)
        else:
            saved = intact_card(index / model.folder)
            found = "" if saved is None else _saved_fingerprint(saved)
    except ModelError:
        return card  # it is no other model's either; loading it tells what is wrong
    return msgspec.structs.replace(card, model=msgspec.structs.replace(model, fingerprint=found))


def latest_identity(source: str) -> ModelIdentity | None:
    """Who the model of `source` is now; None if it is gone or has no intact model."""
    if is_base(source):
        return None
    try:
        return named_identity(source)
    except (ModelError, RunError, OSError, ValueError):
        return None


def refresh_command(index: Path, *options: str) -> str:
    """The command that refreshes the index, with `options`."""
    return shlex.join(("nexus", "index", "refresh", str(index), *options))


def not_its_model(index: Path, name: str) -> ModelError:
    """The refusal of the model `name` by an index whose vectors are by another."""
    command = refresh_command(index, "--model", name)
    return ModelError(
        f"{one_line(index, 200)}: its vectors are not by {one_line(name, 100)}; refresh it: "
        f"{one_line(command, 300)}"
    )


def _named_folder(name: str) -> Path:
    folder = user_path(name, ModelError)
    if os.path.lexists(folder / MODEL_CARD):
        return folder.absolute()
    if os.path.lexists(folder / EXPORT_CARD):
        raise ModelError(
            f"{one_line(name, 200)}: an exported folder; an index keeps the few weights that a run "
            "trained, so name the run that it was exported from"
        )
    return find_run(name).path.resolve()


def _saved_folder(name: str) -> Path:
    folder = _named_folder(name)
    return folder if os.path.lexists(folder / MODEL_CARD) else find_run(name).best


def keep_copy(index: Path, identity: ModelIdentity, name: str) -> None:
    """Copy the trained weights of the model `name` into `index`, unless they are there.

    Raises:
        ModelError: the model was replaced while it was copied.
    """
    if identity.folder is None:
        return
    copy = index / identity.folder
    if _is_copy(copy, identity):
        return
    shutil.rmtree(copy, ignore_errors=True)
    saved = _saved_folder(name)
    make_folder(copy)
    card = intact_card(saved)
    if card is not None:
        for file in (card.weights_file, MODEL_CARD):  # the card last: it makes the copy valid
            write_new(copy / file, read_regular(saved / file, MAX_WEIGHT_BYTES))
        sync(copy)
    if not _is_copy(copy, identity):
        raise ModelError(f"{one_line(name, 200)}: its model changed while it was read; try again")


def _is_copy(copy: Path, identity: ModelIdentity) -> bool:
    try:
        card = intact_card(copy)
    except ModelError:
        return False
    return card is not None and card.weights_sha256 == identity.weights_sha256


def load_copy(
    index: Path, identity: ModelIdentity, *, bf16: bool = False, device: str = "cpu"
) -> LoadedModel:
    """The model of the index in the folder `index`, computed as by `load_model`.

    Raises:
        ConfigError: this machine lacks the device.
        ModelError: the copy is damaged, or the base model on this machine is another.
    """
    if identity.folder is None:
        loaded = load_model(identity.source)
    else:
        loaded = load_saved(index / identity.folder, one_line(Path(identity.source).name, 60))
    weights = None if loaded.card is None else loaded.card.weights_sha256
    if (loaded.base.sha256, weights) != (identity.base_sha256, identity.weights_sha256):
        raise ModelError(
            f"{one_line(index)}: its vectors are of another model than the weights here "
            "(SHA-256); build the index again"
        )
    return computing(loaded, bf16=bf16, device=device)


def embedder_of(loaded: LoadedModel) -> Embedder:
    """What embeds texts by `loaded`."""
    return Embedder.of(loaded, threading.Lock())
