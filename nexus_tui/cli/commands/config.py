"""`nexus config show`: shows every setting in force here and where it comes from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from nexus_tui.settings.app import UiSettings

__all__ = ["app"]

FITTED = ", fitted to the data"

app = typer.Typer(
    help="Show the settings in force here.", no_args_is_help=True, add_completion=False
)


@app.callback()
def _group() -> None:
    """Show the settings in force here."""


class Setting(NamedTuple):
    """A setting of `nexus train` or of the app. `key` is its name in a nexus.toml.

    `fitted`: a run on little data changes the value when it starts; `nexus train --forecast` shows
    the new value.
    """

    key: str
    value: Any
    source: str
    fitted: bool = False


@app.command("show")
def show(
    config: Annotated[
        str | None,
        typer.Option(
            "--config", help="The file that nexus train would be given.", metavar="FILE.toml"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")] = False,
) -> None:
    """Show each setting with its value and its source. Options override all of them."""
    from nexus_tui.settings.app import read_ui_settings
    from nexus_tui.settings.environment import unknown_variables
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown
    from nexus_tui.words.render import table

    ui = read_ui_settings()
    settings = [*training_settings(config), *ui_settings(ui)]
    for warning in (*ui.warnings, *unknown_variables()):
        streams.say(f"warning: {warning}")
    if json:
        for setting in settings:
            streams.put_json(setting._asdict())
        return
    room = max(20, streams.width(sys.stdout) - 52)
    rows = [
        (s.key, shown(_words(s.value) + FITTED * s.fitted, 30), shown(s.source, room))
        for s in settings
    ]
    streams.put(*table(("setting", "value", "from"), rows, (False, False, False)))


def training_settings(config_file: str | None) -> list[Setting]:
    """The settings that `nexus train` would use here.

    Raises:
        ConfigError: `nexus train` would raise it too.
    """
    import msgspec

    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_engine.named_task import with_task
    from nexus_engine.recipes import RECIPES
    from nexus_engine.settings.record import SETTINGS
    from nexus_tui.settings.environment import environment_settings
    from nexus_tui.settings.training import asked_config, file_layers

    sources: dict[str, str] = {}
    for path, values in file_layers(config_file):
        sources.update(dict.fromkeys(values, str(path)))
    variables = environment_settings()
    sources.update({name: f"variable {SETTINGS[name].variable}" for name in variables})
    config = with_task(asked_config(variables, config_file))
    resolved = resolve_for_base(config)
    recipe = RECIPES[config.tune, config.recipe]
    used = msgspec.structs.asdict(resolved)
    settings = []
    for name, setting in SETTINGS.items():
        value = used[name] if setting.field == name else getattr(config, name)
        source = sources.get(name)
        if source is None and (name not in recipe or recipe[name] is value is None):
            source = "default"
        elif source is None:
            as_recipe = recipe[name] == value
            source = f"recipe {config.tune}/{config.recipe}" if as_recipe else "other settings"
        settings.append(Setting(f"train.{name}", value, source, name in resolved.fitted))
    return settings


def ui_settings(settings: UiSettings) -> list[Setting]:
    """The settings that the app would use here: its look and its keys."""
    values = {name: getattr(settings, name) for name in ("theme", "ascii", "low_bandwidth")}
    values.update({f"keys.{name}": keys for name, keys in settings.keys.items()})
    return [
        Setting(f"ui.{name}", value, settings.sources.get(name, "default"))
        for name, value in values.items()
    ]


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
