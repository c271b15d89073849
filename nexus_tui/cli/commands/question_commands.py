"""`nexus eval` and `nexus compare` on questions: nDCG@10, with intervals over the questions."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.text import Text

from nexus_engine.errors import ConfigError
from nexus_tui.work.question_data import DataRequest, load_requested

if TYPE_CHECKING:
    from nexus_engine.runs.saved_model import LoadedModel
    from nexus_engine.scoring.question_evaluation import JudgedModel, QuestionEvaluation

__all__ = ["compare_on_questions", "evaluate_on_questions"]

SplitName = Literal["test", "dev", "train", "all"]
SCORES = ("mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100")
MODEL_COLUMN = 62
"""Cells that the figures of the table take beside the model's name."""


def evaluate_on_questions(
    model: str,
    request: DataRequest,
    split: SplitName,
    *,
    bf16: bool,
    max_tokens: int | None,
    sample: int | None,
    by_document: bool,
    dims: tuple[int, ...],
    json: bool,
) -> None:
    """Judge a model beside its base on the questions of a split, and show the result."""
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, gain, shown
    from nexus_tui.words.render import table

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import base_of, load_model
        from nexus_engine.scoring.question_evaluation import QuestionEvaluation, gains_over_first
        from nexus_engine.scoring.text_length import aligned

        [loaded] = aligned([load_model(model, bf16=bf16)], max_tokens)
        width = loaded.model.encoder.shape.width
        if dims and max(dims) > width:
            raise ConfigError(
                f"--dims {max(dims)}: the model's vectors have {width} numbers; give 1..{width}"
            )
        data = load_requested(request, loaded.tokenizer.max_tokens)
        evaluation = QuestionEvaluation(
            data, split, sample, request.choice.seed, by_document=by_document
        )
        _tell([model], f"eval {split}", evaluation)
        sides = [loaded] if loaded.card is None else [base_of(loaded), loaded]
        progress.begin("embedding", len(sides) * (evaluation.passages + len(evaluation)))
        begun = time.perf_counter()
        judged = [evaluation.judge(side, dims, progress.advance) for side in sides]
        seconds = time.perf_counter() - begun
    streams.note(evaluation.note, _cut_words(evaluation, loaded))
    base, tuned = judged[0], judged[-1]
    over = gains_over_first(judged)[-1]
    if json:
        streams.put_json(
            {
                "model": loaded.name,
                **_data_facts(request, split, evaluation),
                "max_tokens": loaded.tokenizer.max_tokens,
                **_figures(tuned),
                **{f"base_{name}": value for name, value in _figures(base).items()},
                "gain": over.value,
                "gain_low": over.low,
                "gain_high": over.high,
                "vector_scores": _vector_scores(base, tuned),
                "seconds": seconds,
            }
        )
        return
    header = ("model", "nDCG@10", "95 %", "MRR@10", "R@1", "R@10", "R@100")
    rows = []
    width = max(8, streams.width(sys.stdout) - MODEL_COLUMN)
    for side, result in zip(sides, judged, strict=True):
        figures = [correlation(result.judged.details[name]) for name in SCORES]
        interval = f"{correlation(result.interval.low)} to {correlation(result.interval.high)}"
        rows.append((shown(side.name, width), correlation(result.judged.score), interval, *figures))
    streams.put(*table(header, rows, (False, True, True, True, True, True, True)))
    if loaded.card is not None:
        streams.put(
            f"over base: nDCG@10 {gain(over.value)}, 95 % {gain(over.low)} to {gain(over.high)}"
        )
    if tuned.sizes:
        _print_sizes(base, tuned, is_tuned=loaded.card is not None)
    streams.put(f"{_where(request, split, evaluation)}, in {seconds:.1f} s")


def _print_sizes(base: JudgedModel, tuned: JudgedModel, *, is_tuned: bool) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count
    from nexus_tui.words.render import table

    rows = []
    for before, after in zip(base.sizes, tuned.sizes, strict=True):
        scores = [before.ndcg_at_10, after.ndcg_at_10] if is_tuned else [before.ndcg_at_10]
        stored = (str(after.numbers), after.format, count(after.bytes_per_passage))
        rows.append((*stored, *map(correlation, scores)))
    names = ("base nDCG@10", "tuned nDCG@10") if is_tuned else ("nDCG@10",)
    columns = ("numbers", "format", "bytes a passage", *names)
    streams.put(*table(columns, rows, (True, False, True, *(True for _ in names))))


