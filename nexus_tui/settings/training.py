"""The training settings that the user gives, merged from all their sources.

The first source that names a setting decides: the option, its `NEXUS_*` variable (Typer merges
these two), `--config FILE.toml` or without it the `[train]` table of ./nexus.toml, that of the
user's own nexus.toml, the recipe.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexus_engine.config import TrainConfig, config_from_mapping
from nexus_engine.errors import ConfigError, one_line
from nexus_engine.model.known_models import KNOWN
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting
from nexus_engine.system.user_paths import config_folder, user_path
from nexus_tui.settings.environment import variable_of

__all__ = ["asked_config", "file_layers", "parse_list", "user_file"]

PROJECT_FILE = "nexus.toml"
TABLE = "train"
NAMED_DATA = ("demo", "stsb", "demo-search")


def user_file() -> Path | None:
    """The user's own nexus.toml, in `$XDG_CONFIG_HOME/nexus` or this platform's own place.

    None if this process has no home folder.
    """
    folder = config_folder()
    return None if folder is None else folder / PROJECT_FILE


def asked_config(options: dict[str, Any], config_file: str | None) -> TrainConfig:
    """One configuration from the files and `options`, the options and variables that are given.

    Raises:
        ConfigError: a file cannot be read, a name is unknown, or a value cannot be used.
    """
    values: dict[str, Any] = {}
    for _, layer in file_layers(config_file):
        values.update(layer)
    try:
        values.update(_normal(options))
        for name in ("data", "base", "corpus"):
            values.update(_absolute(name, values.get(name)))
        return config_from_mapping(values, "nexus train")
    except ConfigError as error:
        variable = variable_of(str(error))
        if not variable:
            raise
        raise ConfigError(f"{error}; the variable {variable} sets it") from None


def file_layers(config_file: str | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files in force with the training settings of each, the weakest first.

    Raises:
        ConfigError: a file cannot be read, a name is unknown, or a value cannot be used.
    """
    own = user_file()
    if own is not None and own.is_file():
        yield own, _from_file(own, table_only=True)
    if config_file is not None:
        path = user_path(config_file)
        yield path, _from_file(path, table_only=False)
    elif Path(PROJECT_FILE).is_file():
        yield Path(PROJECT_FILE), _from_file(Path(PROJECT_FILE), table_only=True)


def _from_file(path: Path, *, table_only: bool) -> dict[str, Any]:
    """The settings of a TOML file: its [train] table, or the top level unless `table_only`."""
    shown = one_line(path, 200)
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"--config {shown}: does not exist; check the path") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError
        reason = one_line(error, 120) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise ConfigError(f"{shown}: not TOML: {reason}") from None
    table = document.get(TABLE, {} if table_only else document)
    if not isinstance(table, dict):
        raise ConfigError(f"{shown}: {TABLE} must be a table, [{TABLE}]")
    try:
        values = _normal({str(key).replace("-", "_"): value for key, value in table.items()})
        config_from_mapping(values, shown)
    except ConfigError as error:
        named = shown in str(error)
        raise error if named else ConfigError(f"{shown}: {error}") from None
    return values


def _absolute(name: str, value: object) -> dict[str, str]:
    """An existing path made absolute: a run is resumed and evaluated from any folder."""
    named = KNOWN if name == "base" else NAMED_DATA
    if not isinstance(value, str) or value in named or "\0" in value:
        return {}
    try:
        path = user_path(value).absolute()
        return {name: str(path)} if path.exists() else {}
    except (OSError, ConfigError):  # no permission or no such home: the engine reports it
        return {}


def _normal(values: dict[str, Any]) -> dict[str, Any]:
    """Turn lists given as text ("q,v") into lists, and a budget given as a number into text."""
    normal = dict(values)
    for name, value in values.items():
        if name in SETTINGS and SETTINGS[name].kind == "list" and isinstance(value, str):
            normal[name] = parse_list(name, value)
        elif name == "budget" and isinstance(value, int) and not isinstance(value, bool):
            normal[name] = str(value)
    return normal


def parse_list(name: str, text: str) -> list[Any]:
    """The parts of a comma-separated `text` as values of the setting `name`.

    Raises:
        ConfigError: the setting does not take such parts.
    """
    setting = SETTINGS[name]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    refusal = ConfigError(
        f"{setting.option} {one_line(text, 60)}: give it as {setting.notes.example}"
    )
    if not parts or (setting.length is not None and len(parts) != setting.length):
        raise refusal
    if setting.choices:
        return [_choice(setting, part) for part in parts]
    try:
        return [setting.item(part) for part in parts]
    except ValueError:
        raise refusal from None


def _choice(setting: NamedSetting, text: str) -> str:
    if text in setting.choices:
        return text
    near = difflib.get_close_matches(text, setting.choices, n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]}?" if near else ""
    words = ", ".join(setting.choices)
    raise ConfigError(f"{setting.option} {one_line(text, 40)}: not one of {words}{hint}")
