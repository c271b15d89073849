"""`nexus index eval`: judges an index on questions whose answers it holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_tui.terminal.failures import UsageError

if TYPE_CHECKING:
    from nexus_engine.scoring.correlation import Interval
    from nexus_engine.scoring.ranking import Ranking
    from nexus_tui.work.question_data import DataRequest

__all__ = ["evaluate_index"]

SCORES = ("mrr_at_10", "recall_at_1", "recall_at_10")


def evaluate_index(
    index: Path,
    data: str | None,
    split: Literal["train", "dev", "test"],
    columns: str | None,
    *,
    skip_bad: bool,
    keep: bool,
    json: bool,
) -> None:
    """Search the index for each question of the split, and show how well it answers.

    With `keep` its searches rank from now on by vectors alone if that is better, else by both.

    Raises:
        DataError: there is no index, it is damaged, or it holds no answer of the questions.
        RunError: it cannot be changed, because another process writes it.
    """
    from nexus_tui.terminal import streams
    from nexus_tui.work.question_data import load_requested
    from nexus_tui.work.uses import record_questions

    with streams.Counting() as progress:
        from nexus_engine.indexing.index_model import embedder_of, load_copy
        from nexus_engine.indexing.judging import judge_index, keep_ranking
        from nexus_engine.indexing.searching import OpenIndex
        from nexus_engine.scoring.ranking import bootstrap_mean_gain

        with OpenIndex(index) as opened:
            card = opened.card
            request = _request(card.model.source, data, columns, skip_bad=skip_bad)
            questions = load_requested(request, card.model.max_tokens)
            part = getattr(questions, split)
            streams.note(*questions.notes)
            for doubt in questions.asked:
                streams.say(Text(f"warning: {doubt}", style="yellow"))
            record_questions(
                [card.model.source], f"index eval {split}", len(part), questions.fingerprint
            )
            embedder = embedder_of(load_copy(index, card.model))
            progress.begin("searching", len(part))
            begun = time.perf_counter()
            judged = judge_index(opened, embedder, questions, part, progress.advance)
            seconds = time.perf_counter() - begun
            passages = len(opened)
    gain = bootstrap_mean_gain(judged.hybrid.ndcg_at_10, judged.vectors.ndcg_at_10)
    hybrid = gain.value >= 0 if keep else card.hybrid
    if keep:
        keep_ranking(index, card, hybrid=hybrid)
    if judged.missing:
        streams.note(
            f"{judged.missing:,} of {judged.answers:,} answers are not in the index; they count as "
            "not found"
        )
    if json:
        streams.put_json(
            {
                "index": str(index),
                "data": request.choice.spec,
                "split": split,
                "metric": "ndcg_at_10",
                "questions": len(part),
                "passages": passages,
                "dims": card.dims,
                "dtype": card.dtype,
                "answers": judged.answers,
                "answers_missing": judged.missing,
                "vectors": _figures(judged.vectors),
                "hybrid": _figures(judged.hybrid),
                "gain": gain.value,
                "gain_low": gain.low,
                "gain_high": gain.high,
                "ranks_by_words": hybrid,
                "seconds": seconds,
            }
        )
        return
    _print(judged.vectors, judged.hybrid, gain)
    streams.put(
        f"{_where(request, split, len(part))} among {passages:,} passages, {card.dims} numbers as "
        f"{card.dtype}, in {seconds:.1f} s"
    )
    by = "vectors and words" if hybrid else "vectors alone"
    streams.put(f"searches of this index rank by {by}")
    if not keep and (gain.high < 0 if hybrid else gain.low > 0):
        better = "vectors alone rank better" if hybrid else "words help"
        streams.note(f"{better} here; nexus index eval {one_line(index, 200)} --split dev --keep")


def _request(source: str, data: str | None, columns: str | None, *, skip_bad: bool) -> DataRequest:
    from nexus_tui.work.model_data import choose_data, own_data
    from nexus_tui.work.question_data import data_request

    if data is None and own_data(source) is None:
        raise UsageError("--data is missing; give questions whose answers the index holds")
    choice = choose_data([source], data, None)
    return data_request(choice, "retrieval", columns, skip_bad=skip_bad)


def _figures(ranking: Ranking) -> dict[str, Any]:
    from nexus_engine.scoring.ranking import bootstrap_mean

    mean, interval = ranking.mean()._asdict(), bootstrap_mean(ranking.ndcg_at_10)
    return {
        "ndcg_at_10": interval.value,
        "ndcg_at_10_low": interval.low,
        "ndcg_at_10_high": interval.high,
        **{name: mean[name] for name in SCORES},
    }


def _print(vectors: Ranking, hybrid: Ranking, over: Interval) -> None:
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation, gain
    from nexus_tui.words.render import table

    rows = []
    for name, ranking in (("vectors", vectors), ("hybrid", hybrid)):
        figures = _figures(ranking)
        low, high = (correlation(figures[f"ndcg_at_10_{end}"]) for end in ("low", "high"))
        scores = (correlation(figures[score]) for score in SCORES)
        rows.append((name, correlation(figures["ndcg_at_10"]), f"{low} to {high}", *scores))
    header = ("search", "nDCG@10", "95 %", "MRR@10", "R@1", "R@10")
    streams.put(*table(header, rows, (False, True, True, True, True, True)))
    streams.put(
        f"hybrid over vectors: nDCG@10 {gain(over.value)}, 95 % {gain(over.low)} to "
        f"{gain(over.high)}"
    )


def _where(request: DataRequest, split: str, questions: int) -> str:
    from nexus_tui.words.formats import count, shown

    return f"{count(questions)} questions of {shown(request.choice.spec, 200)}, {split},"
