"""A base model's vocabulary in the spelling of llama.cpp's own conversion, for a GGUF file.

WordPiece becomes its tokenizer "bert", and Unigram, as XLM-R has it, its tokenizer "t5", which
reads the normaliser's table of characters too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.disk.json_text import parse_json
from nexus_engine.disk.regular_files import read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.model_folder import MAX_TOKENIZER_BYTES
from nexus_engine.model.shape import ModelShape

__all__ = ["GgufTokens", "add_tokens", "gguf_tokens"]

WORD_START = "\u2581"
"""Marks the start of a word where WordPiece marks its continuation by `##`."""
WORD_PIECE = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]", "unk": "[UNK]"}
XLM_R = {"cls": "<s>", "sep": "</s>", "mask": "<mask>", "pad": "<pad>", "unk": "<unk>"}
UNUSED_SCORE = -10_000.0


class GgufTokens(NamedTuple):
    """Tokens by id, and the ids of the special ones by role.

    `scores`, `charsmap` and `adds_space` are those of a Unigram tokenizer; `scores` is None for
    WordPiece. Ids from `named` on have no token: the table of the model has more rows.
    """

    tokens: list[str]
    ids: dict[str, int]
    named: int
    scores: list[float] | None = None
    charsmap: bytes = b""
    adds_space: bool = True


def gguf_tokens(folder: Path, shape: ModelShape) -> GgufTokens:
    """The vocabulary of the base model in `folder`.

    Raises:
        ModelError: `tokenizer.json` cannot be read, or has not the special tokens of its kind.
    """
    path = folder / "tokenizer.json"
    try:
        content = parse_json(read_regular(path, MAX_TOKENIZER_BYTES, follow=True))
        read = _word_piece if shape.tokenizer == "WordPiece" else _unigram
        found = read(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = type(error).__name__ if not isinstance(error, OSError) else error.strerror
        whose = "BERT's" if shape.tokenizer == "WordPiece" else "XLM-R's"
        raise ModelError(
            f"{one_line(path)}: not a {shape.tokenizer} tokenizer with {whose} special tokens "
            f"({one_line(reason, 60)})"
        ) from None
    rows = shape.encoder.vocabulary
    missing = [f"[PAD{i}]" for i in range(found.named, rows)]
    scores = found.scores
    if scores is not None:
        scores = [*scores, *(UNUSED_SCORE for _ in missing)]
    return found._replace(tokens=[*found.tokens, *missing], scores=scores)


def _word_piece(content: dict[str, Any]) -> GgufTokens:
    part = content["model"]
    prefix = part["continuing_subword_prefix"]
    by_id = {int(i): str(token) for token, i in part["vocab"].items()}
    tokens = [by_id[i] for i in range(len(by_id))]
    ids = {role: int(part["vocab"][token]) for role, token in WORD_PIECE.items()}
    special = set(ids.values())
    spelled = [
        token
        if i in special
        else token.removeprefix(prefix)
        if token.startswith(prefix)
        else f"{WORD_START}{token}"
        for i, token in enumerate(tokens)
    ]
    return GgufTokens(spelled, ids, len(spelled))


def _unigram(content: dict[str, Any]) -> GgufTokens:
    pieces = content["model"]["vocab"]
    tokens = [str(piece) for piece, _ in pieces]
    scores = [float(score) for _, score in pieces]
    added = {str(each["content"]): int(each["id"]) for each in content["added_tokens"]}
    for token, i in sorted(added.items(), key=lambda item: item[1]):
        if i == len(tokens):  # beside the pieces, as <mask> in some files
            tokens.append(token)
            scores.append(0.0)
    ids = {
        role: added[token] if token in added else tokens.index(token)
        for role, token in XLM_R.items()
    }
    return GgufTokens(
        tokens,
        ids,
        len(tokens),
        scores,
        base64.b64decode(next(_named(content.get("normalizer"), "precompiled_charsmap"), "")),
        _adds_space(content.get("pre_tokenizer")),
    )


def _named(value: Any, name: str) -> Iterator[Any]:
    """The values under `name` at any depth of `value`."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for each in value.values():
            yield from _named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, name)


def _adds_space(pre_tokenizer: Any) -> bool:
    scheme = next(_named(pre_tokenizer, "prepend_scheme"), None)
    if scheme is not None:
        return bool(scheme != "never")
    return bool(next(_named(pre_tokenizer, "add_prefix_space"), True))


def add_tokens(gguf: Any, writer: Any, found: GgufTokens, segments: int) -> None:
    """Write the vocabulary by `writer`, a `gguf.GGUFWriter`."""
    ids, kinds = found.ids, gguf.TokenType
    special = set(ids.values())
    types = [kinds.CONTROL if i in special else kinds.NORMAL for i in range(found.named)]
    types += [kinds.UNUSED] * (len(found.tokens) - found.named)
    if found.scores is not None:
        types[ids["unk"]] = kinds.UNKNOWN
    writer.add_tokenizer_model("bert" if found.scores is None else "t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(found.tokens)
    if found.scores is not None:
        writer.add_token_scores(found.scores)
        writer.add_add_space_prefix(found.adds_space)
        writer.add_remove_extra_whitespaces(True)
        if found.charsmap:
            writer.add_precompiled_charsmap(found.charsmap)
    writer.add_token_types(types)
    writer.add_token_type_count(segments)
    writer.add_bos_token_id(ids["cls"])
    writer.add_eos_token_id(ids["sep"])
    writer.add_unk_token_id(ids["unk"])
    writer.add_sep_token_id(ids["sep"])
    writer.add_pad_token_id(ids["pad"])
    writer.add_mask_token_id(ids["mask"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", ids["cls"])  # the writer has no method for it
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
