"""What tells the vectors of one model from those of another."""

from __future__ import annotations

import hashlib

from nexus_engine.model.shape import DEFAULT_SHAPE, ModelShape
from nexus_engine.runs.saved_model import LoadedModel, ModelCard

__all__ = ["fingerprint_of", "model_fingerprint"]


def model_fingerprint(loaded: LoadedModel) -> str:
    """SHA-256 (hex) of what decides a model's vectors, wherever its files lie.

    That is the weights of the base model, those of training, the tokenizer, and how many tokens of
    a text are read, and how it pools and what prompts it has. Precision is not part of it.
    """
    base = loaded.base
    tokens = loaded.tokenizer.max_tokens
    return fingerprint_of(base.sha256, base.tokenizer_sha256, loaded.card, tokens, base.shape)


def fingerprint_of(
    base_sha256: str,
    tokenizer_sha256: str,
    card: ModelCard | None,
    max_tokens: int,
    shape: ModelShape = DEFAULT_SHAPE,
) -> str:
    """The same from its parts, without loading a weight; without a card for the base model.

    `shape` is the base model's; a card tells itself what matters of it.
    """
    pooling, prompts = shape.encoder.pooling, shape.prompts
    if card is not None:
        pooling, prompts = card.reading
    reading = (pooling, *prompts)
    parts = (
        base_sha256,
        tokenizer_sha256,
        "" if card is None else f"{card.weights_sha256} {card.tune} {card.nonlinearity}",
        str(max_tokens),
        # Only where it differs from what every model had before there were others.
        *(reading if reading != ("mean", "", "") else ()),
    )
    return hashlib.sha256("\n".join(("nexus model 1", *parts)).encode()).hexdigest()
