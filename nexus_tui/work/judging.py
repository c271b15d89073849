"""Runs compared on the first run's test pairs, with the interval of each difference. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine.errors import NexusError, one_line
from nexus_engine.system.shortages import out_of_memory
from nexus_tui.charts.run.comparison import Judged

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
    """Embed the first run's test pairs with the weights of each run; None when cancelled.

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


def _judged(
    paths: Sequence[Path], progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> Judgement:
    from nexus_engine.data import load_split
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring import similarity
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.uses import note_uses

    choice = choose_data([str(path) for path in paths], None, None)
    with_weights = [path for path in paths if (path / "best" / "model.json").is_file()]
    if paths[0] not in with_weights or len(with_weights) < 2:
        return Judgement((), "", "the first run and another need weights to be compared")
    pairs = load_split(choice.spec, "test", seed=choice.seed, score_range=choice.score_range)
    warnings = note_uses(with_weights, "compare test", pairs)
    total = len(with_weights) * similarity.distinct_sentences(pairs)
    done = 0

    def advance(sentences: int) -> None:
        nonlocal done
        if cancelled():
            raise _Cancelled
        done += sentences
        progress(done / max(1, total))

    correlations = []
    for path in with_weights:
        advance(0)
        correlations.append(similarity.evaluate(load_model(str(path)), pairs, advance))
    differences = similarity.compare(correlations, pairs)
    by_path = {
        path: Judged(spearman=scores.spearman, difference=gap.value, low=gap.low, high=gap.high)
        for path, scores, gap in zip(with_weights, correlations, differences, strict=True)
    }
    words = f"on the {len(pairs):,} test pairs of the first run, paired bootstrap"
    if warnings:
        words += "; " + warnings[0]
    return Judgement(tuple(by_path.get(path) for path in paths), words)
