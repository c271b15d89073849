"""The packages of the extra `export`, imported where a format is written and not before."""

from __future__ import annotations

import importlib
from typing import Any

from nexus_engine.errors import ConfigError

__all__ = ["required"]


def required(module: str, purpose: str) -> Any:
    """The module `module` of the extra `export`; `purpose` says in words what needs it.

    Raises:
        ConfigError: its package is not installed.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ConfigError(
            f"{purpose} needs the package {package}: pip install 'nexus-dendrites[export]'"
        ) from None
