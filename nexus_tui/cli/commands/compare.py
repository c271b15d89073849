"""`nexus compare`: compares models on the same pairs or questions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_tui.cli.commands.query_options import (
    ByOption,
    ColumnsOption,
    EvalCorpusOption,
    MaxLengthOption,
    PrecisionOption,
    ScoreRangeOption,
    SkipBadOption,
    SplitOption,
    TaskOption,
)
from nexus_tui.terminal.failures import UsageError

if TYPE_CHECKING:
    from nexus_engine.runs.saved_model import LoadedModel
    from nexus_engine.scoring.correlation import Interval
    from nexus_engine.scoring.evaluation import Correlations

__all__ = ["compare"]


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Two or more runs, latest, model folders, or base.", metavar="MODEL MODEL..."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Pairs or questions to judge on. Default: the first run's own, or demo.",
        ),
    ] = None,
    split: SplitOption = "test",
    score_range: ScoreRangeOption = None,
    precision: PrecisionOption = "fp32",
    task: TaskOption = "auto",
    columns: ColumnsOption = None,
    skip_bad: SkipBadOption = False,
    max_length: MaxLengthOption = None,
    eval_corpus: EvalCorpusOption = None,
    by: ByOption = "passage",
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each model on stdout.")
    ] = False,
) -> None:
    """Judge models on the same data and show how each differs from the first.

    Graded pairs are judged by Spearman, questions with passages by nDCG@10. The 95 % interval
    comes from a paired bootstrap over the pairs or questions. If it contains 0, the data show
    no difference. Each model reads as much of a text as it was trained on, and base as much as
    the first tuned model.
    """
    if len(models) < 2:
        raise UsageError("compare takes two models or more, such as: nexus compare base latest")
    from nexus_tui.terminal import streams
    from nexus_tui.work.model_data import choose_data, own_data
    from nexus_tui.work.question_data import data_request
    from nexus_tui.work.uses import record_use

    choice = choose_data(models, data, score_range)
    for name in models:
        own = own_data(name)
        if data is None and own is not None and own.spec != choice.spec:
            streams.say(
                "warning: not all of these runs were trained on this data; choose it with --data"
            )
            break
    request = data_request(choice, task, columns, skip_bad=skip_bad)
    if request.task == "retrieval":
        from nexus_tui.cli.commands.question_commands import compare_on_questions

        compare_on_questions(
            models,
            request,
            split,
            bf16=precision == "bf16",
            max_tokens=max_length,
            sample=eval_corpus,
            by_document=by == "document",
            json=json,
        )
        return
    if eval_corpus is not None or by == "document":
        raise UsageError("--eval-corpus and --by are for questions with passages")
    with streams.Counting() as progress:
        from nexus_engine.data import load_split_with_questions
        from nexus_engine.runs.saved_model import load_models
        from nexus_engine.scoring import similarity
        from nexus_engine.scoring.text_length import aligned

        bf16 = precision == "bf16"
        loaded = aligned(load_models(models, bf16=bf16), max_length)
        pairs, questions = load_split_with_questions(
            choice.spec,
            split,
            seed=choice.seed,
            score_range=choice.score_range,
            columns=request.columns,
            skip_bad=request.skip_bad,
        )
        for question in questions:
            streams.say(f"warning: {question}")
        record_use(models, f"compare {split}", pairs)
        total = len(models) * similarity.distinct_sentences(pairs)
        progress.begin("embedding", total)
        notes: dict[str, None] = {}  # every model gives the same notes; each is told once
        correlations = [
            similarity.evaluate(model, pairs, progress.advance, notes.setdefault)
            for model in loaded
        ]
        differences = similarity.compare(correlations, pairs)
    streams.note(*notes)
    if json:
        for model, scores, difference in zip(loaded, correlations, differences, strict=True):
            streams.put_json(
                {
                    "model": model.name,
                    "data": choice.spec,
                    "split": split,
                    "pairs": len(pairs),
                    "spearman": scores.spearman,
                    "pearson": scores.pearson,
                    "difference": difference.value,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "params_added": 0 if model.card is None else model.card.params_added,
                }
            )
        return
    _print_table(loaded, correlations, differences)
    streams.put(f"{len(pairs):,} pairs of {choice.spec!r}, {split}")


def _print_table(
    loaded: list[LoadedModel], correlations: list[Correlations], differences: list[Interval]
) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table

    rows = []
    name_width = max(12, streams.width(sys.stdout) - 60)
    results = zip(loaded, correlations, differences, strict=True)
    for place, (model, scores, difference) in enumerate(results):
        interval = "" if place == 0 else f"{gain(difference.low)} to {gain(difference.high)}"
        rows.append(
            (
                shown(model.name, name_width),
                correlation(scores.spearman),
                correlation(scores.pearson),
                "" if place == 0 else gain(difference.value),
                interval,
                count(0 if model.card is None else model.card.params_added),
            )
        )
    header = ("model", "Spearman", "Pearson", "to first", "95 %", "added")
    streams.put(*table(header, rows, (False, True, True, True, True, True)))