def compare_on_questions(
    models: list[str],
    request: DataRequest,
    split: SplitName,
    *,
    bf16: bool,
    max_tokens: int | None,
    sample: int | None,
    by_document: bool,
    json: bool,
) -> None:
    """Judge models on the same questions; each is compared with the first."""
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table

    with streams.Counting() as progress:
        from nexus_engine.runs.saved_model import load_models
        from nexus_engine.scoring.question_evaluation import QuestionEvaluation, gains_over_first
        from nexus_engine.scoring.text_length import aligned

        loaded = aligned(load_models(models, bf16=bf16), max_tokens)
        data = load_requested(request, loaded[0].tokenizer.max_tokens)
        evaluation = QuestionEvaluation(
            data, split, sample, request.choice.seed, by_document=by_document
        )
        _tell(models, f"compare {split}", evaluation)
        progress.begin("embedding", len(models) * (evaluation.passages + len(evaluation)))
        judged = [evaluation.judge(model, (), progress.advance) for model in loaded]
        gains = gains_over_first(judged)
    streams.note(evaluation.note, *{_cut_words(evaluation, model): None for model in loaded})
    added = [0 if model.card is None else model.card.params_added for model in loaded]
    if json:
        for model, result, over, params in zip(loaded, judged, gains, added, strict=True):
            streams.put_json(
                {
                    "model": model.name,
                    **_data_facts(request, split, evaluation),
                    "max_tokens": model.tokenizer.max_tokens,
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
    streams.put(f"{_where(request, split, evaluation)}; the differences are those of nDCG@10")


def _figures(result: JudgedModel) -> dict[str, float]:
    """A judgement's scores and interval, by the names that events give them."""
    return {
        "ndcg_at_10": result.judged.score,
        "ndcg_at_10_low": result.interval.low,
        "ndcg_at_10_high": result.interval.high,
        **result.judged.details,
    }


def _vector_scores(base: JudgedModel, tuned: JudgedModel) -> list[dict[str, Any]]:
    """The fields of `VectorScore` for each size and format."""
    return [
        {
            "numbers": after.numbers,
            "dtype": after.format,
            "bytes_each": after.bytes_per_passage,
            "ndcg_at_10": after.ndcg_at_10,
            "base_ndcg_at_10": before.ndcg_at_10,
        }
        for before, after in zip(base.sizes, tuned.sizes, strict=True)
    ]


def _data_facts(
    request: DataRequest, split: SplitName, evaluation: QuestionEvaluation
) -> dict[str, Any]:
    return {
        "data": request.choice.spec,
        "split": split,
        "metric": "ndcg_at_10",
        "questions": len(evaluation),
        "passages": evaluation.passages,
        "doubts": list(evaluation.data.asked),
    }


def _where(request: DataRequest, split: SplitName, evaluation: QuestionEvaluation) -> str:
    from nexus_tui.words.formats import count, shown

    return (
        f"{count(len(evaluation))} questions of {shown(request.choice.spec, 200)}, {split}, "
        f"each ranked against {evaluation.ranked_words}"
    )


def _cut_words(evaluation: QuestionEvaluation, loaded: LoadedModel) -> str:
    """How many texts are longer than a model reads; empty if none is."""
    from nexus_engine.scoring.cut_texts import cut_note

    return cut_note(
        evaluation.cut_texts(loaded),
        evaluation.passages + len(evaluation),
        loaded.tokenizer.max_tokens,
        texts="questions and passages",
    )


def _tell(models: Sequence[str], use: str, evaluation: QuestionEvaluation) -> None:
    """Say how the data was understood, and note the use in the audits of the runs."""
    from nexus_tui.terminal import streams
    from nexus_tui.work.uses import record_questions

    data = evaluation.data
    streams.note(*data.notes)
    for doubt in data.asked:
        streams.say(Text(f"warning: {doubt}", style="yellow"))
    record_questions(models, use, len(evaluation), data.fingerprint)
