"""A finished retrain beside the model before it: what changed, by its own record and label file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine.config import Settings
from nexus_engine.errors import ConfigError, RunError
from nexus_engine.labels.combining import JudgedPassage, combined
from nexus_engine.labels.reading import Labels, read_labels
from nexus_engine.labels.verdicts import Part, Verdict
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.resuming import recorded_settings
from nexus_engine.runs.saved_model import load_saved
from nexus_engine.same_text import folded
from nexus_engine.scoring.corpus_reading import read_corpus
from nexus_engine.scoring.querying import Check, Embedder, ModelPair, Progress, Querier
from nexus_engine.scoring.search_texts import SearchTexts
from nexus_engine.scoring.searching import SearchIndex
from nexus_engine.teaching.changes import Change, what_changed
from nexus_engine.teaching.retraining import RANKED_PASSAGES

__all__ = ["QuestionChange", "Retrained", "question_changes", "ranked_texts", "retrained"]


class Retrained(NamedTuple):
    """What a retrain changed. Passages were ranked among `ranked`."""

    changes: list[Change]
    ranked: int
    labels: Labels
    is_same: bool
    """Whether the label file still says what the run was trained on."""


class QuestionChange(NamedTuple):
    """The rank of a question's best marked answer, from 1, before and after."""

    question: str
    before: int
    after: int
    part: Part

    def __repr__(self) -> str:
        return f"QuestionChange(before={self.before}, after={self.after})"


def retrained(
    run: RunFolder,
    before: RunFolder | None = None,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> Retrained:
    """What the best model of `run` changed over the base model, or over that of the run `before`.

    All verdicts that stand in its label file now are judged, those that it did not train on too.
    `progress` counts embedded texts; `check` is called often and may raise to stop.

    Raises:
        RunError: the run was not trained on labels.
        DataError, ModelError: the labels, the documents or a model cannot be used.
    """
    settings = recorded_settings(run)
    fingerprint = run.read_run().get("labels")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise RunError(f"{run.name}: was not trained on labels; see `nexus runs show {run.name}`")
    labels = read_labels(Path(settings.data).expanduser())
    models = Querier().adopt(load_saved(run.best, run.name))
    if before is not None:
        models = ModelPair(_tuned(before), models.tuned)
    texts = ranked_texts(settings, labels.verdicts, check)
    changes = what_changed(labels.verdicts, models, SearchIndex(texts), progress, check)
    return Retrained(changes, len(texts), labels, labels.fingerprint == fingerprint)


def ranked_texts(
    settings: Settings, verdicts: Sequence[Verdict], check: Check = lambda: None
) -> SearchTexts:
    """The passages among which judged ones are ranked: a sample of the documents, and the judged.

    The sample is spread evenly, 1,000 passages at most; without documents there is none.
    """
    judged = list(dict.fromkeys(each.passage for each in combined(verdicts).passages))
    if settings.corpus is None:
        return _texts("labels", judged)
    texts = read_corpus(settings.corpus, check, max_tokens=settings.max_length, base=settings.base)
    if len(texts) <= RANKED_PASSAGES:
        return texts
    step = len(texts) / RANKED_PASSAGES
    sample = [texts.sentences[int(place * step)] for place in range(RANKED_PASSAGES)]
    known = {folded(text) for text in sample}
    apart = [text for text in judged if folded(text) not in known]
    return _texts(texts.label, [*sample, *apart])


def question_changes(changes: Iterable[Change]) -> list[QuestionChange]:
    """Of each judged question with a marked answer, in the order in which they were judged."""
    found: dict[str, QuestionChange] = {}
    for change in changes:
        judged = change.judged
        if not isinstance(judged, JudgedPassage) or not judged.relevant:
            continue
        key = folded(judged.question)
        best = found.get(key)
        before, after = int(change.before), int(change.after)
        if best is not None:
            before, after = min(before, best.before), min(after, best.after)
        found[key] = QuestionChange(judged.question, before, after, judged.part)
    return list(found.values())


def _texts(label: str, texts: Sequence[str]) -> SearchTexts:
    return SearchTexts(label, texts, range(1, len(texts) + 1), [1] * len(texts), "passage")


def _tuned(run: RunFolder) -> Embedder:
    models = Querier().adopt(load_saved(run.best, run.name))
    if models.tuned is None:
        raise ConfigError(f"{run.name}: holds no trained model yet")
    return models.tuned
