"""What tells the vectors of one model from those of another."""

from __future__ import annotations

import hashlib

from nexus_engine.runs.saved_model import LoadedModel

__all__ = ["model_fingerprint"]


def model_fingerprint(loaded: LoadedModel) -> str:
    """SHA-256 (hex) of what decides a model's vectors, wherever its files lie.

    That is the weights of the base model, those of training, the tokenizer, and how many tokens of
    a text are read. Precision is not part of it.
    """
    card = loaded.card
    parts = (
        loaded.base.sha256,
        loaded.base.tokenizer_sha256,
        "" if card is None else f"{card.weights_sha256} {card.tune} {card.nonlinearity}",
        str(loaded.tokenizer.max_tokens),
    )
    return hashlib.sha256("\n".join(("nexus model 1", *parts)).encode()).hexdigest()
