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
from nexus_engine.model.model_folder import MAX_TOKENIZER_BYTES
from nexus_engine.model.shape import DEFAULT_SHAPE, EncoderShape, ModelShape, Pooling, Prompts

__all__ = ["json_bytes", "module_files", "tokenizer_files"]

SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
XLM_R_SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
POOLING_MODES: dict[str, Pooling | None] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": None,
    "pooling_mode_mean_sqrt_len_tokens": None,
    "pooling_mode_weightedmean_tokens": None,
    "pooling_mode_lasttoken": None,
}
"""All six: a reader that requires one fails without it, or takes another pooling in silence."""


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file, keys in their own order: equal values give equal bytes."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def tokenizer_files(
    base_folder: Path, max_tokens: int, shape: ModelShape = DEFAULT_SHAPE
) -> dict[str, bytes]:
    """The files of the configuration and the tokenizer by name, cutting at `max_tokens`.

    `shape` is that of the model in `base_folder`.

    Raises:
        ModelError: the base model's `tokenizer.json` cannot be read or is not of its kind.
    """
    path = base_folder / "tokenizer.json"
    try:
        tokenizer = parse_json(read_regular(path, MAX_TOKENIZER_BYTES, follow=True))
        if shape.tokenizer == "WordPiece":
            pad_id, pad_token, own, more = _word_piece(tokenizer, max_tokens)
        else:
            pad_id, pad_token, own, more = _unigram(tokenizer, max_tokens)
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{one_line(path)}: not a {shape.tokenizer} tokenizer") from None
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
        "pad_id": pad_id,
        "pad_type_id": 0,
        "pad_token": pad_token,
    }
    special = SPECIAL if shape.tokenizer == "WordPiece" else XLM_R_SPECIAL
    compact = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    return {
        "config.json": json_bytes(_configuration(shape.encoder)),
        "special_tokens_map.json": json_bytes(special),
        "tokenizer.json": compact.encode(),
        "tokenizer_config.json": json_bytes(own),
        **more,
    }


TokenizerParts = tuple[int, str, dict[str, Any], dict[str, bytes]]
"""The id and the text of the padding token, `tokenizer_config.json`, and further files."""


def _word_piece(tokenizer: dict[str, Any], max_tokens: int) -> TokenizerParts:
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    normalizer = tokenizer.get("normalizer") or {}
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
    listed = "".join(f"{word}\n" for word in words).encode()
    return vocabulary.get("[PAD]", 0), "[PAD]", own, {"vocab.txt": listed}


def _unigram(tokenizer: dict[str, Any], max_tokens: int) -> TokenizerParts:
    """As XLM-R's; `tokenizer.json` is all that readers need of its vocabulary."""
    pieces = [str(piece) for piece, _ in tokenizer["model"]["vocab"]]
    ids = {str(each["content"]): int(each["id"]) for each in tokenizer["added_tokens"]}
    pad = XLM_R_SPECIAL["pad_token"]
    pad_id = ids[pad] if pad in ids else pieces.index(pad)
    own = {
        **XLM_R_SPECIAL,
        "clean_up_tokenization_spaces": True,
        # Reads tokenizer.json alone; XLMRobertaTokenizer may ask for sentencepiece's own file.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": max_tokens,
    }
    return pad_id, pad, own, {}


def module_files(
    max_tokens: int, dense: list[dict[str, Any]], shape: ModelShape = DEFAULT_SHAPE
) -> dict[str, bytes]:
    """The files that tell sentence-transformers the modules, by their names before version 5.4.

    All versions read these names, and other readers know no others. `dense` are the configurations
    of the Dense modules between pooling and normalisation. `shape` is the base model's.
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
    modes = {name: mode == shape.encoder.pooling for name, mode in POOLING_MODES.items()}
    pooling = {"word_embedding_dimension": shape.encoder.width, **modes}
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.6.1", "pytorch": "1.8.1"}
    settings = {
        "__version__": versions,
        "prompts": _named_prompts(shape.prompts),
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    files = {
        "modules.json": json_bytes(modules),
        "sentence_bert_config.json": json_bytes(
            {"max_seq_length": max_tokens, "do_lower_case": shape.lower_case}
        ),
        "config_sentence_transformers.json": json_bytes(settings),
        "1_Pooling/config.json": json_bytes(pooling),
        # A file, because a copy by a tool that drops empty folders would send readers to the hub.
        f"{paths[-1]}/config.json": json_bytes({}),
    }
    for path, configuration in zip(paths[2:-1], dense, strict=True):
        files[f"{path}/config.json"] = json_bytes(configuration)
    return files


def _named_prompts(prompts: Prompts) -> dict[str, str]:
    """The prompts by the names that sentence-transformers looks up for queries and documents."""
    if prompts == Prompts():
        return {}
    return {"query": prompts.query, "passage": prompts.passage, "document": prompts.passage}


def _configuration(shape: EncoderShape) -> dict[str, Any]:
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
        "type_vocab_size": shape.segments,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }
