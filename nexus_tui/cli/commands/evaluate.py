"""`nexus eval`: judges a model on held-out pairs or questions."""

from __future__ import annotations

import time
from typing import Annotated

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

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A run, latest, a folder with a model, or base.", metavar="MODEL")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Pairs or questions to judge on. Default: the run's own data, or demo."
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
    dims: Annotated[
        str | None,
        typer.Option(
            "--dims",
            help="Also judge vectors cut to these sizes, as float32, int8 and signs.",
            metavar="48,96,192",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Judge a model: Spearman and Pearson on graded pairs, nDCG@10 and recall on questions."""
    from rich.text import Text

    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, count, gain, shown
    from nexus_tui.words.render import table
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.question_data import data_request
    from nexus_tui.work.uses import record_use

    choice = choose_data([model], data, score_range)
    request = data_request(choice, task, columns, skip_bad=skip_bad)
    if request.task == "retrieval":
        from nexus_tui.cli.commands.question_commands import evaluate_on_questions

        evaluate_on_questions(
            model,
            request,
            split,
            bf16=precision == "bf16",
            max_tokens=max_length,
            sample=eval_corpus,
            by_document=by == "document",
            dims=() if dims is None else _sizes(dims),
            json=json,
        )
        return
    if eval_corpus is not None or dims is not None or by == "document":
        raise UsageError("--eval-corpus, --dims and --by are for questions with passages")
    with streams.Counting() as progress:
        from nexus_engine.data import load_split_with_questions
        from nexus_engine.runs.saved_model import load_model
        from nexus_engine.scoring.direction import direction_question
        from nexus_engine.scoring.evaluation import correlate
        from nexus_engine.scoring.similarity import distinct_sentences, score_pairs
        from nexus_engine.scoring.text_length import aligned

        [loaded] = aligned([load_model(model, bf16=precision == "bf16")], max_length)
        pairs, data_questions = load_split_with_questions(
            choice.spec,
            split,
            seed=choice.seed,
            score_range=choice.score_range,
            columns=request.columns,
            skip_bad=request.skip_bad,
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


def _sizes(text: str) -> tuple[int, ...]:
    """The vector sizes of `--dims`.

    Raises:
        ConfigError: it is no list of sizes in the range of the setting.
    """
    from nexus_engine.errors import ConfigError
    from nexus_engine.settings.record import SETTINGS
    from nexus_tui.settings.training import parse_list

    sizes = tuple(parse_list("dims", text))
    notes = SETTINGS["dims"].notes
    for size in sizes:
        if not (notes.min or 1) <= size <= (notes.max or size):
            raise ConfigError(f"--dims {size}: give sizes from {notes.min:g} to {notes.max:g}")
    return sizes
