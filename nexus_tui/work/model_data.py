"""Which pairs a model is judged on when the user names none: those that its run held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.system.user_paths import user_path
from nexus_tui.settings.training import parse_list

__all__ = ["DataChoice", "choose_data", "own_data"]

DEFAULT_SEED = 1
"""As `nexus train` has it, so that a file is cut for the base model as it is for a run."""


class DataChoice(NamedTuple):
    """A SPEC with what is needed to cut and map it as the run did."""

    spec: str
    seed: int
    score_range: tuple[float, float] | None


def own_data(asked: str) -> DataChoice | None:
    """The data that the run `asked` was trained on; None for `base` and for a mere model folder."""
    from nexus_engine.runs.folder import find_run

    if asked == "base":
        return None
    try:
        settings = find_run(asked).read_run().get("settings")
    except (
        RunError,
        ConfigError,
    ):  # no run: whoever loads the model says what is wrong, if anything is
        return None
    if not isinstance(settings, dict):
        return None
    return _from_settings(settings)


def _from_settings(settings: dict[str, Any]) -> DataChoice | None:
    spec, seed, marks = (settings.get(name) for name in ("data", "seed", "score_range"))
    if not isinstance(spec, str) or not isinstance(seed, int):
        return None
    if not 0 <= seed < 2**31:
        return None
    return DataChoice(spec, seed, _range(marks))


def _range(marks: object) -> tuple[float, float] | None:
    """LOW,HIGH as a run's settings hold it; None for all else that may stand there."""
    if not isinstance(marks, list | tuple) or len(marks) != 2:
        return None
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in marks):
        return None
    low, high = map(float, marks)
    return (low, high) if low < high else None


def choose_data(models: Sequence[str], spec: str | None, score_range: str | None) -> DataChoice:
    """The pairs to judge `models` on: `spec`, else the first run's own data, else the demo.

    The seed is the first run's: its test pairs are then the same as when it was trained.

    Raises:
        ConfigError: `score_range` is not LOW,HIGH.
    """
    own = next((found for found in map(own_data, models) if found is not None), None)
    marks = None
    if score_range is not None:
        low, high = parse_list("score_range", score_range)
        if not low < high:
            raise ConfigError("--score-range: give LOW,HIGH with LOW below HIGH")
        marks = (low, high)
    if spec is None:
        spec = "demo" if own is None else own.spec
    if marks is None and own is not None and _same(spec, own.spec):
        marks = own.score_range
    return DataChoice(spec, DEFAULT_SEED if own is None else own.seed, marks)


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return user_path(one).samefile(other)
    except (OSError, ValueError, ConfigError):
        return False
