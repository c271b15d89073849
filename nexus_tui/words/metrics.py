"""A run's metric, examples and rehearsal in words, the same on every screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nexus_engine.events import RunFinished, RunStarted
from nexus_engine.metric_words import RANKING_NAMES, metric_name
from nexus_engine.runs.run_view import ArmView
from nexus_engine.scores import Metric
from nexus_tui.words.formats import correlation, count, gain

__all__ = [
    "RANKING_COLUMNS",
    "apart_words",
    "counts_words",
    "different_metrics",
    "evaluated_words",
    "lead_name",
    "ranking_rows",
    "run_counts",
    "task_words",
    "vector_rows",
]

TASK_WORDS = {"pairs": "graded pairs", "retrieval": "questions with passages"}

RANKING_COLUMNS = tuple(RANKING_NAMES.values())
"""The figures of a ranking, the deciding one first."""


def task_words(task: str) -> str:
    """What the data is, and what judges: "questions with passages, judged by nDCG@10"."""
    metric: Metric = "ndcg_at_10" if task == "retrieval" else "spearman"
    return f"{TASK_WORDS.get(task, task)}, judged by {metric_name(metric)}"


def lead_name(metric: Metric | None) -> str:
    """The metric's name to put before a figure; empty on graded pairs, where figures stand alone.

    Lines on graded pairs never named Spearman, and scripts read them.
    """
    return "" if metric in (None, "spearman") else f"{metric_name(metric)} "


def counts_words(figures: Mapping[str, Any]) -> str:
    """How many examples each split has, from a forecast or the fields of `RunStarted`."""
    train, dev = count(figures["train_pairs"]), count(figures["dev_pairs"])
    test = count(figures["test_pairs"])
    if figures.get("task", "pairs") == "pairs":
        return f"{train} train, {dev} dev, {test} test pairs"
    passages = count(figures.get("passages", 0))
    return f"{train} train pairs, {dev} dev and {test} test questions, {passages} passages"


def run_counts(event: RunStarted) -> str:
    """How many examples each split of a run has."""
    names = ("train_pairs", "dev_pairs", "test_pairs", "task", "passages")
    return counts_words({name: getattr(event, name) for name in names})


def evaluated_words(arm: ArmView) -> str:
    """How far an evaluation is: "4,000 of 15,691 texts"; empty where nothing tells."""
    if arm.evaluated is None:
        return ""
    done, total = arm.evaluated
    return f"{count(done)} of {count(total)} texts"


def different_metrics(metrics: Sequence[Metric]) -> str:
    """Why runs that different metrics judge are not ranked; empty if one metric judges all."""
    names = [metric_name(metric) for metric in dict.fromkeys(metrics)]
    if len(names) < 2:
        return ""
    return f"{' and '.join(names)} are not ranked together"


def ranking_rows(result: RunFinished) -> list[tuple[str, ...]]:
    """The ranking of the test questions: a row for the base model and one for the run."""
    rows = []
    for name, lead in (("base", "base_test_"), ("tuned", "test_")):
        figures = (correlation(getattr(result, lead + field)) for field in RANKING_NAMES)
        rows.append((name, *figures))
    return rows


def vector_rows(result: RunFinished) -> list[tuple[str, ...]]:
    """Small vectors: size, type, bytes, and nDCG@10 of the base model and of the run on test."""
    return [
        (
            str(small.numbers),
            small.dtype,
            count(small.bytes_each),
            correlation(small.base_ndcg_at_10),
            correlation(small.ndcg_at_10),
        )
        for small in result.vector_scores
    ]


def apart_words(result: RunFinished) -> str:
    """General quality on the guard's test half, which neither trains nor steers; empty without."""
    base, tuned = result.base_guard_apart_spearman, result.guard_apart_spearman
    if base is None or tuned is None:
        return ""
    return f"{correlation(base)} to {correlation(tuned)} ({gain(tuned - base)})"
