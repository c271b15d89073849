"""What to ask next, chosen by the models among the texts of the data. All of it runs in a thread.

An asker joins the two queues of `nexus_engine.teaching`, which hold the texts' vectors in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.teach.items import Item, PairItem, Passage, SearchItem

if TYPE_CHECKING:
    from nexus_engine.labels.verdicts import Verdict
    from nexus_engine.scoring.querying import Embedder
    from nexus_engine.teaching.pair_queue import PairQueue
    from nexus_engine.teaching.question_queue import QuestionQueue, SearchCandidate
    from nexus_tui.work.teach_data import TeachTexts

__all__ = [
    "DEMO", "DEMOS", "Asker", "Glance", "Kind", "OpenAsker", "QueueAsker", "glance", "open_asker",
]  # fmt: skip

Kind = Literal["search", "pairs"]
DEMO = "demo-search"
DEMOS = ("demo-search", "demo")
"""Data that ships with NEXUS; verdicts on it have a label file of their own."""


BY_WORDS, GIVEN = "these share words", "one of your pairs"
"""Why the first pair is asked."""


class Asker(Protocol):
    """Chooses items. `kinds` are those that the data has, the more useful one first."""

    label: str
    kinds: tuple[Kind, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every text has been looked at."""

    def next(self, kind: Kind, check: Check) -> Item | None:
        """The next item to ask; None when nothing is left."""

    def ask(self, question: str, check: Check) -> SearchItem:
        """The passages nearest to a question of the user's."""

    def advance(self, check: Check) -> None:
        """Look at some more texts, for a fraction of a second."""

    def note(self, verdict: Verdict) -> None:
        """Take a verdict into account; the UI thread calls this."""


class OpenAsker(Protocol):
    """Makes an asker; blocks. See `open_asker`."""

    def __call__(
        self,
        spec: str,
        model: Path | None,
        judged: set[str],
        verdicts: Iterable[Verdict],
        check: Check,
        texts: TeachTexts | None,
    ) -> Asker:
        """The asker."""


class Glance(NamedTuple):
    """The texts, and what can be asked about them before a model is there, if anything."""

    texts: TeachTexts | None
    item: PairItem | None


class QueueAsker:
    """Asks what the queues choose."""

    def __init__(
        self,
        spec: str,
        texts: TeachTexts,
        model: Embedder,
        base: Embedder,
        judged: set[str],
        verdicts: Iterable[Verdict],
    ) -> None:
        from nexus_engine.teaching.pair_queue import PairQueue
        from nexus_engine.teaching.question_queue import QuestionQueue
        from nexus_engine.teaching.texts import judgeable_texts

        corpus = texts.corpus
        self.label = spec if spec in DEMOS else corpus.label
        questions = _questions(texts)
        self.kinds: tuple[Kind, ...] = ("search", "pairs") if questions else ("pairs", "search")
        seed = len(judged)  # another order of the texts each time, and the same for the same file
        self._questions: QuestionQueue = QuestionQueue(
            questions, corpus, model, base, judged, seed, known=_marks(verdicts)
        )
        sentences = corpus.sentences if texts.pairs is not None else None
        self._pairs: PairQueue = PairQueue(
            judgeable_texts(corpus.sentences) if sentences is None else sentences,
            model,
            base,
            judged,
            seed,
            pairs=texts.pairs,
        )

    @property
    def is_complete(self) -> bool:
        """Whether every text has been looked at."""
        return self._questions.is_complete and self._pairs.is_complete

    def next(self, kind: Kind, check: Check) -> Item | None:
        """The next item to ask; None when nothing is left."""
        if kind == "search":
            found = self._questions.next(check)
            return None if found is None else _item(found)
        pair = self._pairs.next(check)
        if pair is None:
            return None
        return PairItem(
            first=pair.a, second=pair.b, reason=pair.reason,
            cosine=pair.cosine, base_cosine=pair.base_cosine,
        )  # fmt: skip

    def ask(self, question: str, check: Check) -> SearchItem:
        """The passages nearest to a question of the user's."""
        return _item(self._questions.ask(question, check))

    def advance(self, check: Check) -> None:
        """Look at some more passages, then at some more texts for pairs."""
        if not self._questions.is_complete:
            self._questions.advance(check)
        elif not self._pairs.is_complete:
            self._pairs.advance(check)

    def note(self, verdict: Verdict) -> None:
        """Take a verdict into account."""
        from nexus_engine.labels.verdicts import PairVerdict, key_of

        keys = [key_of(verdict), *([verdict.asked] if verdict.asked else [])]
        for key in keys:
            if isinstance(verdict, PairVerdict):
                self._pairs.judged(key)
            else:
                self._questions.judged(key, verdict.relevant)


def _questions(texts: TeachTexts) -> list[str]:
    """The questions that the texts come with, or that their headings are."""
    from nexus_engine.teaching.headings import heading_questions

    known = texts.corpus.questions
    return list(dict.fromkeys(known.texts)) if known else heading_questions(texts.corpus)


def glance(spec: str, judged: set[str], check: Check) -> Glance:
    """Read the texts, without a model, and find a first pair where pairs are asked first.

    Raises:
        DataError: the data cannot be used.
    """
    from nexus_engine.model.base_model import MAX_TOKENS
    from nexus_engine.teaching.first_pair import first_given, first_pair
    from nexus_tui.work.teach_data import read_texts

    texts = read_texts(spec, MAX_TOKENS, check)
    if _questions(texts):
        return Glance(texts, None)
    sentences, seed = texts.corpus.sentences, len(judged)
    if texts.pairs is None:
        pair, reason = first_pair(sentences, judged, seed), BY_WORDS
    else:
        reason = GIVEN
        pair = first_given(sentences, texts.pairs.tolist(), judged, seed)
    if pair is None:
        return Glance(texts, None)
    return Glance(texts, PairItem(first=pair[0], second=pair[1], reason=reason))


def _item(found: SearchCandidate) -> SearchItem:
    return SearchItem(
        question=found.question,
        passages=[Passage(p.text, p.document, p.heading) for p in found.passages],
        reason=found.reason,
    )


def _marks(verdicts: Iterable[Verdict]) -> dict[str, bool]:
    from nexus_engine.labels.verdicts import SearchVerdict, key_of

    return {
        key_of(verdict): verdict.relevant
        for verdict in verdicts
        if isinstance(verdict, SearchVerdict) and verdict.relevant is not None
    }


def open_asker(
    spec: str,
    model: Path | None,
    judged: set[str],
    verdicts: Iterable[Verdict],
    check: Check,
    texts: TeachTexts | None = None,
) -> Asker:
    """Read the texts and the models.

    Args:
        spec: What `read_texts` reads.
        model: The folder of the tuned weights that choose; None for the base model.
        judged: The keys of what this rater has judged.
        verdicts: All that stand.
        check: May raise to stop.
        texts: Those of `spec` as the base model reads them, where they were read already.

    Raises:
        NexusError: the data or a model cannot be used.
    """
    from nexus_engine.errors import ModelError
    from nexus_engine.runs.saved_model import intact_card
    from nexus_engine.scoring.querying import Querier
    from nexus_tui.work.teach_data import read_texts

    models = Querier().models(model)
    check()
    base = None
    if model is not None:
        with suppress(ModelError):  # loading it has told what is wrong
            card = intact_card(model)
            base = None if card is None else card.base_folder
    if texts is None or model is not None:
        texts = read_texts(spec, models.base.max_tokens, check, base)
    return QueueAsker(spec, texts, models.tuned or models.base, models.base, judged, verdicts)
