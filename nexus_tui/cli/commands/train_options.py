"""The options of `nexus train`: one for each setting, and those of the run itself."""

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

    `help_text` replaces the setting's own.
    """
    setting = SETTINGS[name]
    return _option(setting, help=help_text or setting.help)


def with_setting_options(function: Function) -> Function:
    """Replace the `**` parameter of `function` by an option for each setting.

    Typer reads the options from `__signature__`. The value of an option that is not given is None.
    """
    own = inspect.signature(function, eval_str=True)
    named = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    context = [p for p in named if p.annotation is typer.Context]
    options = [_parameter(setting) for setting in in_help_order(SETTINGS, GROUPS)]
    rest = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in named if p not in context]
    function.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*context, *options, *rest]
    )
    return function


def _parameter(setting: NamedSetting) -> inspect.Parameter:
    """The keyword parameter of a setting. A list arrives as text."""
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


def _option(setting: NamedSetting, **attributes: Any) -> typer.models.OptionInfo:
    declaration = setting.option
    if setting.kind == "flag":
        declaration = f"{declaration}/--no-{declaration[2:]}"
    option: typer.models.OptionInfo = typer.Option(
        declaration, metavar=setting.metavar, **attributes
    )
    return option


Out = Annotated[
    str | None,
    typer.Option("--out", help="The run folder to create.", metavar="DIR", rich_help_panel=RUN),
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        help="Resume a run, by name or folder, or latest.",
        metavar="RUN",
        rich_help_panel=RUN,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        help="A file with these options as TOML.",
        metavar="FILE.toml",
        rich_help_panel=RUN,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print events as JSON lines.", metavar="", rich_help_panel=RUN),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Also show checkpoints.", metavar="", rich_help_panel=RUN),
]
Detach = Annotated[
    bool,
    typer.Option(
        "--detach",
        help="Keep training after this terminal closes.",
        metavar="",
        rich_help_panel=RUN,
    ),
]
Forecast = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help="Measure what the run will cost; do not train.",
        metavar="",
        rich_help_panel=RUN,
    ),
]
