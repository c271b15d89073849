"""Random base models of BERT's shape, in folders as sentence-transformers saves them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from nexus_engine.model.encoder_weights import published_names
from nexus_engine.model.shape import EncoderShape

WORDS = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "is",
    "was",
    "for",
    "on",
    "it",
    "with",
    "as",
    "his",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
    "or",
    "had",
    "by",
    "but",
    "some",
    "what",
    "there",
    "we",
    "can",
    "out",
    "other",
    "were",
    "all",
    "your",
    "when",
    "up",
    "use",
    "word",
    "how",
    "said",
    "an",
    "each",
    "she",
    "which",
    "do",
    "their",
    "time",
    "if",
    "will",
    "way",
    "about",
    "many",
    "then",
    "them",
    "would",
    "write",
    "like",
    "so",
    "these",
    "her",
    "long",
    "make",
    "thing",
    "see",
    "him",
    "two",
    "has",
    "look",
    "more",
    "day",
    "could",
    "go",
    "come",
    "did",
    "my",
    "sound",
    "no",
    "most",
    "number",
    "who",
    "over",
    "know",
    "water",
    "than",
    "call",
    "first",
    "people",
    "may",
    "down",
    "side",
    "been",
    "now",
    "find",
    "pump",
    "valve",
    "seal",
    "motor",
    "filter",
    "belt",
    "gauge",
    "hose",
    "tank",
    "fan",
    "lamp",
    "rope",
    "unit",
    "fails",
    "wrist",
    "heals",
    "weeks",
    "query",
    "passage",
    "represent",
    "sentence",
    "searching",
    "relevant",
    "passages",
]
BATCH = "abcdefghijklmnopqrstuvwxyz0123456789"

TINY = EncoderShape(
    vocabulary=0, positions=64, width=24, layers=2, heads=4, inner=40, norm_epsilon=1e-12
)
SIX_LAYERS = TINY._replace(layers=6, positions=128, width=64, inner=96)
"""With the layers and the width that runs, exports and indexes of the tests name."""


def word_piece(lower: bool = True) -> Tokenizer:
    """BERT's kind of tokenizer, of some words and every letter."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *BATCH, *(f"##{c}" for c in BATCH), ".", ",", ":", "?", "'"]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, *WORDS]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.add_special_tokens(special)
    return tokenizer


def unigram(pieces: int = 0) -> Tokenizer:
    """XLM-R's kind of tokenizer; with `pieces`, filled up to that many."""
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(f"\u2581{word}", -3.0 - math.log(1 + i)) for i, word in enumerate(WORDS)]
    letters = [(c, -12.0) for c in [*BATCH, "\u2581", ".", ",", ":", "?", "'"]]
    listed = [*special, *words, *letters]
    fill = [(f"\u2581\u4e00{i}", -20.0) for i in range(max(0, pieces - len(listed) - 1))]
    tokenizer = Tokenizer(models.Unigram([*listed, *fill, ("<mask>", 0.0)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer


def make_model(
    folder: Path,
    shape: EncoderShape = TINY,
    *,
    tokenizer: Tokenizer | None = None,
    prompts: dict[str, str] | None = None,
    max_tokens: int | None = 48,
    lower_case: bool = False,
    normalise: bool = True,
    new_layout: bool = False,
    prefix: str = "",
    dtype: torch.dtype = torch.float32,
    seed: int = 5,
) -> Path:
    """A model folder with random weights; `shape.vocabulary` 0 takes the tokenizer's."""
    folder.mkdir(parents=True)
    tokenizer = tokenizer or word_piece()
    tokenizer.save(str(folder / "tokenizer.json"))
    is_unigram = json.loads(tokenizer.to_str())["model"]["type"] == "Unigram"
    if not shape.vocabulary:
        shape = shape._replace(vocabulary=tokenizer.get_vocab_size())
    write_weights(folder, shape, prefix=prefix, dtype=dtype, seed=seed)
    write(
        folder / "config.json",
        {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
            "hidden_size": shape.width, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "intermediate_size": shape.inner,
            "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.segments, "layer_norm_eps": shape.norm_epsilon,
            "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1,
            "position_embedding_type": "absolute", "pad_token_id": 0,
        },
    )  # fmt: skip
    special = (
        {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>",
         "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
        if is_unigram
        else {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]",
              "sep_token": "[SEP]", "mask_token": "[MASK]"}
    )  # fmt: skip
    write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **special},
    )
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    write_modules(folder, kinds, new_layout=new_layout)
    write_pooling(folder, shape, new_layout=new_layout)
    if max_tokens is not None:
        own: dict[str, Any] = {"max_seq_length": max_tokens, "do_lower_case": lower_case}
        write(folder / "sentence_bert_config.json", own)
    if prompts is not None:
        write(
            folder / "config_sentence_transformers.json",
            {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"},
        )
    return folder


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def write_modules(folder: Path, kinds: list[str], *, new_layout: bool) -> None:
    root = {
        "Transformer": "sentence_transformers.base.modules.transformer",
        "Pooling": "sentence_transformers.sentence_transformer.modules.pooling",
        "Normalize": "sentence_transformers.base.modules.normalize",
    }
    write(
        folder / "modules.json",
        [
            {
                "idx": i,
                "name": str(i),
                "path": "" if not i else f"{i}_{kind}",
                "type": f"{root[kind] if new_layout else 'sentence_transformers.models'}.{kind}",
            }
            for i, kind in enumerate(kinds)
        ],
    )
    if len(kinds) == 3:
        (folder / "2_Normalize").mkdir(exist_ok=True)


def write_pooling(folder: Path, shape: EncoderShape, *, new_layout: bool) -> None:
    if new_layout:
        value: dict[str, Any] = {
            "embedding_dimension": shape.width,
            "pooling_mode": shape.pooling,
            "include_prompt": True,
        }
    else:
        value = {
            "word_embedding_dimension": shape.width,
            "pooling_mode_cls_token": shape.pooling == "cls",
            "pooling_mode_mean_tokens": shape.pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        }
    write(folder / "1_Pooling/config.json", value)


def write_weights(
    folder: Path, shape: EncoderShape, *, prefix: str = "", dtype: torch.dtype, seed: int = 5
) -> None:
    """Random weights, large enough that texts differ and small enough that nothing saturates."""
    from nexus_engine.model.encoder import Encoder

    generator = torch.Generator().manual_seed(seed)
    state = Encoder(shape).state_dict()
    weights = {}
    for ours, theirs in published_names(shape).items():
        values = torch.randn(state[ours].shape, generator=generator)
        if values.dim() == 1:
            is_norm = "norm.weight" in ours
            values = 1 + 0.1 * values if is_norm else 0.05 * values
        else:
            values *= 0.3 if "embeddings" in theirs else 0.8 * values.shape[1] ** -0.5
        weights[prefix + theirs] = values.to(dtype).contiguous()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
