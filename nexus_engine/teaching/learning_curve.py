"""What more labels would bring: short runs on a quarter and on half of those that are there.

Two models, trained on a quarter and on half of the labels, are judged on questions or pairs that
neither was trained on: the other half, and the held-out part. The difference is what doubling the
labels brought, with its interval of a paired bootstrap. One more doubling brings about as much, or
less: held-out scores grow no faster than with the logarithm of the number of labels. Where the
interval holds zero, the labels do not tell, and the curve says so. With 20 of each held out in dev
and test, a third run on all labels takes part, and the last doubling is the one from half to all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nexus_engine.config import Settings
from nexus_engine.data import PairData, Pairs
from nexus_engine.data.label_splits import MIN_HELD_OUT
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.data.train_share import rows_of_share
from nexus_engine.errors import DataError, NexusError
from nexus_engine.events import RunFailed, RunFinished
from nexus_engine.model.base_model import find_base_model
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import LoadedModel, base_of, load_saved
from nexus_engine.scoring.correlation import Interval, bootstrap_gain, spearman
from nexus_engine.scoring.question_evaluation import QuestionEvaluation
from nexus_engine.scoring.ranking import bootstrap_mean_gain
from nexus_engine.scoring.similarity import evaluate
from nexus_engine.training.inputs import read_data
from nexus_engine.training.run import train
from nexus_engine.training.steering import Steering

__all__ = ["MIN_EXAMPLES", "CurvePoint", "LearningCurve", "learning_curve"]

MIN_EXAMPLES = 16
"""Taught questions or pairs; a quarter of fewer is hardly anything."""
ENOUGH = 0.01
"""A doubling that brings less than this, in nDCG@10 or Spearman, is not worth the work."""
SHARES = (0.25, 0.5, 1.0)

Verdict = Literal["too few", "unclear", "more", "enough"]
Values = npt.NDArray[np.float64]


class CurvePoint(NamedTuple):
    """A model trained on `examples` questions or pairs, `score` on those that none was taught.

    The first point is the base model, with no example.
    """

    examples: int
    score: float


class LearningCurve(NamedTuple):
    """The points, and what the last doubling of the labels brought on `judged` untaught examples.

    `doubling` is None with too few labels to try.
    """

    metric: Literal["nDCG@10", "Spearman"]
    points: tuple[CurvePoint, ...]
    judged: int
    doubling: Interval | None

    @property
    def verdict(self) -> Verdict:
        """Whether more labels pay, as far as these tell."""
        if self.doubling is None:
            return "too few"
        if self.doubling.high < ENOUGH:
            return "enough"
        return "more" if self.doubling.low > 0 else "unclear"

    @property
    def sentence(self) -> str:
        """The same in plain words."""
        if self.doubling is None:
            return f"Too few labels to tell what more would bring: it takes {MIN_EXAMPLES} taught."
        gain, low, high = self.doubling
        before, after = self.points[-2].examples, self.points[-1].examples
        brought = (
            f"From {before} to {after} labels, {self.metric} on {self.judged} that were not taught "
            f"changed by {gain:+.3f} (95 % {low:+.3f} to {high:+.3f})"
        )
        match self.verdict:
            case "enough":
                return f"{brought}: twice as many would bring less than {ENOUGH:g}. You can stop."
            case "more":
                return f"{brought}: twice as many would bring about as much again, or less."
        return f"{brought}: the labels do not tell whether more would help."


def learning_curve(
    settings: Settings,
    steering: Steering | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LearningCurve:
    """Train on shares of the labels of `settings` and judge the models; takes 2 or 3 short runs.

    Not while another run trains in this process. `steering` can stop it within a step; `progress`
    receives a line before each run. The runs are kept nowhere.

    Raises:
        StopAsked: `steering` stopped it.
        NexusError: the labels cannot be used, or a run failed.
    """
    steering = steering or Steering()
    data = read_data(settings, find_base_model(settings.base))
    metric: Literal["nDCG@10", "Spearman"] = "Spearman" if isinstance(data, PairData) else "nDCG@10"
    examples = len(data.train)
    if examples < MIN_EXAMPLES:
        return LearningCurve(metric, (), 0, None)
    held_out = _held_out(data)
    shares = SHARES if held_out is not None else SHARES[:2]
    judge = _Judge(_with_test(data, held_out or _untaught(data)), settings)
    counts = [0, *(len(rows_of_share(data, share)) for share in shares)]
    values: list[Values] = []
    folder = Path(tempfile.mkdtemp(prefix="nexus-curve-"))
    try:
        for share, loaded in _models(settings, shares, folder, steering, progress):
            if share == shares[0]:
                values.append(judge.values(base_of(loaded)))
            values.append(judge.values(loaded))
            steering.check()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    points = [CurvePoint(n, judge.score(each)) for n, each in zip(counts, values, strict=True)]
    return LearningCurve(metric, tuple(points), len(values[0]), judge.gain(values[-1], values[-2]))


def _models(
    settings: Settings,
    shares: tuple[float, ...],
    folder: Path,
    steering: Steering,
    progress: Callable[[str], None],
) -> Iterator[tuple[float, LoadedModel]]:
    """The model of a run on each share."""
    for share in shares:
        progress(f"training on {share:.0%} of the labels")
        run = RunFolder.create(folder / f"share-{share:g}", "curve")
        last = None
        shared = msgspec.structs.replace(settings, train_share=share, control=False)
        for last in train(shared, run, steering):  # noqa: B007
            pass
        if isinstance(last, RunFailed):
            raise NexusError(last.message)
        if not isinstance(last, RunFinished):
            steering.check()
            raise DataError("the run of the learning curve was stopped")
        yield share, load_saved(run.best, "curve")
        shutil.rmtree(run.path, ignore_errors=True)


Split = Pairs | QuestionSplit


def _held_out(data: PairData | QuestionData) -> Split | None:
    """Dev and test together where each is a held-out part of its own; else None."""
    alone = data.dev is not data.test and min(len(data.dev), len(data.test)) >= MIN_HELD_OUT
    if not alone or _texts(data.dev) & _texts(data.train):
        return None
    return data.test


def _texts(split: Split) -> set[str]:
    column: pa.Array = split.first if isinstance(split, Pairs) else split.questions
    return set(column.to_pylist())


def _untaught(data: PairData | QuestionData) -> Split:
    """The half of train that the runs on a quarter and on half of it do not see."""
    taught = rows_of_share(data, SHARES[1])
    rest = np.setdiff1d(np.arange(len(data.train)), taught)
    return data.train.take(rest)


def _with_test(data: PairData | QuestionData, split: Split) -> PairData | QuestionData:
    if isinstance(data, PairData):
        assert isinstance(split, Pairs)
        return replace(data, test=split)
    assert isinstance(split, QuestionSplit)
    return replace(data, test=split)


class _Judge:
    """Judges models on the test split of `data`, by the values of its examples."""

    def __init__(self, data: PairData | QuestionData, settings: Settings) -> None:
        self._pairs = data.test if isinstance(data, PairData) else None
        self._questions: QuestionEvaluation | None = None
        if isinstance(data, QuestionData):
            sample = settings.eval_corpus
            self._questions = QuestionEvaluation(data, "test", sample, settings.seed)

    def values(self, loaded: LoadedModel) -> Values:
        """The nDCG@10 of each question, or the cosine of each pair, (n,)."""
        if self._questions is not None:
            return self._questions.judge(loaded).judged.values
        assert self._pairs is not None
        return evaluate(loaded, self._pairs).cosine

    def score(self, values: Values) -> float:
        """The mean nDCG@10, or Spearman."""
        if self._pairs is None:
            return float(values.mean())
        assert self._pairs.scores is not None
        return spearman(values, self._pairs.scores)

    def gain(self, ours: Values, theirs: Values) -> Interval:
        """The score of `ours` minus that of `theirs`, with its interval."""
        if self._pairs is None:
            return bootstrap_mean_gain(ours, theirs)
        assert self._pairs.scores is not None
        return bootstrap_gain(ours, theirs, self._pairs.scores)
