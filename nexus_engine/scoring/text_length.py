"""How much of a text models read when they are put side by side."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_engine.model.tokens import Tokenizer
from nexus_engine.runs.saved_model import LoadedModel

__all__ = ["aligned", "reading"]


def reading(loaded: LoadedModel, max_tokens: int) -> LoadedModel:
    """`loaded`, reading the first `max_tokens` tokens of a text, start and end tokens included."""
    max_tokens = min(max_tokens, loaded.base.shape.encoder.positions)
    if loaded.tokenizer.max_tokens == max_tokens:
        return loaded
    return loaded._replace(tokenizer=Tokenizer(loaded.base.folder, max_tokens, loaded.base.shape))


def aligned(models: Sequence[LoadedModel], max_tokens: int | None = None) -> list[LoadedModel]:
    """`models`, each reading `max_tokens` of a text.

    Without `max_tokens`, a tuned model reads as much as it was trained on, and the base model as
    much as the first tuned one, so that a difference between them comes from training alone.
    """
    if max_tokens is not None:
        return [reading(model, max_tokens) for model in models]
    tuned = [model.tokenizer.max_tokens for model in models if model.card is not None]
    if not tuned:
        return list(models)
    return [reading(model, tuned[0]) if model.card is None else model for model in models]
