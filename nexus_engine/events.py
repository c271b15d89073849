"""The events of a run: one frozen union, in memory and as JSON lines.

Every consumer (run folder, headless command, live screen, replay) receives these events and nothing
else. Field names carry the unit. Values are scalars, strings and short tuples of them; they are
never tensors or sentences of the user's data.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from nexus_engine.scores import ControlResult, Metric, Score, SwitchRecord, VectorScore, either

__all__ = [
    "TERMINAL_EVENTS",
    "CheckpointSaved",
    "DendritesAdded",
    "EpochStarted",
    "Evaluated",
    "Evaluating",
    "Event",
    "GuardChecked",
    "Log",
    "PauseChanged",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "RunStopped",
    "Step",
    "SwitchSettled",
    "Warned",
]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Fields of every event: `time_unix_s`, when it happened, and `arm`, the training it is from.

    `arm` is "main" for the run proper, or "control:NAME".
    """

    time_unix_s: float = 0.0
    arm: str = "main"


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """The data is loaded and the model is checked; nothing is trained yet.

    An epoch is a pass over the train pairs, or one of `epochs_per_pass` parts of it. In a run of
    `task` "retrieval" a train pair is a question with one of its answers, `dev_pairs` and
    `test_pairs` count questions, and each is ranked against `passages` passages. `labels` is the
    fingerprint of the verdicts where the data is a label file, else "".
    """

    run_dir: str
    name: str
    tune: str
    data: str
    data_fingerprint: str
    train_pairs: int
    dev_pairs: int
    test_pairs: int
    guard_pairs: int
    epochs: int
    epochs_per_pass: int = 1
    batch_size: int
    lr: float
    switches: int
    seed: int
    sites: int
    params_base: int
    device: str
    precision: str
    threads: int
    pid: int
    resumed: bool
    task: Literal["pairs", "retrieval"] = "pairs"
    passages: int = 0
    max_tokens: int = 256
    keep_general: str = "off"
    labels: str = ""

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return "spearman" if self.task == "pairs" else "ndcg_at_10"


class EpochStarted(_Event, frozen=True, kw_only=True, tag="epoch_started"):
    """An epoch begins. Epochs count from 1; `steps` is the number of its optimizer steps.

    Its last one is step `last_step` of the arm, which has `steps_total`. Both are 0 in logs of
    earlier versions, whose epochs all have as many steps.
    """

    epoch: int
    epochs: int
    steps: int
    last_step: int = 0
    steps_total: int = 0
    sets: int
    params_trained: int


class Step(_Event, frozen=True, kw_only=True, tag="step"):
    """One or a few optimizer steps are done; `loss` is their mean loss."""

    epoch: int
    step: int
    steps_total: int
    loss: float
    lr: float
    grad_norm: float
    pairs_per_second: float
    elapsed_seconds: float
    remaining_seconds: float
    rss_mb: float


class GuardChecked(_Event, frozen=True, kw_only=True, tag="guard_checked"):
    """During an epoch, the guard's steering half was scored, and the rehearsal weight follows.

    `steering_spearman` is the correlation with the scores of these pairs, `base_steering_spearman`
    the base model's; `keep_weight` is the weight of the rehearsal loss from now on.
    """

    epoch: int
    step: int
    steering_spearman: float
    base_steering_spearman: float
    keep_weight: float


class Evaluating(_Event, frozen=True, kw_only=True, tag="evaluating"):
    """An evaluation is under way: `done` of `total` texts are embedded."""

    epoch: int
    split: Literal["dev", "test"]
    done: int
    total: int


class Evaluated(_Event, frozen=True, kw_only=True, tag="evaluated"):
    """An evaluation on dev or test; epoch 0 is the base model.

    With graded pairs: Spearman's and Pearson's correlation of cosine similarity with the scores,
    -1..1. With questions, `pairs` of them: nDCG@10, MRR@10 and recall over the whole corpus, 0..1.
    `guard_spearman` is the rank correlation between this model's and the
    base model's similarities on the guard, general pairs that are never trained on: 1 means that
    their order is unchanged. `guard_scored_spearman` correlates this model's similarities with the
    guard pairs' own scores and so measures general quality.
    """

    epoch: int
    split: Literal["dev", "test"]
    pairs: int
    spearman: Score = None
    pearson: Score = None
    ndcg_at_10: Score = None
    mrr_at_10: Score = None
    recall_at_1: Score = None
    recall_at_10: Score = None
    recall_at_100: Score = None
    guard_spearman: float
    guard_scored_spearman: float
    is_best: bool
    best_spearman: Score = None
    best_ndcg_at_10: Score = None
    best_epoch: int
    eval_seconds: float
    keep_weight: float = 0.0

    def __post_init__(self) -> None:
        _ = self.score, self.best_score

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return "ndcg_at_10" if self.spearman is None else "spearman"

    @property
    def score(self) -> float:
        """The score by `metric`."""
        return either(self.spearman, self.ndcg_at_10)

    @property
    def best_score(self) -> float:
        """The best score on dev so far."""
        return either(self.best_spearman, self.best_ndcg_at_10)


