"""The trained weights of a run on disk, and models by name: a run, a folder, or `base`.

A saved model is a folder with `model.json` and the weights file that it names. In the `dendrites`
regime that file holds the dendrites alone, kilobytes, and the base model is found anew at loading
and must be the same by SHA-256. `model.json` is replaced in one step after the weights are on the
disk, so the folder always holds a whole model.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nexus_engine.config import Nonlinearity, Tune
from nexus_engine.disk.files import make_folder, replace_file, replace_json
from nexus_engine.disk.regular_files import read_json, sha256_of
from nexus_engine.disk.tensor_files import MAX_WEIGHT_BYTES, write_tensors
from nexus_engine.errors import ModelError, one_line
from nexus_engine.events import MAX_EPOCHS, is_correlation
from nexus_engine.model.base_model import BaseModel, find_base_model, load_encoder
from nexus_engine.model.dendrites import UNIT_PARAMETERS
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.runs.folder import find_run
from nexus_engine.system.ownership import not_permitted
from nexus_engine.system.user_paths import user_path

__all__ = [
    "LoadedModel",
    "check_finite",
    "held_card",
    "load_model",
    "save_model",
]


WEIGHTS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
TRAINED: dict[Tune, tuple[str, ...]] = {
    "dendrites": (),
    "adapter": ("adapter.",),
    "full": ("adapter.", "encoder."),
}
"""Beginnings of the names of the weights, dendrites apart, that a regime's file must hold."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model.json`: what the weights are and where they fit. Holds no sentence of the data."""

    format: int = 1
    tune: Tune
    nonlinearity: Nonlinearity
    base_sha256: str
    base_folder: str | None
    weights_file: str
    weights_sha256: str
    epoch: int
    dev_spearman: float
    params_added: int
    data_name: str
    data_fingerprint: str
    tokenizer_sha256: str | None = None
    """Of the base model's `tokenizer.json`; None in a card of an earlier version."""


class LoadedModel(NamedTuple):
    """A model ready to embed sentences. `name` is printable; `card` None is the base model."""

    name: str
    model: SentenceModel
    tokenizer: Tokenizer
    base: BaseModel
    card: ModelCard | None


