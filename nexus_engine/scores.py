"""The two metrics that can decide in a run, and the records of a result that hold their scores.

With graded pairs Spearman decides, with questions and passages nDCG@10. A record has a field for
either; the one that does not apply is None in memory and absent in JSON.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ControlResult", "Metric", "Score", "SwitchRecord", "VectorScore", "either"]

Metric = Literal["spearman", "ndcg_at_10"]
"""What decides in a run: Spearman with graded pairs, nDCG@10 with questions and passages."""
Score = float | None
"""A score of one of the two metrics; None in a record of the other one, and absent in its JSON."""


def either(by_spearman: Score, by_ndcg: Score) -> float:
    """The score that is there.

    Raises:
        ValueError: neither is.
    """
    score = by_ndcg if by_spearman is None else by_spearman
    if score is None:
        raise ValueError("neither Spearman nor nDCG@10")
    return score


class SwitchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One switch in the result: its parameters, and the dev score before and after."""

    switch: int
    epoch: int
    kept: bool
    spearman_before: Score = None
    spearman_after: Score = None
    ndcg_at_10_before: Score = None
    ndcg_at_10_after: Score = None
    params_added: int

    def __post_init__(self) -> None:
        _ = self.before, self.after

    @property
    def before(self) -> float:
        """The best score on dev before the set."""
        return either(self.spearman_before, self.ndcg_at_10_before)

    @property
    def after(self) -> float:
        """The best score on dev with the set."""
        return either(self.spearman_after, self.ndcg_at_10_after)


class ControlResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a control, and the gain of the run with dendrites over it.

    `gain_low` and `gain_high` bound the dev gain: the 95 % confidence interval of a paired
    bootstrap over the dev pairs, or the dev questions.
    """

    name: str
    description: str
    params_trained: int
    dev_spearman: Score = None
    test_spearman: Score = None
    dev_ndcg_at_10: Score = None
    test_ndcg_at_10: Score = None
    guard_spearman: float
    best_epoch: int
    gain_dev_spearman: Score = None
    gain_dev_ndcg_at_10: Score = None
    gain_low: float
    gain_high: float

    def __post_init__(self) -> None:
        _ = self.dev_score, self.test_score, self.gain_dev

    @property
    def dev_score(self) -> float:
        """The control's best score on dev."""
        return either(self.dev_spearman, self.dev_ndcg_at_10)

    @property
    def test_score(self) -> float:
        """The control's score on test."""
        return either(self.test_spearman, self.test_ndcg_at_10)

    @property
    def gain_dev(self) -> float:
        """The run's best score on dev minus the control's."""
        return either(self.gain_dev_spearman, self.gain_dev_ndcg_at_10)


class VectorScore(msgspec.Struct, frozen=True, kw_only=True):
    """Test nDCG@10 with vectors cut to their first `numbers`, stored as float32, int8 or signs.

    `bytes_each` is the size of a stored passage. `base_ndcg_at_10` is the base model's score with
    vectors of the same size and kind.
    """

    numbers: int
    dtype: str
    bytes_each: int
    ndcg_at_10: float
    base_ndcg_at_10: float
