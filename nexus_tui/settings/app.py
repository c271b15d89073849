"""The look and the keys of the app: the [ui] table of nexus.toml.

    [ui]
    theme = "nexus-contrast"
    ascii = true
    low_bandwidth = true

    [ui.keys]
    "run.pause" = "f5"

A wrong name or value here gives a warning; the app opens all the same.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nexus_engine.errors import one_line
from nexus_tui.settings.environment import UI_VARIABLES
from nexus_tui.settings.training import PROJECT_FILE, user_file
from nexus_tui.terminal.encoding import draws_pictures, terminal_encoding

__all__ = ["UiSettings", "read_ui_settings"]

NAMES = {
    "theme": "text in quotes",
    "ascii": "true or false",
    "low_bandwidth": "true or false",
    "keys": 'a table with lines such as "run.pause" = "f5"',
}
TRUE_WORDS = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True, kw_only=True)
class UiSettings:
    """`keys` maps an action's ID to its keys; the app shows `warnings` once it is open.

    `sources` names the source of each setting that is not the default.
    """

    theme: str = "nexus"
    ascii: bool = False
    low_bandwidth: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def read_ui_settings(*, ascii_only: bool = False, low_bandwidth: bool = False) -> UiSettings:
    """Merge flags, `NEXUS_ASCII` and `NEXUS_LOW_BANDWIDTH`, ./nexus.toml and the user's nexus.toml.

    The first that sets a value decides. A locale without the signs of charts always means ASCII.
    """
    settings = UiSettings()
    for path in (user_file(), Path(PROJECT_FILE)):
        if path is not None:
            settings = _with_table(settings, path)
    variables = {name: variable for name, variable in UI_VARIABLES.items() if _is_true(variable)}
    sources = {**settings.sources, **{name: f"variable {variables[name]}" for name in variables}}
    lacking = not draws_pictures(sys.__stderr__)
    if lacking and not ("ascii" in variables or settings.ascii):
        sources["ascii"] = f"the locale, {terminal_encoding(sys.__stderr__)}"
    return replace(
        settings,
        sources=sources,
        ascii=ascii_only or lacking or "ascii" in variables or settings.ascii,
        low_bandwidth=low_bandwidth or "low_bandwidth" in variables or settings.low_bandwidth,
    )


def _is_true(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in TRUE_WORDS


def _with_table(settings: UiSettings, path: Path) -> UiSettings:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file).get("ui", {})
    except FileNotFoundError:
        return settings
    except (OSError, ValueError, RecursionError):
        return _warned(settings, f"{one_line(path, 120)}: cannot be read as TOML; ignored")
    if not isinstance(table, dict):
        return _warned(settings, f"{one_line(path, 120)}: ui must be a table, [ui]")
    for name, value in table.items():
        changed = _with_value(settings, one_line(path, 120), str(name), value)
        if changed.warnings == settings.warnings:
            names = [f"keys.{action}" for action in value] if name == "keys" else [str(name)]
            sources = {**settings.sources, **dict.fromkeys(names, str(path))}
            changed = replace(changed, sources=sources)
        settings = changed
    return settings


def _with_value(settings: UiSettings, source: str, name: str, value: Any) -> UiSettings:
    match name, value:
        case "theme", str():
            return replace(settings, theme=value)
        case "ascii", bool():
            return replace(settings, ascii=value)
        case "low_bandwidth", bool():
            return replace(settings, low_bandwidth=value)
        case "keys", dict() if all(isinstance(keys, str) for keys in value.values()):
            return replace(settings, keys={**settings.keys, **value})
    if name in NAMES:
        return _warned(settings, f"{source}: ui.{name} must be {NAMES[name]}")
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return _warned(settings, f"{source}: unknown setting ui.{one_line(name, 40)}{hint}")


def _warned(settings: UiSettings, message: str) -> UiSettings:
    return replace(settings, warnings=(*settings.warnings, message))
