"""Training settings from `NEXUS_*` variables, read as the command line reads them."""

from __future__ import annotations

import difflib
import os
import re
from typing import Any

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting

__all__ = ["UI_VARIABLES", "environment_settings", "unknown_variables", "variable_of"]

PREFIX = "NEXUS_"
UI_VARIABLES = {"ascii": "NEXUS_ASCII", "low_bandwidth": "NEXUS_LOW_BANDWIDTH"}
"""The variables of the app's own settings."""

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


def variable_of(message: str) -> str:
    """The variable that gave the value which `message` refuses; empty if no variable did."""
    for setting in SETTINGS.values():
        text = os.environ.get(setting.variable, "")
        if not text:
            continue
        shown = one_line(text, 40)
        if f'{setting.name} is "{shown}"' in message:
            return setting.variable
        refused = re.match(rf"{setting.option} (.+?): ", message)
        if refused and (refused[1] == shown or _is_number(refused[1], text)):
            return setting.variable
    return ""


def _is_number(shown: str, text: str) -> bool:
    try:
        return float(shown) == float(text)
    except ValueError:
        return False


def unknown_variables() -> list[str]:
    """A warning for each variable that is named like a setting and is none."""
    known = [*(setting.variable for setting in SETTINGS.values()), *UI_VARIABLES.values()]
    warnings = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `nexus config show` lists all"
            warnings.append(f"the variable {one_line(name, 40)} sets nothing{hint}")
    return warnings
