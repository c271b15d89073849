"""The small files of a model folder: configuration, tokenizer, modules; one maximum length in all.

Readers take the maximum length from different files: transformers and fastembed from
`tokenizer_config.json`, sentence-transformers from `sentence_bert_config.json`, Rust readers from
`tokenizer.json`. The base model's own files say 512, 256 and 128. Here each says what the model was
trained with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nexus_engine.disk.json_text import parse_json
from nexus_engine.disk.regular_files import read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.encoder import EncoderShape
from nexus_engine.model.tokens import MAX_BYTES

__all__ = ["json_bytes", "module_files", "tokenizer_files"]

SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
POOLING_MODES = {
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
    "pooling_mode_weightedmean_tokens": False,
    "pooling_mode_lasttoken": False,
}
"""All six: a reader that requires one fails without it, or takes another pooling in silence."""


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file, keys in their own order: equal values give equal bytes."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def tokenizer_files(base_folder: Path, max_tokens: int) -> dict[str, bytes]:
    """The files of the configuration and the tokenizer by name, cutting at `max_tokens`.

    Raises:
        ModelError: the base model's `tokenizer.json` cannot be read or is not WordPiece.
    """
    path = base_folder / "tokenizer.json"
    try:
        tokenizer = parse_json(read_regular(path, MAX_BYTES, follow=True))
        vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        normalizer = tokenizer.get("normalizer") or {}
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{one_line(path)}: not a WordPiece tokenizer") from None
    tokenizer["truncation"] = {
        "direction": "Right",
        "max_length": max_tokens,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    tokenizer["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": vocabulary.get("[PAD]", 0),
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    own = {
        "do_lower_case": normalizer.get("lowercase", True),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        "strip_accents": normalizer.get("strip_accents"),
        "do_basic_tokenize": True,
        "never_split": None,
        **SPECIAL,
        "tokenizer_class": "BertTokenizer",
        "model_max_length": max_tokens,
    }
    compact = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    return {
        "config.json": json_bytes(_configuration()),
        "special_tokens_map.json": json_bytes(SPECIAL),
        "tokenizer.json": compact.encode(),
        "tokenizer_config.json": json_bytes(own),
        "vocab.txt": "".join(f"{word}\n" for word in words).encode(),
    }


def module_files(max_tokens: int, dense: list[dict[str, Any]]) -> dict[str, bytes]:
    """The files that tell sentence-transformers the modules, by their names before version 5.4.

    All versions read these names, and other readers know no others. `dense` are the configurations
    of the Dense modules between pooling and normalisation.
    """
    kinds = ["Transformer", "Pooling", *("Dense" for _ in dense), "Normalize"]
    paths = ["", *(f"{place}_{kind}" for place, kind in enumerate(kinds[1:], start=1))]
    modules = [
        {
            "idx": place,
            "name": str(place),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    pooling = {"word_embedding_dimension": EncoderShape().width, **POOLING_MODES}
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.6.1", "pytorch": "1.8.1"}
    settings = {
        "__version__": versions,
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    files = {
        "modules.json": json_bytes(modules),
        "sentence_bert_config.json": json_bytes(
            {"max_seq_length": max_tokens, "do_lower_case": False}
        ),
        "config_sentence_transformers.json": json_bytes(settings),
        "1_Pooling/config.json": json_bytes(pooling),
        # A file, because a copy by a tool that drops empty folders would send readers to the hub.
        f"{paths[-1]}/config.json": json_bytes({}),
    }
    for path, configuration in zip(paths[2:-1], dense, strict=True):
        files[f"{path}/config.json"] = json_bytes(configuration)
    return files


def _configuration() -> dict[str, Any]:
    shape = EncoderShape()
    return {
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.inner,
        "layer_norm_eps": shape.norm_epsilon,
        "max_position_embeddings": shape.positions,
        "model_type": "bert",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }
