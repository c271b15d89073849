"""The device that computes a model."""

from __future__ import annotations

import torch

from nexus_engine.errors import ConfigError

__all__ = ["usable_device"]


def usable_device(name: str) -> torch.device:
    """The device `name`: cpu, cuda or mps.

    Raises:
        ConfigError: this machine or this build of torch lacks it.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no CUDA device here; use --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: torch finds no Apple GPU here; use --device cpu")
    return torch.device(name)
