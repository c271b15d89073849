"""The form of a new run as values: its fields, checks in words, command line. No widgets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus_engine.config import Settings, TrainConfig, resolve
from nexus_engine.errors import ConfigError, NexusError
from nexus_engine.recipes import RECIPES
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting
from nexus_tui.settings.environment import environment_settings
from nexus_tui.settings.training import asked_config
from nexus_tui.words.formats import epochs_words, value_text

__all__ = [
    "FIELDS",
    "Checked",
    "Field",
    "check",
    "choices",
    "command_words",
    "measured_values",
    "plan_in_words",
    "recipes_of",
]


TO_BE_FITTED = "to be fitted"
"""Behind a value that little data will change (`Settings.fit`), as long as it is not known to what;
short, since an entry has 18 columns on a small terminal."""


@dataclass(frozen=True, slots=True)
class Field:
    """A line of the form: a setting of the record that has a row there."""

    setting: NamedSetting
    label: str
    help: str

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.setting.name

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return self.setting.option

    @property
    def chosen(self) -> bool:
        """Whether a value is taken from a list instead of typed."""
        return self.setting.kind in ("choice", "flag") or self.name == "recipe"


def fields_of(settings: Mapping[str, NamedSetting]) -> tuple[Field, ...]:
    """The lines of the form, from the first row to the last."""
    rows = [(s.notes.form, s) for s in settings.values() if s.notes.form is not None]
    rows.sort(key=lambda pair: pair[0].row)
    return tuple(Field(setting, row.label, row.help) for row, setting in rows)


FIELDS = fields_of(SETTINGS)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the form comes to. `errors` are by field; "" holds what belongs to none.

    `settings` is None while there is an error; `shown` are the values of what is left blank.
    """

    said: Mapping[str, Any]
    settings: Settings | None
    errors: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """The arguments of `nexus train` that say the same."""
        arguments = []
        for name, value in self.said.items():
            flag = SETTINGS[name].option
            if isinstance(value, bool):
                arguments.append(flag if value else f"--no-{flag[2:]}")
            elif str(value).startswith("-"):
                arguments.append(f"{flag}={value}")
            else:
                arguments += [flag, str(value)]
        return arguments


def recipes_of(tune: str) -> list[str]:
    """The recipes of a regime."""
    return [name for regime, name in RECIPES if regime == tune]


def choices() -> dict[str, tuple[tuple[str, ...], str]]:
    """By field: the words of a choice, and the one that holds before anything is chosen.

    Variables and files that cannot be used change nothing here; `check` says what is wrong.
    """
    try:
        config = asked_config(environment_settings(), None)
    except NexusError:
        config = TrainConfig()
    recipe = RECIPES.get((config.tune, config.recipe), {})
    offered = {}
    for form_field in FIELDS:
        name, setting = form_field.name, form_field.setting
        if not form_field.chosen:
            continue
        words = ("no", "yes") if setting.kind == "flag" else setting.choices
        value = getattr(config, name)
        if name == "recipe":
            words = tuple(recipes_of(config.tune))
        offered[name] = (words, _typed_text(recipe.get(name) if value is None else value))
    return offered


def check(typed: Mapping[str, str]) -> Checked:
    """Check what is typed, by field; blank fields are left to variables, files and recipe.

    The messages are those of the command line. A choice left as it stands is not said.
    """
    said, errors = _read(typed)
    if errors:
        return Checked(said, None, errors)
    try:
        config = asked_config({**environment_settings(), **said}, None)
        settings = resolve(config)
    except ConfigError as error:
        name, words = _placed(str(error))
        return Checked(said, None, {name: words})
    except NexusError as error:
        return Checked(said, None, {"": str(error)})
    return Checked(said, settings, {}, _standing_values(config, settings))


def _read(typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for form_field in FIELDS:
        text = typed.get(form_field.name, "").strip()
        if not text:
            continue
        setting = form_field.setting
        if setting.kind == "flag":
            values[form_field.name] = text == "yes"
        elif setting.kind in ("whole", "number"):
            try:
                values[form_field.name] = setting.type(text)
            except ValueError:
                errors[form_field.name] = f"{form_field.flag}: give {setting.takes}"
        else:
            values[form_field.name] = text
    return values, errors


def _placed(message: str) -> tuple[str, str]:
    """The field that a message of the command line is about, and the message."""
    for form_field in FIELDS:
        if message.startswith((f"{form_field.flag} ", f"{form_field.flag}:")):
            return form_field.name, message
    return "", message


def _standing_values(config: TrainConfig, settings: Settings) -> dict[str, str]:
    """By field: the value that holds where nothing is typed."""
    texts = {}
    for form_field in FIELDS:
        name, setting = form_field.name, form_field.setting
        texts[name] = _typed_text(getattr(settings if setting.field == name else config, name))
        if name in settings.fitted:
            texts[name] += f", {TO_BE_FITTED}"
    if settings.tune != "dendrites":
        texts["place"] = "the adapter"
    return texts


def _typed_text(value: object) -> str:
    """A value as one types or chooses it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def measured_values(settings: Settings, figures: Mapping[str, Any]) -> dict[str, str]:
    """By field: what the data made of the values that it decides, as a forecast found them."""
    return {
        name: f"{value_text(figures[name])}, fitted"
        for name in settings.fitted
        if figures.get(name) is not None
    }


def command_words(arguments: list[str]) -> str:
    """The command line, to be pasted into a shell."""
    return " ".join(["nexus", "train", *(shlex.quote(part) for part in arguments)])


def plan_in_words(settings: Settings) -> str:
    """What the settings will do, in a sentence."""
    sets = settings.planned_switches
    length = epochs_words(settings.epochs, settings.epochs_per_pass)
    if not sets:
        return f"{length}, no dendrites"
    where = "the adapter"
    if settings.tune == "dendrites":
        layers = (
            "all layers"
            if len(settings.layers) == 6
            else ("layers " + ",".join(map(str, settings.layers)))
        )
        where = f"{','.join(settings.place)} of {layers}"
    noun = "set" if sets == 1 else "sets"
    if settings.switch_epochs is not None:
        when = " and ".join(
            "before training" if epoch == 0 else f"after epoch {epoch}"
            for epoch in settings.switch_epochs[:sets]
        )
    else:
        when = "when dev stalls"
        if settings.warmup_epochs:
            when += f", not before epoch {settings.warmup_epochs}"
        if settings.tune == "dendrites" or not settings.warmup_epochs:
            when = f"before training and {when}"
    return f"{length}; {sets} {noun} of dendrites on {where}, {when}"