class DendritesAdded(_Event, frozen=True, kw_only=True, tag="dendrites_added"):
    """A switch: the best weights are restored, a set is grown, optimizer and schedule restart."""

    switch: int
    epoch: int
    sites: int
    units: int
    params_added: int
    params_added_total: int
    params_trained: int
    spearman_before: Score = None
    ndcg_at_10_before: Score = None

    def __post_init__(self) -> None:
        _ = self.before

    @property
    def before(self) -> float:
        """The best score on dev before the switch."""
        return either(self.spearman_before, self.ndcg_at_10_before)


class SwitchSettled(_Event, frozen=True, kw_only=True, tag="switch_settled"):
    """The trial of a set ended: by the dev score it is kept, or rolled back exactly."""

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


class CheckpointSaved(_Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A checkpoint to resume from is completely on disk. `path` is relative to the run folder."""

    path: str
    epoch: int
    step: int
    size_bytes: int
    save_seconds: float


class PauseChanged(_Event, frozen=True, kw_only=True, tag="pause_changed"):
    """The run pauses before its next step, on request, or continues."""

    paused: bool


class Log(_Event, frozen=True, kw_only=True, tag="log"):
    """A note for the log."""

    message: str


class Warned(_Event, frozen=True, kw_only=True, tag="warning"):
    """Something that the user should know; the run continues."""

    message: str


class RunFinished(_Event, frozen=True, kw_only=True, tag="run_finished"):
    """The run's result. Of `switches` sets grown, `switches_kept` were kept.

    With questions, `test_low` and `test_high` bound test nDCG@10, and `gain_test_low` and
    `gain_test_high` its gain over the base model: 95 % intervals of a bootstrap over the test
    questions. `guard_apart_spearman` is the scored Spearman of the guard pairs that do not steer
    the rehearsal.
    """

    run_dir: str
    metric: Metric = "spearman"
    base_dev_spearman: Score = None
    base_test_spearman: Score = None
    best_dev_spearman: Score = None
    best_dev_pearson: Score = None
    base_dev_ndcg_at_10: Score = None
    base_test_ndcg_at_10: Score = None
    best_dev_ndcg_at_10: Score = None
    best_epoch: int
    test_spearman: Score = None
    test_pearson: Score = None
    test_ndcg_at_10: Score = None
    test_mrr_at_10: Score = None
    test_recall_at_1: Score = None
    test_recall_at_10: Score = None
    test_recall_at_100: Score = None
    base_test_mrr_at_10: Score = None
    base_test_recall_at_1: Score = None
    base_test_recall_at_10: Score = None
    base_test_recall_at_100: Score = None
    test_low: Score = None
    test_high: Score = None
    gain_test_low: Score = None
    gain_test_high: Score = None
    guard_spearman: float
    guard_scored_spearman: float
    base_guard_scored_spearman: float
    guard_apart_spearman: Score = None
    base_guard_apart_spearman: Score = None
    switches: int
    switches_kept: int
    switch_records: tuple[SwitchRecord, ...]
    params_base: int
    params_trained: int
    params_added: int
    epochs: int
    train_seconds: float
    total_seconds: float
    pairs_per_second: float
    peak_rss_mb: float
    control_dev_spearman: float | None = None
    control_test_spearman: float | None = None
    control_dev_ndcg_at_10: Score = None
    control_test_ndcg_at_10: Score = None
    controls: tuple[ControlResult, ...] = ()
    vector_scores: tuple[VectorScore, ...] = ()

    def __post_init__(self) -> None:
        _ = self.base_dev, self.base_test, self.best_dev, self.test_score

    @property
    def base_dev(self) -> float:
        """The base model's score on dev."""
        return either(self.base_dev_spearman, self.base_dev_ndcg_at_10)

    @property
    def base_test(self) -> float:
        """The base model's score on test."""
        return either(self.base_test_spearman, self.base_test_ndcg_at_10)

    @property
    def best_dev(self) -> float:
        """The best score on dev."""
        return either(self.best_dev_spearman, self.best_dev_ndcg_at_10)

    @property
    def test_score(self) -> float:
        """The score of the best weights on test."""
        return either(self.test_spearman, self.test_ndcg_at_10)

    @property
    def control_dev(self) -> float | None:
        """The best control's score on dev; None without a control."""
        by_ndcg = self.control_dev_ndcg_at_10
        return self.control_dev_spearman if by_ndcg is None else by_ndcg

    @property
    def control_test(self) -> float | None:
        """That control's score on test; None without a control."""
        by_ndcg = self.control_test_ndcg_at_10
        return self.control_test_spearman if by_ndcg is None else by_ndcg


class RunFailed(_Event, frozen=True, kw_only=True, tag="run_failed"):
    """The run failed. `message` is one line; `exit_code` is one of `errors.ExitCode`."""

    message: str
    kind: str
    exit_code: int


class RunStopped(_Event, frozen=True, kw_only=True, tag="run_stopped"):
    """The run stopped on request, within a step; it resumes from `checkpoint`."""

    reason: str
    exit_code: int
    epoch: int
    step: int
    checkpoint: str


Event = (
    RunStarted
    | EpochStarted
    | Step
    | GuardChecked
    | Evaluating
    | Evaluated
    | DendritesAdded
    | SwitchSettled
    | CheckpointSaved
    | PauseChanged
    | Log
    | Warned
    | RunFinished
    | RunFailed
    | RunStopped
)

TERMINAL_EVENTS = (RunFinished, RunFailed, RunStopped)
"""Every run ends with exactly one of these."""
