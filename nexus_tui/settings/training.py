"""What the user asked of a training, from all the places where it can stand.

A flag goes over its `NEXUS_*` variable (both arrive here as one, told apart by Typer), over
`--config FILE.toml` or else the `[train]` table of ./nexus.toml, over that of the user's own
nexus.toml, over the recipe.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexus_engine.config import TrainConfig, config_from_mapping
from nexus_engine.errors import ConfigError, one_line
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting
from nexus_engine.system.user_paths import config_folder, user_path

__all__ = ["asked_config", "file_layers", "parse_list", "user_file"]

PROJECT_FILE = "nexus.toml"
TABLE = "train"
NAMED_DATA = ("demo", "stsb")


def user_file() -> Path | None:
    """The user's own nexus.toml, in `$XDG_CONFIG_HOME/nexus` or this platform's own place.

    None where this process has no home folder.
    """
    folder = config_folder()
    return None if folder is None else folder / PROJECT_FILE


def asked_config(said: dict[str, Any], config_file: str | None) -> TrainConfig:
    """Everything asked, as one configuration; `said` are the flags and variables given.

    Raises:
        ConfigError: a file that cannot be read, an unknown name or a value that cannot be used.
    """
    values: dict[str, Any] = {}
    for _, found in file_layers(config_file):
        values.update(found)
    values.update(_normal(said))
    for name in ("data", "base"):
        values.update(_absolute(name, values.get(name)))
    return config_from_mapping(values, "nexus train")


def file_layers(config_file: str | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files in force and the training settings in each, the weakest first.

    Raises:
        ConfigError: a file that cannot be read, an unknown name or a value that cannot be used.
    """
    own = user_file()
    if own is not None and own.is_file():
        yield own, _from_file(own, whole=False)
    if config_file is not None:
        path = user_path(config_file)
        yield path, _from_file(path, whole=True)
    elif Path(PROJECT_FILE).is_file():
        yield Path(PROJECT_FILE), _from_file(Path(PROJECT_FILE), whole=False)


def _from_file(path: Path, *, whole: bool) -> dict[str, Any]:
    """The settings of a TOML file: its [train] table or, with `whole`, itself if it has none."""
    shown = one_line(path, 200)
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"--config {shown}: does not exist; check the path") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError
        reason = one_line(error, 120) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise ConfigError(f"{shown}: not TOML: {reason}") from None
    table = found.get(TABLE, found if whole else {})
    if not isinstance(table, dict):
        raise ConfigError(f"{shown}: {TABLE} must be a table, [{TABLE}]")
    values = _normal({str(key).replace("-", "_"): value for key, value in table.items()})
    config_from_mapping(values, shown)  # so that a wrong name or value is told with its file
    return values


def _absolute(name: str, value: object) -> dict[str, str]:
    """A path that exists as an absolute one: a run is resumed and evaluated from anywhere."""
    if not isinstance(value, str) or value in NAMED_DATA or "\0" in value:
        return {}
    try:
        path = user_path(value).absolute()
        return {name: str(path)} if path.exists() else {}
    except (OSError, ConfigError):  # no permission, no such home: the engine says so
        return {}


def _normal(values: dict[str, Any]) -> dict[str, Any]:
    """Lists given as text ("q,v") as lists, and a budget given as a number as text."""
    normal = dict(values)
    for name, value in values.items():
        if name in SETTINGS and SETTINGS[name].kind == "list" and isinstance(value, str):
            normal[name] = parse_list(name, value)
        elif name == "budget" and isinstance(value, int) and not isinstance(value, bool):
            normal[name] = str(value)
    return normal


def parse_list(name: str, text: str) -> list[Any]:
    """The parts of a comma-separated `text` for the setting `name`.

    Raises:
        ConfigError: a part is not what the setting holds.
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
