"""The options of `nexus train`: one for each setting of the record, and those of the run itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from nexus_engine.settings.record import GROUPS, SETTINGS
from nexus_engine.settings.setting import NamedSetting, in_help_order

__all__ = ["setting_option", "with_setting_options"]

RUN = "Run"

Function = TypeVar("Function", bound=Callable[..., None])


def setting_option(name: str, help_text: str = "") -> typer.models.OptionInfo:
    """The option of the setting `name` for another command, without its variable.

    `help_text` stands there in the place of the setting's own.
    """
    setting = SETTINGS[name]
    return _option(setting, help=help_text or setting.help)


def with_setting_options(function: Function) -> Function:
    """Give `function` an option for each setting in the place of its `**` parameter.

    Typer reads the options from `__signature__`. Each value is None where nothing is given.
    """
    own = inspect.signature(function, eval_str=True)
    others = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    context = [p for p in others if p.annotation is typer.Context]
    options = [_parameter(setting) for setting in in_help_order(SETTINGS, GROUPS)]
    rest = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in others if p not in context]
    function.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*context, *options, *rest]
    )
    return function


def _parameter(setting: NamedSetting) -> inspect.Parameter:
    """The keyword parameter of a setting; a list is given as text."""
    value_type = str if setting.kind == "list" else setting.type
    option = _option(
        setting,
        help=setting.help,
        rich_help_panel=setting.notes.group,
        envvar=setting.variable,
        show_envvar=False,
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[value_type | None, option],
    )


def _option(setting: NamedSetting, **more: Any) -> typer.models.OptionInfo:
    declared = setting.option
    if setting.kind == "flag":
        declared = f"{declared}/--no-{declared[2:]}"
    made: typer.models.OptionInfo = typer.Option(declared, metavar=setting.metavar, **more)
    return made


Out = Annotated[
    str | None,
    typer.Option("--out", help="The run folder to make.", metavar="DIR", rich_help_panel=RUN),
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        help="Go on with a run: name, folder, latest.",
        metavar="RUN",
        rich_help_panel=RUN,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config", help="These options as TOML.", metavar="FILE.toml", rich_help_panel=RUN
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Events as JSON lines on stdout.", metavar="", rich_help_panel=RUN),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Also tell of checkpoints.", metavar="", rich_help_panel=RUN),
]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Go on without this terminal.", metavar="", rich_help_panel=RUN),
]
Forecast = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help="Measure briefly what it will cost; train nothing.",
        metavar="",
        rich_help_panel=RUN,
    ),
]
