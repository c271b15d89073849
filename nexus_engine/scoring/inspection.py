"""What data holds, without training: sizes, lengths in tokens, duplicates, leaks between splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.data.pairs import PairData, Pairs
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.data.sentence_ids import NumberedPairs, count_contradictions, number_sentences
from nexus_engine.same_text import folded

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "HISTOGRAM_BINS",
    "Inspection",
    "Leak",
    "Lengths",
    "inspect_pairs",
    "inspect_questions",
    "texts_to_measure",
]

HISTOGRAM_BINS = 10
TEXTS_PER_CALL = 1000
ONLY_ANSWER = "only answer"
"""A question whose single known answer also answers a question of the other split."""

Split = TypeVar("Split")

Advance = Callable[[int], None]


class Lengths(NamedTuple):
    """Tokens of the distinct texts of one kind, the model's two marks included."""

    texts: int
    median: float
    percentile_95: float
    longest: int
    cut: int
    """Texts longer than the maximum length: the model does not read their ends."""

    @property
    def share_cut(self) -> float:
        """0..1."""
        return self.cut / self.texts if self.texts else 0.0


class Leak(NamedTuple):
    """What a held-out split has in common with another one."""

    split: str
    other: str
    kind: str
    texts: int
    """How many of the held-out split."""


class Inspection(NamedTuple):
    """What is known of data before training; numbers and names alone, no text of the data."""

    summary: str
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    """What the user should settle before training, one line each."""
    splits: Mapping[str, Mapping[str, int]]
    """Counts by split."""
    lengths: Mapping[str, Lengths]
    """By kind of text."""
    checks: Mapping[str, int]
    """Counts of what may be wrong with the data as a whole; 0 is good."""
    leaks: tuple[Leak, ...]
    score_range: tuple[float, float] | None = None
    histogram: Mapping[str, tuple[int, ...]] | None = None
    """By split, the pairs in each tenth of the range of scores; None for questions."""


def texts_to_measure(data: PairData | QuestionData) -> int:
    """The number of texts that an inspection tokenises."""
    if isinstance(data, PairData):
        return len(_distinct(data))
    return len(data.passages) + sum(map(len, _splits(data.train, data.dev, data.test).values()))


def inspect_questions(
    data: QuestionData, tokenizer: FastTokenizer, max_tokens: int, advance: Advance = lambda _: None
) -> Inspection:
    """Inspect questions; `tokenizer` must cut nothing off."""
    import pyarrow as pa

    splits = _splits(data.train, data.dev, data.test)
    sizes = {name: _question_counts(split) for name, split in splits.items()}
    if data.weak_train is not None:
        sizes["weak train"] = _question_counts(data.weak_train)
    questions = pa.concat_arrays([split.questions for split in splits.values()])
    counts = data.counts
    return Inspection(
        data.notes[0],
        data.notes[1:],
        data.asked,
        sizes,
        {
            "questions": _lengths(tokenizer, questions, max_tokens, advance),
            "passages": _lengths(tokenizer, data.passages, max_tokens, advance),
        },
        {
            "rows read": counts.rows,
            "rows skipped": counts.skipped,
            "answers given again for the same question": counts.repeated,
            "texts like another but for case or white space": counts.respelled,
            "passages both answer and negative of a question": counts.contradicted,
            "rows whose question is in another split": counts.moved,
            "questions without an answer": counts.unanswered,
            "questions dropped so that no answer is in two splits": counts.dropped,
        },
        tuple(_question_leaks(splits)),
    )


