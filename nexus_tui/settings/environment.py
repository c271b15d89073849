"""Training settings from `NEXUS_*` variables, read as the command line reads them."""

from __future__ import annotations

import os
from typing import Any

from nexus_engine.config import TrainConfig
from nexus_engine.errors import ConfigError, one_line

__all__ = ["environment_settings", "variable_of"]

WHOLE = (
    "epochs", "epochs_per_pass", "batch_size", "warmup_epochs", "switches", "patience", "units",
    "seed", "threads",
)  # fmt: skip
NUMBERS = ("lr", "dendrite_lr", "weight_decay", "layer_decay", "dropout", "sharpness", "min_gain")
FLAGS = ("dendrites", "control")
TRUE = ("1", "true", "t", "yes", "y", "on")
FALSE = ("0", "false", "f", "no", "n", "off")


def variable_of(name: str) -> str:
    """The variable of a setting."""
    return "NEXUS_" + name.upper()


def environment_settings() -> dict[str, Any]:
    """The settings whose variables are set and not empty.

    Raises:
        ConfigError: a value that cannot be used.
    """
    found: dict[str, Any] = {}
    for name in TrainConfig.__struct_fields__:
        text = os.environ.get(variable_of(name), "")
        if text:
            found[name] = _value(name, text)
    return found


def _value(name: str, text: str) -> Any:
    said = f"{variable_of(name)} {one_line(text, 40)}"
    try:
        if name in WHOLE:
            return int(text)
        if name in NUMBERS:
            return float(text)
    except ValueError:
        kind = "a whole number" if name in WHOLE else "a number"
        raise ConfigError(f"{said}: give {kind}") from None
    if name in FLAGS:
        word = text.strip().lower()
        if word not in TRUE + FALSE:
            raise ConfigError(f"{said}: give 1 or 0")
        return word in TRUE
    return text
