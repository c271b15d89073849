"""What a retrain changed, computed in a thread: pins before and after, and the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_tui.app.kit.pinned import PinBook
from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.teach.tally import Tally
from nexus_tui.charts.teach.changes import ChangeRow, PinnedPair, PinnedQuestion
from nexus_tui.words.formats import correlation, count

if TYPE_CHECKING:
    from nexus_engine.labels.combining import JudgedPassage
    from nexus_engine.labels.verdicts import Verdict
    from nexus_engine.scoring.querying import ModelPair
    from nexus_engine.scoring.searching import SearchIndex
    from nexus_engine.teaching.changes import Change

__all__ = ["Outcome", "Share", "outcome_of"]


class Share(NamedTuple):
    """Of `total` verdicts, how many a model gets right before and after."""

    before: int
    after: int
    total: int


class Outcome(NamedTuple):
    """The rows of the list What changed. `trained` and `held_out` count verdicts."""

    pins: list[PinnedQuestion | PinnedPair]
    right: list[ChangeRow]
    """Verdicts that were wrong before and are right now."""
    wrong: list[ChangeRow]
    """Verdicts that were right before and are wrong now."""
    trained: Share
    held_out: Share

    def __repr__(self) -> str:
        return f"Outcome(trained={self.trained}, held_out={self.held_out})"


def outcome_of(
    run: Path,
    before: Path | None,
    pins: PinBook,
    progress: Callable[[int], None] = lambda _: None,
    check: Check = lambda: None,
) -> Outcome:
    """Compare the weights in `before`, None for the base model, with those of the run `run`.

    `progress` counts embedded texts.

    Raises:
        NexusError: the labels, the texts or a model cannot be used.
    """
    from nexus_engine.labels.reading import read_labels
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.runs.resuming import recorded_settings
    from nexus_engine.scoring.querying import ModelPair, Querier
    from nexus_engine.scoring.searching import SearchIndex
    from nexus_engine.teaching.changes import Turned, what_changed
    from nexus_engine.teaching.retrained import ranked_texts

    folder = RunFolder(run)
    settings = recorded_settings(folder)
    verdicts = read_labels(Path(settings.data)).verdicts
    models = Querier().models(folder.best)
    if before is not None:
        earlier = Querier().models(before)
        models = ModelPair(earlier.tuned or earlier.base, models.tuned)
    check()
    index = SearchIndex(ranked_texts(settings, verdicts, check))
    changes = what_changed(verdicts, models, index, progress, check)
    turned = Turned.of(changes)
    return Outcome(
        [*_questions(pins, verdicts, models, index, progress, check), *_pairs(pins, models, check)],
        [_row(change) for change in turned.right],
        [_row(change) for change in turned.wrong],
        _share(change for change in changes if not change.is_held_out),
        _share(change for change in changes if change.is_held_out),
    )


def _share(changes: Iterable[Change]) -> Share:
    counted = list(changes)
    return Share(
        sum(change.right_before for change in counted),
        sum(change.right_after for change in counted),
        len(counted),
    )


def _row(change: Change) -> ChangeRow:
    from nexus_engine.labels.combining import JudgedPair

    judged = change.judged
    if isinstance(judged, JudgedPair):
        first, second, said = judged.a, judged.b, f"{judged.score:g} of 5"
        before, after = correlation(change.before), correlation(change.after)
    else:
        first, second = judged.question, judged.passage
        said = "answer" if judged.relevant else "no answer"
        before, after = (f"rank {count(round(value))}" for value in (change.before, change.after))
    return ChangeRow(first, second, said, before, after, change.right_after, change.is_held_out)


def _questions(
    pins: PinBook,
    verdicts: Sequence[Verdict],
    models: ModelPair,
    index: SearchIndex,
    progress: Callable[[int], None],
    check: Check,
) -> list[PinnedQuestion | PinnedPair]:
    """The rank of the nearest answer of each pinned question, by both models."""
    from nexus_engine.teaching.changes import passage_changes

    tally = Tally(verdicts)
    rows: list[PinnedQuestion | PinnedPair] = []
    for question in pins.questions:
        answers = tally.answers(question) or _known_answers(index, question)
        ranked = passage_changes(
            [_judged(question, answer) for answer in answers], models, index, progress, check
        )
        best = [
            min((round(value) for value in values), default=None)
            for values in ([c.before for c in ranked], [c.after for c in ranked])
        ]
        rows.append(PinnedQuestion(question, *best))
    return rows


def _judged(question: str, answer: str) -> JudgedPassage:
    from nexus_engine.labels.combining import JudgedPassage

    return JudgedPassage(question, answer, "", relevant=True, part="train")


def _known_answers(index: SearchIndex, question: str) -> list[str]:
    """The answers of a question of the corpus, where its data names them."""
    questions = index.file.questions
    place = None if questions is None else questions.place_of(question)
    if questions is None or place is None:
        return []
    return [index.file.sentences[row] for row in questions.answers.rows.list_at(place).tolist()]


def _pairs(pins: PinBook, models: ModelPair, check: Check) -> list[PinnedQuestion | PinnedPair]:
    """The cosine of each pinned pair, by both models."""
    from nexus_engine.scoring.querying import score

    pairs = [pin.pair for pin in pins.pins] if pins.on else []
    cosines = score(models, pairs, check=check)
    return [
        PinnedPair(*pair, cosine.base, cosine.tuned)
        for pair, cosine in zip(pairs, cosines, strict=True)
    ]
