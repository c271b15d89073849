"""The form of a new run as values: its fields, checks in words, command line. No widgets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec

from nexus_engine.config import Settings, TrainConfig, Tune, resolve
from nexus_engine.errors import ConfigError, NexusError
from nexus_engine.recipes import RECIPES
from nexus_tui.settings.environment import environment_settings
from nexus_tui.settings.training import asked_config
from nexus_tui.words.formats import epochs_words, value_text

__all__ = [
    "FIELDS",
    "TUNES",
    "Checked",
    "Field",
    "check",
    "command_words",
    "measured_values",
    "plan_in_words",
    "recipes_of",
    "standing",
]


TO_BE_FITTED = "to be fitted"
"""Behind a value that little data will change (`Settings.fit`), as long as it is not known to what;
short, since an entry has 18 columns on a small terminal."""

TUNES: tuple[str, ...] = get_args(Tune)
"""The regimes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A line of the form. `kind` says what is typed; a choice is taken from a list instead."""

    name: str
    label: str
    kind: str
    help: str

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")


FIELDS = (
    Field("data", "Data", "text", "demo, stsb, a file of pairs, or a folder"),
    Field("tune", "Regime", "choice", "dendrites and adapter leave the encoder as it is"),
    Field("recipe", "Recipe", "choice", "what is left blank below comes from it"),
    Field("epochs", "Epochs", "whole", "passes over the pairs, or parts of one"),
    Field("batch_size", "Batch size", "whole", "pairs in a step; little data gets fewer"),
    Field("lr", "Learning rate", "number", "the peak rate; little data gets a larger one"),
    Field("switches", "Switches", "whole", "at most so many sets of dendrites"),
    Field("warmup_epochs", "Warm-up", "whole", "no switch before this epoch, then at a stall"),
    Field("place", "Placement", "text", "of q, k, v, o, up, down, as v,up"),
    Field("budget", "Budget", "text", "or parameters: 0.01% or a number"),
    Field("seed", "Seed", "whole", "of order, cuts and new dendrites"),
    Field("control", "Control", "choice", "the same training without dendrites, to compare"),
)


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
        found = []
        for name, value in self.said.items():
            flag = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                found.append(flag if value else f"--no-{flag[2:]}")
            elif str(value).startswith("-"):
                found.append(f"{flag}={value}")
            else:
                found += [flag, str(value)]
        return found


def recipes_of(tune: str) -> list[str]:
    """The recipes of a regime."""
    return [name for regime, name in RECIPES if regime == tune]


def standing() -> TrainConfig:
    """What variables and files say before anything is typed.

    Raises:
        ConfigError: one of them cannot be used.
    """
    return asked_config(environment_settings(), None)


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
    said: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in FIELDS:
        text = typed.get(one.name, "").strip()
        if not text:
            continue
        try:
            if one.name == "control":
                said[one.name] = text == "yes"
            elif one.kind == "whole":
                said[one.name] = int(text)
            else:
                said[one.name] = float(text) if one.kind == "number" else text
        except ValueError:
            kind = "a whole number" if one.kind == "whole" else "a number"
            errors[one.name] = f"{one.flag}: give {kind}"
    return said, errors


def _placed(message: str) -> tuple[str, str]:
    """The field that a message of the command line is about, and the message."""
    for one in FIELDS:
        if message.startswith((f"{one.flag} ", f"{one.flag}:")):
            return one.name, message
    return "", message


def _standing_values(config: TrainConfig, settings: Settings) -> dict[str, str]:
    """By field: the value that holds where nothing is typed."""
    values = msgspec.structs.asdict(settings)
    values["budget"] = config.budget
    found = {}
    for one in FIELDS:
        value = values[one.name]
        if isinstance(value, bool):
            found[one.name] = "yes" if value else "no"
        elif isinstance(value, tuple):
            found[one.name] = ",".join(map(str, value))
        else:
            found[one.name] = "none" if value is None else str(value)
        if one.name in settings.fitted:
            found[one.name] += f", {TO_BE_FITTED}"
    if settings.tune != "dendrites":
        found["place"] = "the adapter"
    return found


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
