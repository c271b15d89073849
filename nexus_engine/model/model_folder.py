"""Read and check the small files of a model folder. No code in them is run.

The folder is that of a BertModel, as transformers or sentence-transformers save it:

    config.json                        sizes
    tokenizer.json                     WordPiece or Unigram
    modules.json                       Transformer, Pooling and perhaps Normalize
    1_Pooling/config.json              pooling_mode_cls_token: true, or pooling_mode: "cls"
    sentence_bert_config.json          max_seq_length, do_lower_case
    config_sentence_transformers.json  prompts

Without `modules.json`, the mean of the token vectors is pooled, as sentence-transformers does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nexus_engine.disk.regular_files import read_json, read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.known_models import known_of_folder
from nexus_engine.model.shape import EncoderShape, ModelShape, Pooling, Prompts, TokenizerKind

__all__ = ["MAX_TOKENIZER_BYTES", "read_model_folder"]

MAX_TOKENIZER_BYTES = 64_000_000
"""Size of `tokenizer.json`: 0.5 MB for BERT's vocabulary, 17 MB for that of XLM-R."""
MAX_READ = 512
"""Tokens of a text that NEXUS reads at most (`--max-length`)."""
MAX_SIZES = {
    "vocab_size": 2_000_000,
    "max_position_embeddings": 65_536,
    "hidden_size": 4_096,
    "num_hidden_layers": 48,
    "num_attention_heads": 256,
    "intermediate_size": 16_384,
    "type_vocab_size": 16,
}
"""Sizes beyond these are no encoder that trains on one machine; most are a mistake in the file."""
MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
PASSAGE_PROMPTS = ("passage", "document", "corpus")
"""The names that sentence-transformers looks up for `encode_document`."""
MODEL_TYPE = re.compile(rb'"model"\s*:\s*\{')


def read_model_folder(folder: Path, *, with_dense: bool = False) -> ModelShape:
    """The model in `folder`, whose weights are not opened.

    `with_dense` allows Dense modules behind the pooling, which the caller reads.

    Raises:
        ModelError: a file is missing or damaged, or NEXUS would not run the model as its author
            intended.
    """
    try:
        is_folder = folder.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        is_folder = False
    if not is_folder:
        raise ModelError(f"{one_line(folder, 200)}: no such model folder")
    if not (folder / "model.safetensors").is_file():
        raise ModelError(
            f"{one_line(folder)}: no model.safetensors there (pickled weights are never opened)"
        )
    encoder = _encoder(folder / "config.json")
    pooling, normalise = _modules(folder, with_dense=with_dense)
    max_tokens, lower_case = _length(folder, encoder.positions)
    return ModelShape(
        encoder=encoder._replace(pooling=pooling),
        normalise=normalise,
        max_tokens=max_tokens,
        prompts=_prompts(folder),
        lower_case=lower_case,
        tokenizer=_tokenizer_kind(folder / "tokenizer.json"),
    )


def _read(path: Path) -> Any:
    try:
        return read_json(path, follow=True)
    except FileNotFoundError:
        raise ModelError(f"{one_line(path)}: missing from the model folder") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: unreadable ({error.strerror})") from None
    except ValueError as error:
        raise ModelError(f"{one_line(path)}: unreadable ({type(error).__name__})") from None


def _read_optional(path: Path) -> dict[str, Any]:
    """The JSON object in a file that a folder may lack."""
    try:
        if not path.exists():
            return {}
    except OSError:
        return {}
    found = _read(path)
    if not isinstance(found, dict):
        raise ModelError(f"{one_line(path)}: unreadable (not an object)")
    return found


def _encoder(path: Path) -> EncoderShape:
    """The sizes in `config.json`; refuses what is no BERT."""
    config = _read(path)
    if not isinstance(config, dict):
        raise ModelError(f"{one_line(path)}: unreadable (not an object)")
    kind = config.get("model_type")
    if kind != "bert":
        raise ModelError(
            f"{one_line(path)}: model_type is {one_line(kind, 40)}; NEXUS runs encoders of BERT's "
            "shape alone (model_type bert)"
        )
    if "auto_map" in config:
        raise ModelError(
            f"{one_line(path)}: names its own code (auto_map), and code in a model folder is never "
            "run"
        )
    fixed = {
        "hidden_act": ("gelu", config.get("hidden_act")),
        "position_embedding_type": ("absolute", config.get("position_embedding_type", "absolute")),
        "is_decoder": (False, config.get("is_decoder", False)),
        "add_cross_attention": (False, config.get("add_cross_attention", False)),
    }
    for key, (wanted, actual) in fixed.items():
        if actual != wanted:
            raise ModelError(
                f"{one_line(path)}: {key} is {one_line(actual, 40)}; NEXUS runs only "
                f"{one_line(wanted, 40)}"
            )
    sizes = {name: _size(path, config, name) for name in MAX_SIZES}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ModelError(
            f"{one_line(path)}: hidden_size {sizes['hidden_size']} is no multiple of "
            f"num_attention_heads {sizes['num_attention_heads']}"
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float | int) or isinstance(epsilon, bool) or not 0 <= epsilon < 1:
        raise ModelError(f"{one_line(path)}: layer_norm_eps is {one_line(epsilon, 40)}")
    return EncoderShape(
        vocabulary=sizes["vocab_size"],
        positions=sizes["max_position_embeddings"],
        width=sizes["hidden_size"],
        layers=sizes["num_hidden_layers"],
        heads=sizes["num_attention_heads"],
        inner=sizes["intermediate_size"],
        norm_epsilon=float(epsilon),
        segments=sizes["type_vocab_size"],
    )


