"""Checks of complete settings: the ranges of the record, and contradictions between settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nexus_engine.errors import ConfigError
from nexus_engine.settings.record import SETTINGS, Settings
from nexus_engine.settings.setting import NamedSetting, shown_value

MAX_KEEP_WEIGHT = 100

__all__ = ["check_given", "check_numbers", "check_settings"]


def check_given(values: Mapping[str, Any]) -> None:
    """Refuse numbers out of range among `values` of some settings, by name; None is none.

    A bound that depends on another setting is left to `check_settings`.

    Raises:
        ConfigError: a number is out of range.
    """
    for name, value in values.items():
        setting = SETTINGS[name]
        if value is None or setting.notes.min is None or setting.notes.below:
            continue
        for number in value if isinstance(value, list | tuple) else (value,):
            _refuse_outside(setting, number, setting.notes.max)


def check_numbers(settings: Settings, *, fitted: bool = True) -> None:
    """Refuse numbers out of range, which a run folder from elsewhere may hold.

    Args:
        settings: Complete settings; every value has the right type.
        fitted: Whether the run may have raised values for little data (`training.little_data`).

    Raises:
        ConfigError: a number is out of range.
    """
    for setting in SETTINGS.values():
        if setting.notes.min is not None:
            value = getattr(settings, setting.field)
            for number in value if isinstance(value, tuple) else (value,):
                _check_range(setting, number, settings, fitted=fitted)


def _check_range(
    setting: NamedSetting, number: float | None, settings: Settings, *, fitted: bool
) -> None:
    notes = setting.notes
    high = notes.max
    if notes.below:
        high = getattr(settings, notes.below) - 1
    if fitted and notes.max_fitted is not None:
        high = notes.max_fitted
    if number is not None:
        _refuse_outside(setting, number, high)


def _refuse_outside(setting: NamedSetting, number: float, high: float | None) -> None:
    low = setting.notes.min
    if low is None or high is None:
        return
    if not low <= number <= high:  # also false for NaN
        raise ConfigError(
            f"{setting.option} {shown_value(number)}: must be between {low:g} and {high:g}"
        )


def check_settings(settings: Settings) -> None:
    """Refuse numbers out of range, and settings that contradict each other.

    Raises:
        ConfigError: the message says what is wrong and which option to change or leave out.
    """
    check_numbers(settings, fitted=False)
    _check_lists(settings)
    if settings.tune == "dendrites":
        _check_frozen_encoder(settings)
    if settings.grower == "perforatedai":
        _check_perforatedai(settings)
    if settings.dendrite == "full":
        if settings.rule == "correlation":
            raise ConfigError(
                "--dendrite full learns only by --rule gradient: leave out --rule correlation"
            )
        if settings.budget_parameters is not None:
            raise ConfigError(
                "--budget does not apply to full dendrites: leave it out, or use --dendrite unit"
            )
    if settings.tune != "dendrites" and settings.control and not settings.dendrites:
        raise ConfigError(
            "--control compares with a run without dendrites; leave out --no-dendrites"
        )
    _check_task(settings)
    score_range = settings.score_range
    if score_range is not None and not score_range[0] < score_range[1]:
        raise ConfigError("--score-range: give LOW,HIGH with LOW below HIGH")


def _check_task(settings: Settings) -> None:
    retrieval = settings.task == "retrieval"
    if retrieval != (settings.loss == "ranking"):
        wanted = "ranking" if retrieval else "cosine-mse, cosine-mse-pearson or cosent"
        raise ConfigError(f"--loss {settings.loss}: --task {settings.task} takes {wanted}")
    if retrieval and settings.grower == "perforatedai":
        raise ConfigError(
            "--grower perforatedai trains on graded pairs alone: leave it out, or use --task pairs"
        )
    if not retrieval and settings.hard_negatives:
        raise ConfigError("--hard-negatives needs questions with passages: leave it out")
    if not retrieval and settings.order == "neighbours":
        raise ConfigError("--order neighbours needs questions with passages: use random or length")
    if settings.passes_per_epoch > 1 and (not retrieval or settings.epochs_per_pass > 1):
        raise ConfigError(
            "--passes-per-epoch needs questions with passages and --epochs-per-pass 1: leave it out"
        )
    if not retrieval and settings.eval_corpus is not None:
        raise ConfigError("--eval-corpus needs questions with passages: leave it out")
    if not retrieval and settings.corpus is not None:
        raise ConfigError("--corpus needs questions with passages: leave it out")
    if settings.keep_general in ("off", "auto"):
        return
    try:
        weight = float(settings.keep_general)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= MAX_KEEP_WEIGHT:
        shown = shown_value(settings.keep_general)
        raise ConfigError(f"--keep-general {shown}: give off, auto, or a weight from 0 to 100")
    if settings.grower == "perforatedai" and weight:
        raise ConfigError("--grower perforatedai rehearses nothing: use --keep-general off")


def _check_lists(settings: Settings) -> None:
    if not settings.layers or len(set(settings.layers)) != len(settings.layers):
        raise ConfigError("--layers: name at least one layer, each once, such as 0,1,2")
    if not settings.place or len(set(settings.place)) != len(settings.place):
        sites = ", ".join(SETTINGS["place"].choices)
        raise ConfigError(f"--place: name at least one of {sites}, each once")
    epochs = settings.switch_epochs
    if epochs is not None and list(epochs) != sorted(set(epochs)):
        raise ConfigError("--switch-epochs: give epochs in rising order, such as 0,2")


def _check_frozen_encoder(settings: Settings) -> None:
    """With `--tune dendrites`, only dendrites are trained, and only units grown by `native`."""
    if settings.switch_epochs and settings.switch_epochs[0] != 0:
        raise ConfigError(
            f"--switch-epochs begins with {settings.switch_epochs[0]}, but with --tune dendrites "
            "nothing is trained before the first set grows: begin with 0"
        )
    if not settings.planned_switches:
        raise ConfigError(
            "with --tune dendrites nothing is trained without dendrites: use --tune adapter or "
            "--tune full with --no-dendrites, or --control for a comparison"
        )
    if settings.grower == "perforatedai" or settings.dendrite == "full":
        option = "--grower perforatedai" if settings.grower == "perforatedai" else "--dendrite full"
        raise ConfigError(f"{option} grows on the adapter: use --tune adapter or --tune full")


def _check_perforatedai(settings: Settings) -> None:
    """Refuse what the library cannot do before it starts."""
    if not settings.dendrites:
        raise ConfigError("--grower perforatedai grows dendrites: leave out --no-dendrites")
    if settings.rule != "gradient":
        raise ConfigError(
            "--grower perforatedai: the open library has no correlation rule; "
            "use --grower native with --rule correlation"
        )
    if settings.min_gain:
        raise ConfigError(
            "--grower perforatedai keeps every dendrite that improves dev: leave out --min-gain"
        )
    if settings.units != 1:
        raise ConfigError("--grower perforatedai adds one dendrite per switch: leave out --units")
