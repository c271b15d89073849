"""A run's pairs, tokenised, as rows of one token store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.data import PairData, Pairs
from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.scoring.corpus_sample import sample_corpus

__all__ = [
    "Corpus",
    "PairRows",
    "QuestionCorpus",
    "QuestionRows",
    "build_corpus",
    "build_question_corpus",
    "pair_rows",
    "train_examples",
    "weak_examples",
]

SENTENCES_PER_CALL = 10_000
"""Sentences that are tokenised at a time; bounds the memory of their Python strings."""


class PairRows(NamedTuple):
    """Pairs as rows of a store, `first` and `second` (n,); `scores` (n,) 0..1, NaN if unknown."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


class Corpus(NamedTuple):
    """All sentences of a run, tokenised once, and its splits. Equal sentences share a row.

    `general` (g,) are store rows of the general sentences that a run may rehearse.
    """

    store: TokenStore
    train: PairRows
    dev: PairRows
    test: PairRows
    guard: PairRows
    general: npt.NDArray[np.int64]


class QuestionRows(NamedTuple):
    """Questions as store rows (q,); `answers` and `negatives` are places in the passages."""

    questions: npt.NDArray[np.int64]
    answers: Answers
    negatives: Ragged

    def __len__(self) -> int:
        return len(self.questions)


class QuestionCorpus(NamedTuple):
    """All texts of a run on questions, tokenised once, and its splits.

    `passages` (p,) are store rows. `ranked` (r,) are the places of those among which a question is
    ranked, in rising order: all of them, or a sample, which `sample_note` describes. Equal
    questions share a row. `weak` are pairs that the passages hold by themselves, store rows (w,) of
    what stands for a question and (w,) of what stands for its answer.
    """

    store: TokenStore
    train: QuestionRows
    dev: QuestionRows
    test: QuestionRows
    guard: PairRows
    general: npt.NDArray[np.int64]
    passages: npt.NDArray[np.int64]
    ranked: npt.NDArray[np.int64]
    weak: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    sample_note: str = ""

    def sampled(self, size: int, seed: int) -> QuestionCorpus:
        """The corpus with a sample of about `size` passages in `ranked`.

        Every known answer of dev and test is in it.
        """
        sample = sample_corpus(
            (self.dev.answers, self.test.answers), len(self.passages), size, seed
        )
        return self._replace(ranked=sample.rows, sample_note=sample.note)


def weak_examples(corpus: Corpus | QuestionCorpus) -> int:
    """The number of weak pairs; none with graded pairs."""
    return 0 if isinstance(corpus, Corpus) else len(corpus.weak[0])


def train_examples(corpus: Corpus | QuestionCorpus) -> int:
    """The number of training examples: graded pairs, or questions with one of their answers."""
    train = corpus.train
    return len(train) if isinstance(train, PairRows) else len(train.answers.rows.values)


def pair_rows(store: TokenStore, pairs: Pairs) -> PairRows:
    """Add the sentences of `pairs` to `store`; return the pairs as its rows.

    Texts that are compared with each other all take the prompt of queries.
    """

    def column(values: object) -> npt.NDArray[np.int64]:
        return store.add(
            (
                values[i : i + SENTENCES_PER_CALL].to_pylist()  # type: ignore[index]
                for i in range(0, len(pairs), SENTENCES_PER_CALL)
            ),
            prompt=store.prompts.query,
        )

    return PairRows(column(pairs.first), column(pairs.second), _scores(pairs))


def build_corpus(
    data: PairData, guard: Pairs, tokenizer: Tokenizer, general: Sequence[str] = ()
) -> Corpus:
    """Tokenise all splits, the guard and the `general` sentences.

    Arrow finds equal sentences over all splits at once. With a Python dictionary instead, a million
    pairs would take a gigabyte.
    """
    import pyarrow as pa

    splits = (data.train, data.dev, data.test, guard)
    columns = [c.cast(pa.large_string()) for p in splits for c in (p.first, p.second)]
    # The chunks share one dictionary; joining them first would copy all pairs once more.
    encoded = pa.chunked_array(columns, pa.large_string()).dictionary_encode().chunks
    del columns
    store = TokenStore(tokenizer)
    distinct = encoded[0].dictionary
    prompt = store.prompts.query  # texts that are compared with each other are queries
    store.add_distinct(
        (
            distinct.slice(i, SENTENCES_PER_CALL).to_pylist()
            for i in range(0, len(distinct), SENTENCES_PER_CALL)
        ),
        prompt=prompt,
    )
    rows = [column.indices.to_numpy().astype(np.int64) for column in encoded]
    split_rows = [
        PairRows(first, second, _scores(pairs))
        for first, second, pairs in zip(rows[::2], rows[1::2], splits, strict=True)
    ]
    general_rows = np.zeros(0, np.int64)
    if general:
        general_rows = store.add_distinct([list(general)], prompt=prompt)
    train, dev, test, guard_rows = split_rows
    return Corpus(store, train, dev, test, guard_rows, general_rows)


def build_question_corpus(
    data: QuestionData, guard: Pairs, tokenizer: Tokenizer, general: Sequence[str] = ()
) -> QuestionCorpus:
    """Tokenise the passages, the questions of all splits, the guard and `general` sentences.

    Passages take their prompt, and all others that of queries.
    """
    store = TokenStore(tokenizer)
    query, passage = store.prompts
    passages = store.add_distinct(
        (
            data.passages.slice(i, SENTENCES_PER_CALL).to_pylist()
            for i in range(0, len(data.passages), SENTENCES_PER_CALL)
        ),
        prompt=passage,
    )

    def rows(split: QuestionSplit) -> QuestionRows:
        questions = store.add(
            (
                split.questions.slice(i, SENTENCES_PER_CALL).to_pylist()
                for i in range(0, len(split), SENTENCES_PER_CALL)
            ),
            prompt=query,
        )
        return QuestionRows(questions, split.answers, split.negatives)

    train, dev, test = rows(data.train), rows(data.dev), rows(data.test)
    guard_rows = pair_rows(store, guard)
    general_rows = np.zeros(0, np.int64)
    if general:
        general_rows = store.add([list(general)], prompt=query)
    weak = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    if data.weak_train is not None and data.weak_passages is not None:
        pairs = data.weak_train.answers.rows
        texts = store.add([data.weak_passages.to_pylist()], prompt=passage)
        asking = store.add([data.weak_train.questions.to_pylist()], prompt=query)
        weak = (asking[pairs.owners()], texts[pairs.values])
    ranked = np.arange(len(passages))
    return QuestionCorpus(store, train, dev, test, guard_rows, general_rows, passages, ranked, weak)


def _scores(pairs: Pairs) -> npt.NDArray[np.float32]:
    if pairs.scores is None:
        return np.full(len(pairs), np.nan, np.float32)
    return pairs.scores