def _size(path: Path, config: dict[str, Any], name: str) -> int:
    value = config.get(name, 2 if name == "type_vocab_size" else None)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SIZES[name]:
        raise ModelError(
            f"{one_line(path)}: {name} is {one_line(value, 40)}; NEXUS runs 1 to {MAX_SIZES[name]}"
        )
    return value


def _modules(folder: Path, *, with_dense: bool) -> tuple[Pooling, bool]:
    """The pooling, and whether vectors are brought to length 1; refuses other modules."""
    path = folder / "modules.json"
    if not path.is_file():
        return "mean", False
    entries = _read(path)
    entries = entries if isinstance(entries, list) else []
    modules = [entry for entry in entries if isinstance(entry, dict)]
    types = [str(entry.get("type", "")) for entry in modules]
    names = [type_name.rsplit(".", 1)[-1] for type_name in types]
    if with_dense:
        names = [name for name in names if name != "Dense"]
    official = all(type_name.startswith("sentence_transformers.") for type_name in types)
    if not official or names not in (
        ["Transformer", "Pooling"],
        ["Transformer", "Pooling", "Normalize"],
    ):
        raise ModelError(
            f"{one_line(path)}: modules {one_line(names, 80)} are not Transformer, Pooling "
            "(and Normalize), and code in a model folder is never run"
        )
    if modules[0].get("path", "") not in ("", ".", "./"):
        raise ModelError(
            f"{one_line(path)}: its Transformer lies in {one_line(modules[0].get('path'), 40)}; "
            "NEXUS reads one that lies in the model folder itself"
        )
    place = str(modules[1].get("path", "1_Pooling"))
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", place):
        raise ModelError(f"{one_line(path)}: its Pooling lies in {one_line(place, 40)}")
    return _pooling(folder / place / "config.json"), names[-1] == "Normalize"


def _pooling(path: Path) -> Pooling:
    """The pooling in its module's configuration; the mean without one."""
    config = _read_optional(path)
    mode = config.get("pooling_mode")
    if mode is None:
        active = [mode for key, mode in MODES.items() if config.get(key) is True]
        mode = active[0] if len(active) == 1 else active or "mean"
    if isinstance(mode, list) and len(mode) == 1:
        mode = mode[0]
    if config.get("include_prompt", True) is not True:
        raise ModelError(
            f"{one_line(path)}: leaves prompts out of the pooling (include_prompt), which NEXUS "
            "does not"
        )
    if mode == "mean":
        return "mean"
    if mode == "cls":
        return "cls"
    raise ModelError(
        f"{one_line(path)}: pooling {one_line(mode, 60)}; NEXUS pools by the mean or by cls"
    )


def _length(folder: Path, positions: int) -> tuple[int, bool]:
    """The tokens of a text that the model reads, and whether texts are lowered before."""
    path = folder / "sentence_bert_config.json"
    own = _read_optional(path)
    length = own.get("max_seq_length")
    if length is None:
        length = _read_optional(folder / "tokenizer_config.json").get("model_max_length")
        if not isinstance(length, int) or isinstance(length, bool) or length > positions:
            length = positions  # transformers writes 1e30 where nothing is known
    if not isinstance(length, int) or isinstance(length, bool) or not length > 2:
        raise ModelError(f"{one_line(path)}: max_seq_length is {one_line(length, 40)}")
    return min(length, positions, MAX_READ), own.get("do_lower_case") is True


def _prompts(folder: Path) -> Prompts:
    """The prompts in the folder; those of its authors where it names none and is known."""
    path = folder / "config_sentence_transformers.json"
    named = _read_optional(path).get("prompts") or {}
    if not isinstance(named, dict) or not all(
        isinstance(text, str) and len(text) <= 1000 for text in named.values()
    ):
        raise ModelError(f"{one_line(path)}: prompts are not texts of at most 1,000 characters")
    query = named.get("query", "")
    passage = next((named[name] for name in PASSAGE_PROMPTS if named.get(name)), "")
    if query or passage:
        return Prompts(query, passage)
    known = known_of_folder(folder)
    return Prompts() if known is None or known.prompts is None else known.prompts


def _tokenizer_kind(path: Path) -> TokenizerKind:
    """WordPiece or Unigram, from `tokenizer.json`, which the tokenizer itself reads in full.

    Parsing 17 MB takes 0.3 s, so only the head of its model is looked at.
    """
    try:
        content = read_regular(path, MAX_TOKENIZER_BYTES, follow=True)
    except FileNotFoundError:
        raise ModelError(f"{one_line(path)}: missing from the model folder") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    found = MODEL_TYPE.search(content)
    head = b"" if found is None else content[found.end() : found.end() + 400]
    named = re.search(rb'"type"\s*:\s*"(\w+)"', head)
    kind = b"" if named is None else named.group(1)
    if not kind and b'"continuing_subword_prefix"' in head:
        kind = b"WordPiece"
    if kind == b"WordPiece":
        return "WordPiece"
    if kind == b"Unigram":
        return "Unigram"
    shown = one_line(kind.decode("ascii", "replace") or "unknown", 40)
    raise ModelError(
        f"{one_line(path)}: a tokenizer of the kind {shown}; NEXUS reads WordPiece and Unigram"
    )
