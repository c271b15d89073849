"""The writers of ONNX and GGUF, imported where a format is written and not before."""

from __future__ import annotations

import importlib
from typing import Any

from nexus_engine.errors import ConfigError

__all__ = ["writer"]


def writer(module: str, name: str) -> Any:
    """The function `name` of the module `module` of this room.

    Raises:
        ConfigError: this version does not write the format.
    """
    full = f"nexus_engine.exports.{module}"
    try:
        return getattr(importlib.import_module(full), name)
    except ModuleNotFoundError as error:
        if error.name != full:
            raise
        raise ConfigError(
            f"this version of NEXUS has no {module}; use --format st or delta"
        ) from None
