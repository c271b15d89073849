"""`nexus config show`: every setting that is in force here, and where it comes from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from nexus_tui.settings.app import UiSettings

__all__ = ["app"]

FITTED = ", fitted to the data"

app = typer.Typer(help="The settings in force here.", no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """The settings in force here."""


class Setting(NamedTuple):
    """A setting of `nexus train` or of the app. `key` is its name in a nexus.toml.

    `fitted`: little data changes the value when the run starts; `nexus train --forecast` says to
    what.
    """

    key: str
    value: Any
    source: str
    fitted: bool = False


@app.command("show")
def show(
    config: Annotated[
        str | None,
        typer.Option("--config", help="As nexus train would be given.", metavar="FILE.toml"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")] = False,
) -> None:
    """Each setting with its value and where that comes from; flags would go over all of it."""
    from nexus_tui.settings.app import read_ui_settings
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown
    from nexus_tui.words.render import table

    chart_style = read_ui_settings()
    found = [*training_settings(config), *ui_settings(chart_style)]
    for warning in chart_style.warnings:
        streams.say(f"warning: {warning}")
    if json:
        for setting in found:
            streams.put_json(setting._asdict())
        return
    room = max(20, streams.width(sys.stdout) - 52)
    rows = [
        (s.key, shown(_words(s.value) + FITTED * s.fitted, 30), shown(s.source, room))
        for s in found
    ]
    streams.put(*table(("setting", "value", "from"), rows, (False, False, False)))


def training_settings(config_file: str | None) -> list[Setting]:
    """What `nexus train` would use here.

    Raises:
        ConfigError: as `nexus train` itself would.
    """
    import msgspec

    from nexus_engine.config import resolve
    from nexus_engine.recipes import RECIPES
    from nexus_engine.settings.record import SETTINGS
    from nexus_tui.settings.environment import environment_settings
    from nexus_tui.settings.training import asked_config, file_layers

    sources: dict[str, str] = {}
    for path, values in file_layers(config_file):
        sources.update(dict.fromkeys(values, str(path)))
    said = environment_settings()
    sources.update({name: f"variable {SETTINGS[name].variable}" for name in said})
    asked = asked_config(said, config_file)
    settings = resolve(asked)
    recipe = RECIPES[asked.tune, asked.recipe]
    used = msgspec.structs.asdict(settings)
    found = []
    for name, setting in SETTINGS.items():
        value = used[name] if setting.field == name else getattr(asked, name)
        source = sources.get(name)
        if source is None and (name not in recipe or recipe[name] is value is None):
            source = "default"
        elif source is None:
            as_recipe = recipe[name] == value
            source = f"recipe {asked.tune}/{asked.recipe}" if as_recipe else "other settings"
        found.append(Setting(f"train.{name}", value, source, name in settings.fitted))
    return found


def ui_settings(found: UiSettings) -> list[Setting]:
    """How the app would look here and which keys it would take."""
    values = {name: getattr(found, name) for name in ("theme", "ascii", "low_bandwidth")}
    values.update({f"keys.{name}": keys for name, keys in found.keys.items()})
    return [
        Setting(f"ui.{name}", value, found.sources.get(name, "default"))
        for name, value in values.items()
    ]


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
