"""The initial model of each regime (`--tune`)."""

from __future__ import annotations

from nexus_engine.config import Tune
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel, identity_adapter

__all__ = ["build_model"]


def build_model(base: BaseModel, tune: Tune, dropout: float = 0.1) -> SentenceModel:
    """The base model as the regime starts: with an identity adapter, except for `dendrites`."""
    encoder = load_encoder(base, dropout)
    adapter = None if tune == "dendrites" else identity_adapter(encoder.shape.width)
    return SentenceModel(encoder, adapter)
