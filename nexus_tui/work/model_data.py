"""The pairs to evaluate a model on. If the user names none, its run's held-out pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.system.user_paths import user_path
from nexus_tui.settings.training import parse_list

__all__ = ["DataChoice", "choose_data", "own_data"]

DEFAULT_SEED = 1
"""The default of `nexus train`, so that a file is split for the base model as for a run."""


class DataChoice(NamedTuple):
    """A SPEC with what is needed to read, split and scale it as the run did.

    `columns` and `skip_bad` are as the user wrote them for the run, `task` is what it trained for,
    None if nothing tells. `max_tokens` is how much of a text the model read. `corpus` are the
    documents among which the questions of a label file are ranked. `base` is the base model, by
    whose tokens documents are cut; None for the usual one.
    """

    spec: str
    seed: int
    score_range: tuple[float, float] | None
    columns: str | None = None
    skip_bad: bool = False
    max_tokens: int = 256
    task: Literal["pairs", "retrieval"] | None = None
    corpus: str | None = None
    base: str | None = None


def own_data(model: str) -> DataChoice | None:
    """The data that the run `model` was trained on; None for `base` or a mere model folder.

    An exported folder names data that ships with the project, and no other.
    """
    from nexus_engine.runs.folder import find_run

    if model == "base" or model.startswith("base:"):
        return None
    exported = _exported_data(model)
    if exported is not None:
        return exported
    try:
        settings = find_run(model).read_run().get("settings")
    except (RunError, ConfigError):  # not a run: loading the model reports any error
        return None
    if not isinstance(settings, dict):
        return None
    return _from_settings(settings)


def _exported_data(model: str) -> DataChoice | None:
    """The shipped data that the exported folder `model` was trained on, read as by default."""
    from nexus_engine.disk.regular_files import read_json
    from nexus_engine.named_task import SHIPPED
    from nexus_engine.runs.saved_model import EXPORT_CARD

    try:
        card = read_json(user_path(model) / EXPORT_CARD)
    except (OSError, ValueError, ConfigError):
        return None
    name = card.get("data_name") if isinstance(card, dict) else None
    task = SHIPPED.get(name) if isinstance(name, str) else None
    return None if task is None else DataChoice(str(name), DEFAULT_SEED, None, task=task)


def _from_settings(settings: dict[str, Any]) -> DataChoice | None:
    spec, seed, score_range = (settings.get(name) for name in ("data", "seed", "score_range"))
    if not isinstance(spec, str) or not isinstance(seed, int):
        return None
    if not 0 <= seed < 2**31:
        return None
    columns, max_tokens = settings.get("columns"), settings.get("max_length")
    corpus, base = settings.get("corpus"), settings.get("base")
    task = settings.get("task", "pairs")  # runs of earlier versions trained on pairs
    return DataChoice(
        spec,
        seed,
        _range(score_range),
        columns if isinstance(columns, str) else None,
        settings.get("skip_bad") is True,
        max_tokens if isinstance(max_tokens, int) and 32 <= max_tokens <= 512 else 256,
        task if task in ("pairs", "retrieval") else None,
        corpus if isinstance(corpus, str) else None,
        base if isinstance(base, str) else None,
    )


def _range(value: object) -> tuple[float, float] | None:
    """LOW,HIGH of a run's settings; None for any other value."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in value):
        return None
    low, high = map(float, value)
    return (low, high) if low < high else None


def choose_data(models: Sequence[str], spec: str | None, score_range: str | None) -> DataChoice:
    """The pairs to evaluate `models` on: `spec`, else the first run's own data, else the demo.

    The seed is the first run's, so that its test pairs are those of its training.

    Raises:
        ConfigError: `score_range` is not LOW,HIGH.
    """
    own = next((data for data in map(own_data, models) if data is not None), None)
    limits = None
    if score_range is not None:
        low, high = parse_list("score_range", score_range)
        if not low < high:
            raise ConfigError("--score-range: give LOW,HIGH with LOW below HIGH")
        limits = (low, high)
    if spec is None:
        spec = "demo" if own is None else own.spec
    seed = DEFAULT_SEED if own is None else own.seed
    if own is None or not _same_data(spec, own.spec):
        base = _untrained(models) if own is None else own.base
        return DataChoice(spec, seed, limits, base=base)
    return own._replace(spec=spec, score_range=limits or own.score_range)


def _untrained(models: Sequence[str]) -> str | None:
    """The base model that the first of `models` names as `base:NAME`."""
    name = models[0] if models else ""
    return name.removeprefix("base:") if name.startswith("base:") else None


def _same_data(spec: str, other: str) -> bool:
    if spec == other:
        return True
    try:
        return user_path(spec).samefile(other)
    except (OSError, ValueError, ConfigError):
        return False
