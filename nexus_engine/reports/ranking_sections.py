"""The sections of a report on runs with questions: their ranking on test, and small vectors."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_engine.events import RunFinished
from nexus_engine.metric_words import RANKING_NAMES
from nexus_engine.reports.gather import Run
from nexus_engine.reports.parts import NO_SECTION, Section, Table, figure, signed

__all__ = ["ranking", "vectors"]


def ranking(runs: Sequence[Run]) -> Section:
    """Each run's ranking of the test questions beside that of its base model, with intervals."""
    rows = []
    for run in runs:
        result = run.result
        if result is None or result.metric != "ndcg_at_10":
            continue
        tuned = [getattr(result, f"test_{name}") for name in RANKING_NAMES]
        base = [getattr(result, f"base_test_{name}") for name in RANKING_NAMES]
        rows.append((run.label, "base", *map(figure, base), "", ""))
        rows.append((run.label, "tuned", *map(figure, tuned), *_intervals(result)))
    if not rows:
        return NO_SECTION
    paragraph = (
        "Each test question is ranked against all passages. Recall is the share of its known "
        "answers among the first 1, 10 or 100 passages, MRR the inverse rank of the first answer. "
        "Brackets hold 95 % intervals of a bootstrap over the test questions; the gain is paired."
    )
    header = ("run", "model", *RANKING_NAMES.values(), "nDCG@10 (95 %)", "gain over base (95 %)")
    right = (False, False, *(True for _ in header[2:]))
    return Section("Ranking on test", (paragraph,), (), (Table(header, tuple(rows), right),))


def _intervals(result: RunFinished) -> tuple[str, str]:
    score, gain = "", ""
    if result.test_low is not None and result.test_high is not None:
        score = f"[{figure(result.test_low)}, {figure(result.test_high)}]"
    if result.gain_test_low is not None and result.gain_test_high is not None:
        over = signed(result.test_score - result.base_test)
        gain = f"{over} [{signed(result.gain_test_low)}, {signed(result.gain_test_high)}]"
    return score, gain


def vectors(runs: Sequence[Run]) -> Section:
    """Test nDCG@10 with vectors cut to their first numbers and stored in fewer bytes."""
    rows = [
        (
            run.label,
            str(small.numbers),
            small.dtype,
            f"{small.bytes_each:,}",
            figure(small.base_ndcg_at_10),
            figure(small.ndcg_at_10),
            signed(small.ndcg_at_10 - small.base_ndcg_at_10),
        )
        for run in runs
        if run.result is not None
        for small in run.result.vector_scores
    ]
    if not rows:
        return NO_SECTION
    paragraph = (
        "Test nDCG@10 with vectors cut to their first numbers and stored as the type says. The "
        "base model's vectors are cut and stored alike."
    )
    header = ("run", "numbers", "stored as", "bytes a passage", "base", "tuned", "gain")
    right = (False, True, False, True, True, True, True)
    return Section("Small vectors", (paragraph,), (), (Table(header, tuple(rows), right),))
