"""The two deciding metrics in words, for reports and screens."""

from __future__ import annotations

from typing import NamedTuple

from nexus_engine.scores import Metric

__all__ = ["METRIC_WORDS", "RANKING_NAMES", "MetricWords", "metric_name"]


class MetricWords(NamedTuple):
    """A metric in words: its name, its name with an explanation, and what it is a figure of."""

    name: str
    explained: str
    examples: str


METRIC_WORDS: dict[Metric, MetricWords] = {
    "spearman": MetricWords("Spearman", "Spearman's rank correlation", "pairs"),
    "ndcg_at_10": MetricWords(
        "nDCG@10",
        "nDCG@10 (the mean over questions, each ranked against all passages)",
        "questions",
    ),
}

RANKING_NAMES = {
    "ndcg_at_10": "nDCG@10",
    "mrr_at_10": "MRR@10",
    "recall_at_1": "recall@1",
    "recall_at_10": "recall@10",
    "recall_at_100": "recall@100",
}
"""The figures of a ranking, by the end of their fields' names."""


def metric_name(metric: Metric | None) -> str:
    """The name of a metric, such as nDCG@10; empty if it is not known yet."""
    return "" if metric is None else METRIC_WORDS[metric].name