def inspect_pairs(
    data: PairData, tokenizer: FastTokenizer, max_tokens: int, advance: Advance = lambda _: None
) -> Inspection:
    """Inspect graded pairs; `tokenizer` must cut nothing off."""
    splits = _splits(data.train, data.dev, data.test)
    numbered = dict(zip(splits, number_sentences(list(splits.values())), strict=True))
    sentences = _distinct(data)
    occurring = np.zeros(numbered["train"].total, np.bool_)
    for each in numbered.values():
        occurring |= each.present()
    keys = {name: _pair_keys(each) for name, each in numbered.items()}
    everything = np.concatenate(list(keys.values()))
    low, high = data.score_range
    count = sum(map(len, splits.values()))
    return Inspection(
        f"{count:,} pairs with scores {low:g}..{high:g}; judged by Spearman on "
        f"{len(data.dev):,} held-out pairs",
        data.notes,
        data.questions,
        {
            name: {"pairs": len(pairs), "sentences": int(numbered[name].present().sum())}
            for name, pairs in splits.items()
        },
        {"sentences": _lengths(tokenizer, sentences, max_tokens, advance)},
        {
            "pairs given more than once, in either order": count - len(np.unique(everything)),
            "pairs given with different scores": count_contradictions(
                list(numbered.values()), [_scores(pairs) for pairs in splits.values()]
            ),
            "pairs of two equal sentences": sum(
                int((each.first == each.second).sum()) for each in numbered.values()
            ),
            "texts like another but for case or white space": len(sentences) - int(occurring.sum()),
        },
        tuple(_pair_leaks(numbered, keys)),
        data.score_range,
        {
            name: tuple(np.histogram(_scores(pairs), HISTOGRAM_BINS, (0, 1))[0].tolist())
            for name, pairs in splits.items()
        },
    )


def _splits(train: Split, dev: Split, test: Split) -> dict[str, Split]:
    """The splits by name; dev and test of few labels are one."""
    if test is dev:
        return {"train": train, "dev and test": dev}
    return {"train": train, "dev": dev, "test": test}


def _question_counts(split: QuestionSplit) -> dict[str, int]:
    rows = split.answers.rows
    return {
        "questions": len(split),
        "answers": len(rows.values),
        "passages": len(np.unique(rows.values)),
        "with several": int((np.diff(rows.offsets) > 1).sum()),
        "with negatives": int((np.diff(split.negatives.offsets) > 0).sum()),
    }


def _question_leaks(splits: Mapping[str, QuestionSplit]) -> Iterator[Leak]:
    """Equal questions and only answers in two splits, each held-out split against the others."""
    texts = {name: [folded(t) for t in s.questions.to_pylist()] for name, s in splits.items()}
    for other, name in combinations(splits, 2):
        known = set(texts[other])
        yield from _leak(name, other, "question", sum(text in known for text in texts[name]))
        rows = splits[name].answers.rows
        shared = np.isin(rows.values, splits[other].answers.rows.values)
        only = shared & (np.diff(rows.offsets)[rows.owners()] == 1)
        yield from _leak(name, other, ONLY_ANSWER, int(only.sum()))


def _pair_leaks(
    numbered: Mapping[str, NumberedPairs], keys: Mapping[str, npt.NDArray[np.int64]]
) -> Iterator[Leak]:
    for other, name in combinations(numbered, 2):
        shared = int((numbered[name].present() & numbered[other].present()).sum())
        yield from _leak(name, other, "sentence", shared)
        yield from _leak(name, other, "pair", int(np.isin(keys[name], keys[other]).sum()))


def _leak(split: str, other: str, kind: str, texts: int) -> Iterator[Leak]:
    if texts:
        yield Leak(split, other, kind, texts)


def _pair_keys(pairs: NumberedPairs) -> npt.NDArray[np.int64]:
    """(n,) a number for each pair of sentences, whatever their order."""
    low = np.minimum(pairs.first, pairs.second)
    return low * pairs.total + np.maximum(pairs.first, pairs.second)


def _distinct(data: PairData) -> pa.Array:
    """The distinct sentences of all splits, as they are written."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [
        column.cast(pa.large_string())
        for pairs in (data.train, data.dev, data.test)
        for column in (pairs.first, pairs.second)
    ]
    return pc.unique(pa.chunked_array(columns, pa.large_string()))


def _scores(pairs: Pairs) -> npt.NDArray[np.float32]:
    assert pairs.scores is not None
    return pairs.scores


def _lengths(
    tokenizer: FastTokenizer, texts: pa.Array, max_tokens: int, advance: Advance
) -> Lengths:
    lengths = np.zeros(len(texts), np.int64)
    for start in range(0, len(texts), TEXTS_PER_CALL):
        batch = texts.slice(start, TEXTS_PER_CALL).to_pylist()
        encoded = tokenizer.encode_batch_fast(batch)
        lengths[start : start + len(batch)] = [len(each.ids) for each in encoded]
        advance(len(batch))
    if not len(lengths):
        return Lengths(0, 0.0, 0.0, 0, 0)
    median, high = np.percentile(lengths, (50, 95)).tolist()
    return Lengths(
        len(lengths), median, high, int(lengths.max()), int((lengths > max_tokens).sum())
    )
