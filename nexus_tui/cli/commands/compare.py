"""`nexus compare`: models side by side on the same pairs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nexus_tui.cli.commands.query_options import (
    PrecisionOption,
    ScoreRangeOption,
    SplitOption,
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
        typer.Argument(help="Two or more runs, model folders, or base.", metavar="MODEL MODEL..."),
    ],
    data: Annotated[
        str | None,
        typer.Option("--data", help="Pairs to judge on. Default: the first run's own, or demo."),
    ] = None,
    split: SplitOption = "test",
    score_range: ScoreRangeOption = None,
    precision: PrecisionOption = "fp32",
    json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each model on stdout.")
    ] = False,
) -> None:
    """Each model's correlations, and its Spearman against the first one's.

    The interval is 95 % of a paired bootstrap over the pairs; one that holds 0 shows no difference.
    """
    if len(models) < 2:
        raise UsageError("compare takes two models or more, such as: nexus compare base latest")
    from nexus_tui.terminal import streams
    from nexus_tui.work.model_data import choose_data, own_data
    from nexus_tui.work.uses import record_use

    choice = choose_data(models, data, score_range)
    for other in models:
        own = own_data(other)
        if data is None and own is not None and own.spec != choice.spec:
            streams.say("warning: not all of these runs were trained on this data; see --data")
            break
    with streams.Counting() as progress:
        from nexus_engine.data import load_split_with_questions
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring import similarity

        loaded = [load_model(asked, bf16=precision == "bf16") for asked in models]
        pairs, questions = load_split_with_questions(
            choice.spec, split, seed=choice.seed, score_range=choice.score_range
        )
        for question in questions:
            streams.say(f"warning: {question}")
        record_use(models, f"compare {split}", pairs)
        total = len(models) * similarity.distinct_sentences(pairs)
        progress.begin("embedding", total)
        notes: dict[str, None] = {}  # each once: the models read alike
        found = [
            similarity.evaluate(one, pairs, progress.advance, notes.setdefault) for one in loaded
        ]
        differences = similarity.compare(found, pairs)
    streams.note(*notes)
    if json:
        for one, scores, apart in zip(loaded, found, differences, strict=True):
            streams.put_json(
                {
                    "model": one.name,
                    "data": choice.spec,
                    "split": split,
                    "pairs": len(pairs),
                    "spearman": scores.spearman,
                    "pearson": scores.pearson,
                    "difference": apart.value,
                    "difference_low": apart.low,
                    "difference_high": apart.high,
                    "params_added": 0 if one.card is None else one.card.params_added,
                }
            )
        return
    _print_table(loaded, found, differences)
    streams.put(f"{len(pairs):,} pairs of {choice.spec!r}, {split}")


def _print_table(
    loaded: list[LoadedModel], found: list[Correlations], differences: list[Interval]
) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table

    rows = []
    longest = max(12, streams.width(sys.stdout) - 60)
    for place, (one, scores, apart) in enumerate(zip(loaded, found, differences, strict=True)):
        interval = "" if place == 0 else f"{gain(apart.low)} to {gain(apart.high)}"
        rows.append(
            (
                shown(one.name, longest),
                correlation(scores.spearman),
                correlation(scores.pearson),
                "" if place == 0 else gain(apart.value),
                interval,
                count(0 if one.card is None else one.card.params_added),
            )
        )
    header = ("model", "Spearman", "Pearson", "to first", "95 %", "added")
    streams.put(*table(header, rows, (False, True, True, True, True, True)))
