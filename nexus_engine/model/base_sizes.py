"""A configuration resolved with the sizes of the base model that it names. No weight is read."""

from __future__ import annotations

import os

from nexus_engine.config import Settings, TrainConfig, resolve
from nexus_engine.recipes import BaseSizes

__all__ = ["resolve_for_base", "sizes_of"]


def sizes_of(base: str | os.PathLike[str] | None) -> BaseSizes:
    """The sizes of the base model `base`, as `find_base_model` finds it.

    Raises:
        ModelError: there is no such model, or its small files cannot be used.
    """
    if base is None:
        return BaseSizes()
    from nexus_engine.model.base_model import base_shape  # it brings numpy

    shape = base_shape(base)
    encoder = shape.encoder
    return BaseSizes(
        parameters=encoder.parameters,
        layers=encoder.layers,
        width=encoder.width,
        inner=encoder.inner,
        positions=encoder.positions,
        max_tokens=shape.max_tokens,
    )


def resolve_for_base(config: TrainConfig) -> Settings:
    """The complete settings of `config`, its recipe scaled to its base model.

    Raises:
        ConfigError: a value is out of range, or settings contradict each other.
        ModelError: the base model is missing, or its small files cannot be used.
    """
    return resolve(config, sizes_of(config.base))
