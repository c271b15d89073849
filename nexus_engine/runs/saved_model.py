"""Saving the trained weights of a run, and loading a model by name: a run, a folder, or `base`.

A saved model is a folder with `model.json` (the card) and the weights file that the card names. In
the `dendrites` regime that file holds only the dendrites, a few kilobytes; loading finds the base
model again and compares its SHA-256. The card is replaced in one step once the weights are on the
disk, so the folder always holds a complete model.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nexus_engine.config import Tune
from nexus_engine.disk.files import make_folder, replace_file, replace_json
from nexus_engine.disk.regular_files import sha256_of
from nexus_engine.disk.tensor_files import MAX_WEIGHT_BYTES, write_tensors
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.base_model import WEIGHTS_SHA256, BaseModel, find_base_model
from nexus_engine.model.dendrites import UNIT_PARAMETERS, DendriteLinear
from nexus_engine.model.device import usable_device
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.known_models import KNOWN
from nexus_engine.model.model_folder import read_model_folder
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel, identity_adapter
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.runs.folder import find_run
from nexus_engine.runs.saved_card import CARD_FILE, ModelCard, intact_card, read_saved_card
from nexus_engine.system.ownership import not_permitted
from nexus_engine.system.user_paths import user_path

__all__ = [
    "CARD_FILE",
    "EXPORT_CARD",
    "LoadedModel",
    "ModelCard",
    "base_of",
    "check_finite",
    "export_card",
    "intact_card",
    "is_base",
    "load_model",
    "load_models",
    "load_saved",
    "named_base",
    "save_model",
]

BASE = "base"
OTHER_BASE = "base:"
EXPORT_CARD = "nexus_model.json"
"""The card in an exported sentence-transformers folder."""
EXPORTED_WEIGHTS = "model.safetensors"
DENSE = "2_Dense"
"""The folder of an exported adapter."""
TRAINED: dict[Tune, tuple[str, ...]] = {
    "dendrites": (),
    "adapter": ("adapter.",),
    "full": ("adapter.", "encoder."),
}
"""Name prefixes of the weights, besides dendrites, that the file of a regime must hold."""


class LoadedModel(NamedTuple):
    """A model ready to embed sentences. `name` is printable; `card` is None for the base model."""

    name: str
    model: SentenceModel
    tokenizer: Tokenizer
    base: BaseModel
    card: ModelCard | None


def save_model(folder: Path, snapshot: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Replace the model in `folder` by `snapshot`; `facts` are the other fields of the card."""
    make_folder(folder, inside_run=True)
    name = f"weights-{facts['epoch']:04d}.safetensors"
    number = 0
    while (folder / name).exists():  # the present card may name that file
        number += 1
        name = f"weights-{facts['epoch']:04d}-{number}.safetensors"
    written = replace_file(folder / name, lambda temporary: write_tensors(temporary, snapshot))
    card = ModelCard(weights_file=name, weights_sha256=written["sha256"], **facts)
    replace_json(folder / CARD_FILE, card)
    for old in folder.glob("weights-*.safetensors*"):
        if old.name != name:
            old.unlink(missing_ok=True)


