"""The form of a new run without its widgets: fields, checks, command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from nexus_engine.config import Settings, TrainConfig
from nexus_engine.errors import ConfigError, NexusError, one_line
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.named_task import SHIPPED, with_task
from nexus_engine.recipes import RECIPES
from nexus_engine.settings.record import SETTINGS
from nexus_engine.settings.setting import NamedSetting
from nexus_tui.settings.environment import environment_settings
from nexus_tui.settings.training import asked_config
from nexus_tui.words.formats import count, epochs_words, size, value_text
from nexus_tui.words.metrics import task_words

__all__ = [
    "FIELDS",
    "Checked",
    "Field",
    "Glanced",
    "Tasks",
    "check",
    "choices",
    "command_words",
    "glance_at_data",
    "measured_values",
    "plan_in_words",
    "recipes_of",
]

Tasks = Mapping[tuple[str, str | None], Literal["pairs", "retrieval"]]
"""What data is for, by its SPEC and columns."""

TO_BE_FITTED = "to be fitted"
"""Follows a value that `Settings.fit` will lower for a small data set, until a forecast tells to
what. Short, since an entry has 18 columns on a small terminal."""


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the form: a setting of the record that the form shows."""

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
    def is_choice(self) -> bool:
        """Whether the user selects the value from a list instead of typing it."""
        return self.setting.kind in ("choice", "flag") or self.name == "recipe"


def _fields_of(settings: Mapping[str, NamedSetting]) -> tuple[Field, ...]:
    """The rows of the form, from the first to the last."""
    rows = [(s.notes.form, s) for s in settings.values() if s.notes.form is not None]
    rows.sort(key=lambda pair: pair[0].row)
    return tuple(Field(setting, row.label, row.help) for row, setting in rows)


FIELDS = _fields_of(SETTINGS)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check of the form.

    `values` has the fields that the user filled in. `settings` is None while there is an error.
    `errors` are by field, under "" if they belong to none. `shown` has the value that applies to
    each field left blank. `config` is what the form asks for, None if a field cannot be read.
    """

    values: Mapping[str, Any]
    settings: Settings | None
    errors: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict)
    config: TrainConfig | None = None

    @property
    def arguments(self) -> list[str]:
        """The arguments of `nexus train` that mean the same."""
        arguments = []
        for name, value in self.values.items():
            flag = SETTINGS[name].option
            if isinstance(value, bool):
                arguments.append(flag if value else f"--no-{flag[2:]}")
            elif str(value).startswith("-"):
                arguments.append(f"{flag}={value}")
            else:
                arguments += [flag, str(value)]
        return arguments


def recipes_of(tune: str) -> list[str]:
    """The names of the recipes of a regime."""
    return [name for regime, name in RECIPES if regime == tune]


def choices() -> dict[str, tuple[tuple[str, ...], str]]:
    """By name of a field with a choice: its options and its default.

    Invalid variables and settings files are ignored here; `check` reports them.
    """
    try:
        config = asked_config(environment_settings(), None)
    except NexusError:
        config = TrainConfig()
    recipe = RECIPES.get((config.tune, config.recipe), {})
    options_of = {}
    for form_field in FIELDS:
        name, setting = form_field.name, form_field.setting
        if not form_field.is_choice:
            continue
        options = ("no", "yes") if setting.kind == "flag" else setting.choices
        value = getattr(config, name)
        if name == "recipe":
            options = tuple(recipes_of(config.tune))
        options_of[name] = (options, _form_text(recipe.get(name) if value is None else value))
    return options_of


def check(typed: Mapping[str, str], tasks: Tasks | None = None) -> Checked:
    """Check the text typed into each field; variables, files and recipe decide blank fields.

    The messages are those of the command line. A choice left at its default counts as blank. The
    task of data is read from it, which may take seconds in a large folder. With `tasks` nothing is
    read: data that is not among them counts as graded pairs.
    """
    values, errors = _read(typed)
    if errors:
        return Checked(values, None, errors)
    config = None
    try:
        config = asked_config({**environment_settings(), **values}, None)
        config = _with_task(config, tasks)
        settings = resolve_for_base(config)
    except ConfigError as error:
        message = str(error)
        return Checked(values, None, {_field_of(message): message}, config=config)
    except NexusError as error:
        return Checked(values, None, {"": str(error)}, config=config)
    return Checked(values, settings, {}, _effective_values(config, settings), config)


def _with_task(config: TrainConfig, tasks: Tasks | None) -> TrainConfig:
    if tasks is None or config.task != "auto" or config.data in SHIPPED:
        return with_task(config)
    task = tasks.get((config.data, config.columns), "auto")
    return msgspec.structs.replace(config, task=task)


class Glanced(NamedTuple):
    """The configuration with the task of its data, why the data cannot be used, what it holds."""

    config: TrainConfig
    error: str
    note: str


def glance_at_data(config: TrainConfig) -> Glanced:
    """The task of the data, and the number and size of its files. Blocking."""
    from nexus_engine.data.files.glance import glance
    from nexus_engine.data.questions.glance import glance_at_questions

    try:
        config = with_task(config)
        is_pairs = config.task == "pairs"
        data = glance(config.data) if is_pairs else glance_at_questions(config.data)
    except NexusError as error:
        return Glanced(config, one_line(error, 300), "")
    lines = "" if data.lines is None else f"{count(data.lines)} lines, "
    noun = "file" if data.files == 1 else "files"
    what = "pairs" if is_pairs else "questions"
    return Glanced(config, "", f"{what}: {data.files} {noun}, {lines}{size(data.size_bytes)}")


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


def _field_of(message: str) -> str:
    """The name of the field that a message of the command line is about; "" for none."""
    for form_field in FIELDS:
        if message.startswith((f"{form_field.flag} ", f"{form_field.flag}:")):
            return form_field.name
    return ""


def _effective_values(config: TrainConfig, settings: Settings) -> dict[str, str]:
    """By field: the value that applies while nothing is typed."""
    texts = {}
    for form_field in FIELDS:
        name, setting = form_field.name, form_field.setting
        texts[name] = _form_text(getattr(settings if setting.field == name else config, name))
        if name in settings.fitted:
            texts[name] += f", {TO_BE_FITTED}"
    if settings.tune != "dendrites":
        texts["place"] = "the adapter"
    return texts


def _form_text(value: object) -> str:
    """A value as the user would type or select it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def measured_values(settings: Settings, figures: Mapping[str, Any]) -> dict[str, str]:
    """By field: the value that a forecast fitted to the data, for each field that is fitted."""
    return {
        name: f"{value_text(figures[name])}, fitted"
        for name in settings.fitted
        if figures.get(name) is not None
    }


def command_words(arguments: list[str]) -> str:
    """The command line, ready to paste into a shell."""
    return shlex.join(["nexus", "train", *arguments])


def plan_in_words(settings: Settings) -> str:
    """What a run with these settings will do, in a sentence; graded pairs go without saying."""
    plan = _plan(settings)
    return plan if settings.task == "pairs" else f"{plan}; {task_words(settings.task)}"


def _plan(settings: Settings) -> str:
    """The length of the run, and when it grows what."""
    sets = settings.planned_switches
    length = epochs_words(settings.epochs, settings.epochs_per_pass)
    if not sets:
        return f"{length}, no dendrites"
    where = "the adapter"
    if settings.tune == "dendrites":
        numbers = ",".join(map(str, settings.layers))
        layers = "all layers" if len(settings.layers) == 6 else f"layers {numbers}"
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
