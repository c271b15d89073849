"""`nexus eval` and `nexus compare` on questions: nDCG@10, with intervals over the questions."""

from __future__ import annotations

import sys
import time
from typing import Any, Literal

from nexus_tui.work.question_data import Asked, load_asked

__all__ = ["compare_on_questions", "evaluate_on_questions"]

SplitName = Literal["test", "dev", "train", "all"]
SCORES = ("mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100")


def evaluate_on_questions(
    model: str,
    asked: Asked,
    split: SplitName,
    *,
    bf16: bool,
    sample: int | None,
    dims: tuple[int, ...],
    json: bool,
) -> None:
    """Judge a model beside its base on the questions of a split, and show the result."""
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.question_evaluation import (
            QuestionEvaluation,
            base_of,
            gains_over_first,
        )

        loaded = load_model(model, bf16=bf16)
        evaluation = QuestionEvaluation(load_asked(asked), split, sample, asked.choice.seed)
        _note_use([model], f"eval {split}", evaluation)
        sides = [loaded] if loaded.card is None else [base_of(loaded), loaded]
        progress.begin("embedding", len(sides) * (evaluation.passages + len(evaluation)))
        begun = time.perf_counter()
        judged = [evaluation.judge(side, dims, progress.advance) for side in sides]
        seconds = time.perf_counter() - begun
    streams.note(evaluation.note)
    base, tuned = judged[0], judged[-1]
    over = gains_over_first(judged)[-1]
    if json:
        streams.put_json(
            {
                "model": loaded.name,
                "data": asked.choice.spec,
                "split": split,
                "metric": "ndcg_at_10",
                "questions": len(evaluation),
                "passages": evaluation.passages,
                **_figures(tuned),
                **{f"base_{name}": value for name, value in _figures(base).items()},
                "gain": over.value,
                "gain_low": over.low,
                "gain_high": over.high,
                "vector_sizes": [size._asdict() for size in tuned.sizes],
                "seconds": seconds,
            }
        )
        return
    header = ("model", "nDCG@10", "95 %", "MRR@10", "R@1", "R@10", "R@100")
    rows = []
    for side, result in zip(sides, judged, strict=True):
        details = result.judged.details
        interval = f"{correlation(result.interval.low)} to {correlation(result.interval.high)}"
        figures = [correlation(details[name]) for name in SCORES]
        name = shown(side.name, max(8, streams.width(sys.stdout) - 62))
        rows.append((name, correlation(result.judged.score), interval, *figures))
    streams.put(*table(header, rows, (False, True, True, True, True, True, True)))
    if loaded.card is not None:
        streams.put(
            f"over base: nDCG@10 {gain(over.value)}, 95 % {gain(over.low)} to {gain(over.high)}"
        )
    if tuned.sizes:
        sizes = [
            (count(size.numbers), size.format, count(size.bytes_per_passage),
             correlation(size.ndcg_at_10), correlation(size.recall_at_10))
            for size in tuned.sizes
        ]  # fmt: skip
        columns = ("numbers", "format", "bytes a passage", "nDCG@10", "R@10")
        streams.put(*table(columns, sizes, (True, False, True, True, True)))
    where = f"{shown(asked.choice.spec, 200)}, {split}"
    streams.put(
        f"{count(len(evaluation))} questions of {where}, {count(evaluation.passages)} passages, "
        f"in {seconds:.1f} s"
    )


def compare_on_questions(
    models: list[str],
    asked: Asked,
    split: SplitName,
    *,
    bf16: bool,
    sample: int | None,
    json: bool,
) -> None:
    """Judge models on the same questions; each is compared with the first."""
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.question_evaluation import QuestionEvaluation, gains_over_first

        loaded = [load_model(name, bf16=bf16) for name in models]
        evaluation = QuestionEvaluation(load_asked(asked), split, sample, asked.choice.seed)
        _note_use(models, f"compare {split}", evaluation)
        progress.begin("embedding", len(models) * (evaluation.passages + len(evaluation)))
        judged = [evaluation.judge(model, (), progress.advance) for model in loaded]
        gains = gains_over_first(judged)
    streams.note(evaluation.note)
    added = [0 if model.card is None else model.card.params_added for model in loaded]
    if json:
        for model, result, over, params in zip(loaded, judged, gains, added, strict=True):
            streams.put_json(
                {
                    "model": model.name,
                    "data": asked.choice.spec,
                    "split": split,
                    "metric": "ndcg_at_10",
                    "questions": len(evaluation),
                    **_figures(result),
                    "difference": over.value,
                    "difference_low": over.low,
                    "difference_high": over.high,
                    "params_added": params,
                }
            )
        return
    rows = []
    for place, (model, result, over, params) in enumerate(
        zip(loaded, judged, gains, added, strict=True)
    ):
        interval = "" if place == 0 else f"{gain(over.low)} to {gain(over.high)}"
        rows.append(
            (
                shown(model.name, max(12, streams.width(sys.stdout) - 60)),
                correlation(result.judged.score),
                correlation(result.judged.details["recall_at_10"]),
                "" if place == 0 else gain(over.value),
                interval,
                count(params),
            )
        )
    header = ("model", "nDCG@10", "R@10", "to first", "95 %", "added")
    streams.put(*table(header, rows, (False, True, True, True, True, True)))
    where = f"{shown(asked.choice.spec, 200)}, {split}"
    streams.put(f"{count(len(evaluation))} questions of {where}")


def _figures(result: Any) -> dict[str, float]:
    """A judgement's scores and interval, by their names in events."""
    return {
        "ndcg_at_10": result.judged.score,
        "ndcg_at_10_low": result.interval.low,
        "ndcg_at_10_high": result.interval.high,
        **result.judged.details,
    }


def _note_use(models: list[str], use: str, evaluation: Any) -> None:
    """Note the use in the audits of the runs; the questions themselves are noted nowhere."""
    from nexus_tui.work.uses import record_use

    record_use(models, use, [""] * len(evaluation), typed=True)
