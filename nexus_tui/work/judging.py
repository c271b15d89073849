"""Runs compared on the first run's test split, with the interval of each difference. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine.errors import NexusError, one_line
from nexus_engine.system.shortages import out_of_memory
from nexus_tui.charts.run.comparison import Judged
from nexus_tui.work.question_data import DataRequest, data_request, load_requested

__all__ = ["Judgement", "judge"]


class Judgement(NamedTuple):
    """A result for each run (None without weights), or one line that says why there is none."""

    judged: tuple[Judged | None, ...]
    words: str
    error: str = ""


class _Cancelled(Exception):  # noqa: N818 - how a worker that is no longer wanted ends
    """Nobody waits for the result any more."""


def judge(
    paths: Sequence[Path], progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> Judgement | None:
    """Judge the weights of each run on the first run's test split; None when cancelled.

    The first run's data decide the metric: Spearman on graded pairs, nDCG@10 on questions.
    `progress` receives the share that is done, 0..1. One model is in memory at a time.
    """
    try:
        return _judged(paths, progress, cancelled)
    except _Cancelled:
        return None
    except Exception as error:
        if out_of_memory(error):
            return Judgement((), "", "out of memory")
        if not isinstance(error, NexusError | OSError):
            raise
        return Judgement((), "", one_line(error, 300))


class _Counter:
    """Turns counted texts into the share that is done, and stops work that nobody waits for."""

    def __init__(self, progress: Callable[[float], None], cancelled: Callable[[], bool]) -> None:
        self._progress, self._cancelled = progress, cancelled
        self._done = 0
        self.total = 1

    def advance(self, texts: int) -> None:
        if self._cancelled():
            raise _Cancelled
        self._done += texts
        self._progress(self._done / max(1, self.total))


def _judged(
    paths: Sequence[Path], progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> Judgement:
    from nexus_tui.work.model_data import choose_data

    choice = choose_data([str(path) for path in paths], None, None)
    with_weights = [path for path in paths if (path / "best" / "model.json").is_file()]
    if paths[0] not in with_weights or len(with_weights) < 2:
        return Judgement((), "", "the first run and another need weights to be compared")
    request = data_request(choice)
    judged_on = _on_questions if request.task == "retrieval" else _on_pairs
    results, words = judged_on(with_weights, request, _Counter(progress, cancelled))
    by_path = dict(zip(with_weights, results, strict=True))
    return Judgement(tuple(by_path.get(path) for path in paths), words)


def _on_pairs(
    paths: Sequence[Path], request: DataRequest, counter: _Counter
) -> tuple[list[Judged], str]:
    from nexus_engine.data import load_split_with_questions
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring import similarity
    from nexus_tui.work.uses import note_uses

    choice = request.choice
    pairs, _ = load_split_with_questions(
        choice.spec,
        "test",
        seed=choice.seed,
        score_range=choice.score_range,
        columns=request.columns,
        skip_bad=request.skip_bad,
    )
    warnings = note_uses(paths, "compare test", pairs)
    counter.total = len(paths) * similarity.distinct_sentences(pairs)
    correlations = []
    for path in paths:
        counter.advance(0)
        correlations.append(similarity.evaluate(load_model(str(path)), pairs, counter.advance))
    differences = similarity.compare(correlations, pairs)
    results = [
        Judged(score=scores.spearman, difference=gap.value, low=gap.low, high=gap.high)
        for scores, gap in zip(correlations, differences, strict=True)
    ]
    return results, _words(f"on the {len(pairs):,} test pairs of the first run", warnings)


def _on_questions(
    paths: Sequence[Path], request: DataRequest, counter: _Counter
) -> tuple[list[Judged], str]:
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.question_evaluation import QuestionEvaluation, gains_over_first
    from nexus_tui.work.uses import note_questions

    data = load_requested(request, request.choice.max_tokens)
    evaluation = QuestionEvaluation(data, "test")
    warnings = note_questions(paths, "compare test", len(evaluation), data.fingerprint)
    counter.total = len(paths) * (evaluation.passages + len(evaluation))
    judged = []
    for path in paths:
        counter.advance(0)
        judged.append(evaluation.judge(load_model(str(path)), (), counter.advance))
    results = [
        Judged(score=result.judged.score, difference=gap.value, low=gap.low, high=gap.high)
        for result, gap in zip(judged, gains_over_first(judged), strict=True)
    ]
    where = f"nDCG@10 on the {len(evaluation):,} test questions of the first run"
    return results, _words(where, warnings)


def _words(where: str, warnings: Sequence[str]) -> str:
    words = f"{where}, paired bootstrap"
    return f"{words}; {warnings[0]}" if warnings else words
