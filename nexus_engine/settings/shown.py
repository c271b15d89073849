"""The recorded settings of a run that a user is shown: those that the run's task has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["shown_settings"]

INTERNAL = ("fit", "warmup_after_first_set", "budget_parameters")
"""Derived by `nexus_engine.config`; a budget is shown under the user's name for it."""
OF_PAIRS = ("score_range",)
OF_RETRIEVAL = (
    "corpus",
    "eval_corpus",
    "passes_per_epoch",
    "weak_epochs",
    "hard_negatives",
    "negative_margin",
)


def shown_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` as `run.json` holds them, without those that do not apply, in their order."""
    hidden = OF_PAIRS if settings.get("task") == "retrieval" else OF_RETRIEVAL
    shown = {k: v for k, v in settings.items() if k not in INTERNAL and k not in hidden}
    budget = settings.get("budget_parameters")
    return shown if budget is None else {**shown, "budget": budget}
