"""Training settings from `NEXUS_*` variables, read as the command line reads them."""

from __future__ import annotations

import os
from typing import Any

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting

__all__ = ["environment_settings"]

TRUE = ("1", "true", "t", "yes", "y", "on")
FALSE = ("0", "false", "f", "no", "n", "off")


def environment_settings() -> dict[str, Any]:
    """The settings whose variables are set and not empty, by name.

    Raises:
        ConfigError: a value that cannot be used.
    """
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        text = os.environ.get(setting.variable, "")
        if text:
            values[name] = _value(setting, text)
    return values


def _value(setting: NamedSetting, text: str) -> Any:
    """`text` as the number or flag of the setting; other kinds stay text."""
    shown = f"{setting.variable} {one_line(text, 40)}"
    if setting.kind in ("whole", "number"):
        try:
            return setting.type(text)
        except ValueError:
            raise ConfigError(f"{shown}: give {setting.takes}") from None
    if setting.kind == "flag":
        word = text.strip().lower()
        if word not in TRUE + FALSE:
            raise ConfigError(f"{shown}: give 1 or 0")
        return word in TRUE
    return text
