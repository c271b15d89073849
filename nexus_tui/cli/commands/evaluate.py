"""`nexus eval`: measures how well a model orders held-out pairs."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from nexus_tui.cli.commands.query_options import PrecisionOption, ScoreRangeOption, SplitOption

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A run, latest, a folder with a model, or base.", metavar="MODEL")
    ],
    data: Annotated[
        str | None,
        typer.Option("--data", help="Pairs to evaluate on. Default: the run's own data, or demo."),
    ] = None,
    split: SplitOption = "test",
    score_range: ScoreRangeOption = None,
    precision: PrecisionOption = "fp32",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Compute Spearman and Pearson of a model's cosine similarity with the scores of pairs."""
    from rich.text import Text

    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.uses import record_use

    choice = choose_data([model], data, score_range)
    with streams.Counting() as progress:
        from nexus_engine.data import load_split_with_questions
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.direction import direction_question
        from nexus_engine.scoring.evaluation import correlate
        from nexus_engine.scoring.similarity import distinct_sentences, score_pairs

        loaded = load_model(model, bf16=precision == "bf16")
        pairs, data_questions = load_split_with_questions(
            choice.spec, split, seed=choice.seed, score_range=choice.score_range
        )
        assert pairs.scores is not None
        record_use([model], f"eval {split}", pairs)
        sides = 1 if loaded.card is None else 2
        total = sides * distinct_sentences(pairs)
        progress.begin("embedding", total)
        begun = time.perf_counter()
        cosines = score_pairs(loaded, pairs, progress.advance)
        seconds = time.perf_counter() - begun
        undefined = bool(cosines.undefined)
        base = correlate(cosines.base, pairs.scores, undefined=undefined)
        tuned = correlate(cosines.tuned, pairs.scores, undefined=undefined)
    streams.note(*cosines.notes, cosines.undefined)
    reversal = direction_question(base.spearman, len(pairs))
    questions = [*data_questions, *([] if reversal is None else [reversal])]
    for question in questions:
        streams.say(Text(f"warning: {question}", style="yellow"))
    if json:
        streams.put_json(
            {
                "model": loaded.name,
                "data": choice.spec,
                "split": split,
                "pairs": len(pairs),
                "spearman": tuned.spearman,
                "pearson": tuned.pearson,
                "base_spearman": base.spearman,
                "base_pearson": base.pearson,
                "seconds": seconds,
                "questions": questions,
            }
        )
        return
    rows = [("base", correlation(base.spearman), correlation(base.pearson))]
    if loaded.card is not None:
        name = shown(loaded.name, 60)
        rows.append((name, correlation(tuned.spearman), correlation(tuned.pearson)))
        differences = (gain(tuned.spearman - base.spearman), gain(tuned.pearson - base.pearson))
        rows.append(("difference", *differences))
    streams.put(*table(("model", "Spearman", "Pearson"), rows, (False, True, True)))
    where = f"{shown(choice.spec, 200)}, {split}"
    streams.put(f"{count(len(pairs))} pairs of {where}, in {seconds:.1f} s")
