"""The tokenizer's files beside an exported model, with one maximum length in all of them.

The published folder states three: 128 in `tokenizer.json`, 256 in `sentence_bert_config.json` and
512 in `tokenizer_config.json`. Each reader follows another, so a text of 200 tokens would get other
embeddings in other software.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import ModelError, one_line

__all__ = ["TOKENIZER_FILES", "json_bytes", "tokenizer_files"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file; keys keep their order, so that the bytes are the same each time."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def tokenizer_files(base_folder: Path, max_tokens: int) -> dict[str, bytes]:
    """The files of `TOKENIZER_FILES` by name, from `tokenizer.json` in `base_folder`.

    A text is truncated at `max_tokens`, and a batch is padded to its longest text.

    Raises:
        ModelError: `tokenizer.json` is missing or is not WordPiece with BERT's special tokens.
    """
    path = base_folder / "tokenizer.json"
    try:
        content = read_json(path, follow=True)
        vocabulary: dict[str, int] = content["model"]["vocab"]
        pad = vocabulary["[PAD]"]
        lower = bool((content.get("normalizer") or {}).get("lowercase", True))
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        absent = [token for token in SPECIAL.values() if token not in vocabulary]
        if absent or [vocabulary[word] for word in words] != list(range(len(words))):
            raise ValueError("the vocabulary has gaps")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ModelError(
            f"{one_line(path)}: not a WordPiece tokenizer with BERT's special tokens "
            f"({one_line(reason, 60)})"
        ) from None
    content["truncation"] = {
        "direction": "Right",
        "max_length": max_tokens,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    content["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": pad,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lower,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": max_tokens,
        **SPECIAL,
    }
    compact = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return {
        "tokenizer.json": compact.encode(),
        "tokenizer_config.json": json_bytes(settings),
        "special_tokens_map.json": json_bytes(SPECIAL),
        "vocab.txt": "".join(f"{word}\n" for word in words).encode(),
    }