def save_model(folder: Path, snapshot: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Make `snapshot` the model that `folder` holds; `facts` are the card's other fields."""
    make_folder(folder, inside_run=True)
    name = f"weights-{facts['epoch']:04d}.safetensors"
    number = 0
    while (folder / name).exists():  # never write over the file that the present card names
        number += 1
        name = f"weights-{facts['epoch']:04d}-{number}.safetensors"
    written = replace_file(folder / name, lambda temporary: write_tensors(temporary, snapshot))
    card = ModelCard(weights_file=name, weights_sha256=written["sha256"], **facts)
    replace_json(folder / "model.json", card)
    for old in folder.glob("weights-*.safetensors*"):
        if old.name != name:
            old.unlink(missing_ok=True)


def _read_card(folder: Path) -> ModelCard:
    path = folder / "model.json"
    try:
        card = msgspec.convert(read_json(path), ModelCard, strict=False)
    except FileNotFoundError:
        raise ModelError(
            f"{one_line(folder)}: no trained model there yet (model.json is missing)"
        ) from None
    except PermissionError:
        raise ModelError(f"{one_line(path)}: {not_permitted(path)}") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: not a model card ({error.strerror})") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise ModelError(f"{one_line(path)}: not a model card ({one_line(error, 120)})") from None
    if not WEIGHTS_NAME.fullmatch(card.weights_file) or card.format != 1:
        raise ModelError(f"{one_line(path)}: not a model card of this version")
    sound = 0 <= card.epoch <= MAX_EPOCHS and card.params_added >= 0
    if not sound or not is_correlation(card.dev_spearman):
        raise ModelError(f"{one_line(path)}: not a model card (a number is out of range)")
    return card


def held_card(folder: Path) -> ModelCard | None:
    """The card of the whole model that `folder` holds; None where there is none or it is damaged.

    Raises:
        ModelError: the card is unreadable.
    """
    if not os.path.lexists(folder / "model.json"):
        return None
    card = _read_card(folder)
    try:
        digest = sha256_of(folder / card.weights_file, MAX_WEIGHT_BYTES)
        whole = digest == card.weights_sha256
    except OSError:
        whole = False
    return card if whole else None


def apply_weights(model: SentenceModel, tensors: dict[str, Tensor], path: Path) -> None:
    """Put a snapshot's tensors into `model`: every name must be known, every shape and type fit.

    Raises:
        ModelError: an unknown name, a shape or type that does not fit, a weight that is not finite.
    """
    parameters = dict(model.named_parameters())
    known = model.sites()
    units: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"{one_line(path)}: weight {one_line(name, 60)} is {kind}, expected float32"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{one_line(path)}: weight {one_line(name, 60)} is not finite")
        owner, _, leaf = name.rpartition(".")
        site = owner.removeprefix("encoder.layers.")
        if leaf in UNIT_PARAMETERS and site in known:
            units.setdefault(site, {})[leaf] = tensor
        elif name in parameters and parameters[name].shape == tensor.shape:
            with torch.no_grad():
                parameters[name].copy_(tensor)
        else:
            raise ModelError(f"{one_line(path)}: weight {one_line(name, 60)} does not fit")
    for name, held in units.items():
        if not known[name].fits(held):
            raise ModelError(f"{one_line(path)}: the dendrites of {one_line(name, 60)} do not fit")
        known[name].load_units(held)


def load_saved(folder: Path, name: str) -> LoadedModel:
    """The model that `folder` holds.

    Raises:
        ModelError: it is incomplete, damaged, or made for other base weights.
    """
    card = _read_card(folder)
    base = find_base_model(card.base_folder)
    if base.sha256 != card.base_sha256:
        raise ModelError(
            f"{one_line(folder)}: trained on other base weights (SHA-256 "
            f"{one_line(card.base_sha256, 13)}, found {base.sha256[:12]}…)"
        )
    if card.tokenizer_sha256 not in (None, base.tokenizer_sha256):
        raise ModelError(
            f"{one_line(folder)}: trained with another tokenizer than "
            f"{one_line(base.folder / 'tokenizer.json')} (its SHA-256 differs); bring that one back"
        )
    path = folder / card.weights_file
    try:
        if sha256_of(path, MAX_WEIGHT_BYTES) != card.weights_sha256:
            raise ModelError(f"{one_line(path)}: damaged (its SHA-256 is not the card's)")
        tensors = load_file(path)
    except PermissionError:
        raise ModelError(f"{one_line(path)}: {not_permitted(path)}") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    except (ValueError, SafetensorError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    model = build_model(base, card.tune)
    for site in model.sites().values():
        site.nonlinearity = card.nonlinearity
    needed = {name for name, _ in model.named_parameters() if name.startswith(TRAINED[card.tune])}
    for missing in sorted(needed - tensors.keys()):
        raise ModelError(f"{one_line(path)}: weight {one_line(missing, 60)} is missing")
    apply_weights(model, tensors, path)
    return LoadedModel(name, model.eval(), Tokenizer(base.folder), base, card)


def load_model(asked: str, *, bf16: bool = False) -> LoadedModel:
    """The model that `base`, a run (name, folder or `latest`) or a folder of a model means.

    With `bf16` its products are made in bfloat16: twice as fast where the CPU has it, and
    similarities are off by about 0.001.

    Raises:
        ModelError: the model is missing or damaged.
        RunError: nothing goes by that name.
    """
    loaded = _found(asked)
    if bf16:
        loaded.model.dtype = torch.bfloat16
    return loaded


def _found(asked: str) -> LoadedModel:
    if asked == "base":
        base = find_base_model()
        model = SentenceModel(load_encoder(base))
        return LoadedModel("base", model.eval(), Tokenizer(base.folder), base, None)
    given = user_path(asked, ModelError)
    with contextlib.suppress(OSError, ValueError):
        if os.path.lexists(given / "model.json"):
            return load_saved(given, one_line(given.name, 60))
    run = find_run(asked)
    return load_saved(run.best, run.name)


def check_finite(vectors: Tensor, name: str) -> Tensor:
    """`vectors` (n, width), embeddings by the model `name`, when their lengths are finite.

    Raises:
        ModelError: one is not: the weights, finite each, are too large to compute with.
    """
    if not bool(torch.isfinite(torch.linalg.vector_norm(vectors, dim=-1)).all()):
        raise ModelError(
            f"{one_line(name, 100)}: its embeddings are not finite: the weights are too large to "
            "compute with, so damaged or of no use; train anew"
        )
    return vectors