def export_card(card: ModelCard, weights: bytes) -> dict[str, Any]:
    """The card of an export of the model of `card` whose weights file has these bytes."""
    exported = msgspec.structs.replace(
        card,
        base_folder=None,  # a path of this machine
        weights_file=EXPORTED_WEIGHTS,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    fields: dict[str, Any] = msgspec.to_builtins(exported)
    return fields


def apply_weights(model: SentenceModel, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy a snapshot's `tensors`, read from `path`, into `model`.

    Raises:
        ModelError: a weight has an unknown name, the wrong shape or type, or is not finite.
    """
    parameters = dict(model.named_parameters())
    sites = model.sites()
    units_of: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"{one_line(path)}: weight {one_line(name, 60)} is {dtype}, expected float32"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{one_line(path)}: weight {one_line(name, 60)} is not finite")
        owner, _, leaf = name.rpartition(".")
        site = owner.removeprefix("encoder.layers.")
        if leaf in UNIT_PARAMETERS and site in sites:
            units_of.setdefault(site, {})[leaf] = tensor
        elif name in parameters and parameters[name].shape == tensor.shape:
            with torch.no_grad():
                parameters[name].copy_(tensor)
        else:
            raise ModelError(f"{one_line(path)}: weight {one_line(name, 60)} does not fit")
    for site, units in units_of.items():
        if not sites[site].fits(units):
            raise ModelError(f"{one_line(path)}: the dendrites of {one_line(site, 60)} do not fit")
        sites[site].load_units(units)


def load_saved(folder: Path, name: str) -> LoadedModel:
    """The model saved in `folder`, under the printable `name`.

    Raises:
        ModelError: the model is incomplete or damaged, or was trained on another base model.
    """
    card = read_saved_card(folder)
    base = find_base_model(card.base_folder)
    if base.sha256 != card.base_sha256:
        raise ModelError(
            f"{one_line(folder)}: trained on other base weights (SHA-256 "
            f"{one_line(card.base_sha256, 13)}, found {base.sha256[:12]}…)"
        )
    if card.tokenizer_sha256 not in (None, base.tokenizer_sha256):
        raise ModelError(
            f"{one_line(folder)}: trained with another tokenizer than "
            f"{one_line(base.folder / 'tokenizer.json')} (its SHA-256 differs); restore that file"
        )
    _check_reading(folder, card, base)
    path = folder / card.weights_file
    try:
        if sha256_of(path, MAX_WEIGHT_BYTES) != card.weights_sha256:
            raise ModelError(
                f"{one_line(path)}: damaged (its SHA-256 differs from {CARD_FILE}); train again"
            )
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
    weights = (name for name, _ in model.named_parameters())
    required = {weight for weight in weights if weight.startswith(TRAINED[card.tune])}
    for missing in sorted(required - tensors.keys()):
        raise ModelError(f"{one_line(path)}: weight {one_line(missing, 60)} is missing")
    apply_weights(model, tensors, path)
    tokenizer = Tokenizer(base.folder, card.max_tokens, base.shape)
    return LoadedModel(name, model.eval(), tokenizer, base, card)


def _check_reading(folder: Path, card: ModelCard, base: BaseModel) -> None:
    """Refuse a base model whose pooling or prompts have changed since the training."""
    if card.reading != (base.shape.encoder.pooling, base.shape.prompts):
        raise ModelError(
            f"{one_line(folder)}: trained with another pooling or other prompts than "
            f"{one_line(base.folder)} says now; restore 1_Pooling/config.json and "
            "config_sentence_transformers.json there"
        )


def load_model(
    name: str, *, bf16: bool = False, device: str = "cpu", base: str | None = None
) -> LoadedModel:
    """The model `name`: `base`, a run (name, folder or `latest`), or the folder of a model.

    The folder may be a sentence-transformers folder that `nexus export` wrote. `base:NAME` and
    `base:DIR` are other base models; `base` is the one that `base` says, by default the usual one.

    With `bf16` matrix products are computed in bfloat16: twice as fast on a CPU that supports it,
    and similarities differ by about 0.001. `device` is cpu, cuda or mps.

    Raises:
        ConfigError: this machine lacks the device.
        ModelError: the model is missing or damaged.
        RunError: there is no run of that name.
    """
    return computing(_load_by_name(name, base), bf16=bf16, device=device)


def computing(loaded: LoadedModel, *, bf16: bool, device: str) -> LoadedModel:
    """`loaded`, from now on computed so; see `load_model`."""
    loaded.model.to(usable_device(device))
    if bf16:
        loaded.model.dtype = torch.bfloat16
    return loaded


def load_models(names: Sequence[str], *, bf16: bool = False) -> list[LoadedModel]:
    """The models `names`; `base` among them is what the first trained one was trained from.

    Raises:
        ModelError, RunError: as `load_model`.
    """
    tuned = {name: load_model(name, bf16=bf16) for name in dict.fromkeys(names) if name != BASE}
    first = next((model for model in tuned.values() if model.card is not None), None)
    if BASE in names:
        tuned[BASE] = load_model(BASE, bf16=bf16) if first is None else base_of(first)
    return [tuned[name] for name in names]


def is_base(name: str) -> bool:
    """Whether `name` means an untrained base model: `base`, `base:NAME` or `base:DIR`."""
    return name == BASE or name.startswith(OTHER_BASE)


def named_base(name: str) -> BaseModel:
    """The base model that `is_base` accepts as a name.

    Raises:
        ModelError: it is missing or damaged.
    """
    return find_base_model(None if name == BASE else name.removeprefix(OTHER_BASE))


def base_of(loaded: LoadedModel) -> LoadedModel:
    """The base model of a tuned one, which reads as many tokens of a text."""
    model = SentenceModel(load_encoder(loaded.base)).eval().to(loaded.model.device)
    model.dtype = loaded.model.dtype
    return LoadedModel(BASE, model, loaded.tokenizer, loaded.base, None)


def _load_by_name(name: str, base_name: str | None) -> LoadedModel:
    if is_base(name):
        base = find_base_model(base_name) if name == BASE else named_base(name)
        model = SentenceModel(load_encoder(base))
        tokenizer = Tokenizer(base.folder, base.shape.max_tokens, base.shape)
        return LoadedModel(one_line(name, 60), model.eval(), tokenizer, base, None)
    folder = user_path(name, ModelError)
    with contextlib.suppress(OSError, ValueError):
        if os.path.lexists(folder / CARD_FILE):
            return load_saved(folder, one_line(folder.name, 60))
        if os.path.lexists(folder / EXPORT_CARD):
            return _load_exported(folder, one_line(folder.name, 60), base_name)
    run = find_run(name)
    return load_saved(run.best, run.name)


def _load_exported(folder: Path, name: str, base_name: str | None) -> LoadedModel:
    """The model in the sentence-transformers folder `folder`, as `nexus export` writes it.

    Raises:
        ModelError: it is damaged, or its adapter is a chain of modules.
    """
    card = read_saved_card(folder, EXPORT_CARD)
    base = _base_of_export(card, base_name)
    if base.sha256 != card.base_sha256:
        raise ModelError(
            f"{one_line(folder)}: exported from a model on other base weights (SHA-256 "
            f"{one_line(card.base_sha256, 13)}, found {base.sha256[:12]}…); name the run instead"
        )
    path = folder / EXPORTED_WEIGHTS
    try:
        digest = sha256_of(path, MAX_WEIGHT_BYTES)
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    if digest != card.weights_sha256:
        raise ModelError(
            f"{one_line(path)}: changed since its export (its SHA-256 differs from {EXPORT_CARD})"
        )
    shape = read_model_folder(folder, with_dense=True)
    exported = BaseModel(folder, "exported", digest, published=False, shape=shape)
    _check_reading(folder, card, exported)
    model = SentenceModel(load_encoder(exported))
    if os.path.lexists(folder / DENSE):
        if os.path.lexists(folder / "3_Dense"):
            raise ModelError(
                f"{one_line(folder)}: its adapter is a chain of Dense modules, which NEXUS does "
                "not read; name the run instead"
            )
        model.adapter = identity_adapter(model.encoder.shape.width)
        _copy_dense(folder / DENSE / EXPORTED_WEIGHTS, model.adapter)
    tokenizer = Tokenizer(folder, card.max_tokens, shape)
    return LoadedModel(name, model.eval(), tokenizer, base, card)


def _base_of_export(card: ModelCard, base_name: str | None) -> BaseModel:
    """The base model that an export is compared with: `base_name`, or one by its SHA-256."""
    if base_name is not None:
        return find_base_model(base_name)
    if card.base_sha256 != WEIGHTS_SHA256:
        for known in KNOWN.values():
            with contextlib.suppress(ModelError):
                found = find_base_model(known.name)
                if found.sha256 == card.base_sha256:
                    return found
    return find_base_model()


def _copy_dense(path: Path, layer: DendriteLinear) -> None:
    """Copy the weights of a Dense module at `path` into `layer`."""
    try:
        sha256_of(path, MAX_WEIGHT_BYTES)  # refuses what is no regular file
        tensors = load_file(path)
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    except (ValueError, SafetensorError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    expected = {"linear.weight": layer.weight, "linear.bias": layer.bias}
    for weight, parameter in expected.items():
        tensor = tensors.get(weight)
        if tensor is None or tensor.shape != parameter.shape or tensor.dtype != torch.float32:
            raise ModelError(f"{one_line(path)}: weight {weight} is missing or does not fit")
        with torch.no_grad():
            parameter.copy_(tensor)


def check_finite(vectors: Tensor, name: str) -> Tensor:
    """Return `vectors` (n, width), embeddings by the model `name`, if their lengths are finite.

    Raises:
        ModelError: a length is not finite: the weights, though finite, are too large.
    """
    if not bool(torch.isfinite(torch.linalg.vector_norm(vectors, dim=-1)).all()):
        raise ModelError(
            f"{one_line(name, 100)}: its embeddings are not finite: the weights are damaged or too "
            "large to compute with; train again"
        )
    return vectors
