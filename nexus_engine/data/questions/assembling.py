"""What was gathered becomes three splits that leak nothing, with notes on each decision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.files.folders import SPLITS
from nexus_engine.data.messages import file_error
from nexus_engine.data.questions.answers import Ragged
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.questions.label_corpus import Asking
from nexus_engine.data.questions.label_sides import label_sides
from nexus_engine.data.questions.question_data import (
    Origins,
    QuestionData,
    QuestionSplit,
    ReadingCounts,
)
from nexus_engine.data.questions.splitting import HELD_OUT_SHARE, HeldOut, cut_questions
from nexus_engine.data.questions.weak_pairs import TitledBody, WeakPairs
from nexus_engine.same_text import folded

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Assembly", "assembled"]

VERSION = b"nexus questions 1\n"
TRAIN, DEV, TEST = range(3)
FREE, UNUSED = -1, -2
FEW_QUESTIONS = 100
"""In a file beside documents: fewer are all held out, since a tenth of them would judge nothing."""
MIN_JUDGED = 20
"""Held-out questions where weak pairs are trained on: only these show whether they help or harm."""
MAX_ANSWERED_SHARE = 0.25
"""Weak pairs of a corpus are used where no more of its passages answer a train question."""
FEW_HELD_OUT = "give at least 20 held-out questions, for example as dev.jsonl"

Weak = Callable[[], Iterable[TitledBody]]


@dataclass(slots=True)
class Assembly:
    """What was gathered, and how it is to be split."""

    gathered: Gathered
    name: str
    spec: str
    label: str
    """For messages about the data as a whole."""
    seed: int
    notes: list[str]
    has_documents: bool = False
    holds_out_few: bool = False
    """Whether all questions are held out where they are fewer than FEW_QUESTIONS."""
    keeps_parts: bool = False
    """Whether these are labels, of which none moves from one part to another."""
    asking: Sequence[Asking] = ()
    """Of labels: what the documents beside them ask by themselves."""
    labels: str = ""
    """The fingerprint of the labels; "" for other data."""


KEEP_PERCENT = 30
"""Of the first sentences, these stay in their answers where weak pairs are all there is. MedQuAD,
documents alone, test nDCG@10: 0.740 with 10, 0.750 with 30, 0.756 with 50, 0.745 with 100 (one
seed, H200)."""


def assembled(assembly: Assembly, weak: Weak | None = None) -> QuestionData:
    """The splits, the corpus, and weak pairs where they are of use.

    `weak` gives the passages that weak pairs can be made of; it is called only where they are used.
    Raises DataError where no split can be trained on or judged.
    """
    gathered, notes = assembly.gathered, assembly.notes
    answered = np.array([bool(known) for known in gathered.answers], np.bool_)
    if not answered.any():
        raise file_error(assembly.label, "holds no question with an answer")
    unanswered = int((~answered).sum())
    if unanswered:
        notes.append(f"{_counted(unanswered, 'question')} without an answer left out")
    named = np.array([SPLITS.index(name) if name else FREE for name in gathered.split], np.int8)
    split = np.where(answered, named, np.int8(UNUSED))
    dropped, is_few = 0, False
    if assembly.keeps_parts:
        chosen, remarks, is_few = label_sides(gathered, split, assembly.asking, assembly.label)
        notes += remarks
    else:
        split, dropped = _with_cuts(assembly, split, may_lack_train=weak is not None)
        chosen = {
            side: np.flatnonzero(split == place).tolist() for place, side in enumerate(SPLITS)
        }
    sides = {side: gathered.split_of(rows) for side, rows in chosen.items()}
    if chosen["test"] is chosen["dev"]:
        sides["test"] = sides["dev"]
    counts = ReadingCounts(
        gathered.rows,
        gathered.skipped,
        gathered.repeated,
        gathered.texts.respelled + gathered.passages.respelled,
        gathered.moved,
        gathered.contradicted,
        unanswered,
        dropped,
    )
    notes += _remarks(counts, sides, has_stand_ins=is_few)
    passages = gathered.passages.texts()
    if not assembly.has_documents:  # there the note on them says it
        notes.insert(0, f"{_counted(len(passages), 'passage')} in the corpus")
    pairs = _weak_pairs(assembly, sides, len(passages), weak)
    return QuestionData(
        assembly.name,
        assembly.spec,
        passages,
        sides["train"],
        sides["dev"],
        sides["test"],
        _fingerprint(passages, sides, pairs),
        (
            _summary(sides, pairs, has_stand_ins=is_few),
            *notes,
        ),
        weak_train=None if pairs is None else pairs.split,
        weak_passages=None if pairs is None else pairs.texts,
        origins=_origins(gathered, len(passages)),
        counts=counts,
        labels=assembly.labels,
    )


def _with_cuts(
    assembly: Assembly, split: NDArray[np.int8], *, may_lack_train: bool
) -> tuple[NDArray[np.int8], int]:
    """`split` with those splits cut that no question names, and how many questions that drops."""
    split = split.copy()
    free = np.flatnonzero(split == FREE)
    if assembly.holds_out_few and len(free) == int((split >= FREE).sum()) < FEW_QUESTIONS:
        split[free] = DEV
        reason = f"fewer than {FEW_QUESTIONS} questions are all held out"
        return _halved(assembly, split, reason)
    split[free] = TRAIN
    missing = [place for place in (DEV, TEST) if not (split == place).any()]
    if not (split == TRAIN).any():
        if not may_lack_train:
            raise file_error(assembly.label, "holds no question to train on; add a train split")
        return _halved(assembly, split, "no train questions") if missing else (split, 0)
    if not missing:
        return split, 0
    chosen = np.flatnonzero(split == TRAIN)
    names = " and ".join(SPLITS[place] for place in missing)
    cut = _cut(assembly, split, chosen, wanted=len(missing), share=HELD_OUT_SHARE)
    if cut is None:
        few = "question is" if len(chosen) == 1 else "questions are"
        reason = f"{len(chosen):,} {few} too few to cut {names} from"
        advice = "give more, or a folder with train, dev and test files"
        raise file_error(assembly.label, f"{reason}; {advice}")
    split[chosen] = np.array([UNUSED, TRAIN, *missing], np.int8)[cut.split + 1]
    assembly.notes.append(_cut_note(names, assembly.seed, cut.dropped))
    return split, cut.dropped


def _halved(
    assembly: Assembly, split: NDArray[np.int8], reason: str
) -> tuple[NDArray[np.int8], int]:
    """`split` with the held-out questions of one split dealt out to dev and test."""
    chosen = np.flatnonzero(split >= 0)
    if len(chosen) < MIN_JUDGED:
        raise _too_few(assembly, len(chosen))
    cut = _cut(assembly, split, chosen, wanted=1, share=0.5)
    if cut is None:
        few = "the held-out questions cannot be halved into dev and test without a common answer"
        raise file_error(assembly.label, f"{few}; give a dev and a test file")
    split[chosen] = np.array([UNUSED, DEV, TEST], np.int8)[cut.split + 1]
    assembly.notes.append(f"{reason}; {_cut_note('dev and test', assembly.seed, cut.dropped)}")
    return split, cut.dropped


def _cut(
    assembly: Assembly,
    split: NDArray[np.int8],
    chosen: NDArray[np.int64],
    *,
    wanted: int,
    share: float,
) -> HeldOut | None:
    """Cut `wanted` splits from the questions `chosen`; none with an answer of another split."""
    gathered = assembly.gathered
    others = np.setdiff1d(np.flatnonzero(split >= 0), chosen)
    texts = np.asarray(gathered.text_of, np.int64)
    taken = [row for question in others.tolist() for row in gathered.answers[question]]
    return cut_questions(
        texts[chosen],
        Ragged.of([list(gathered.answers[question]) for question in chosen.tolist()]),
        len(gathered.passages),
        np.asarray(gathered.group_of, np.int64)[chosen],
        wanted=wanted,
        seed=assembly.seed,
        share=share,
        barred_texts=texts[others],
        barred_passages=np.asarray(taken, np.int64),
    )


def _cut_note(names: str, seed: int, dropped: int) -> str:
    note = f"{names} cut with seed {seed}: no question and no answer in two splits"
    if dropped:
        count = _counted(dropped, "question")
        note += f"; {count} dropped because their answers lie in two splits"
    return note


def _weak_pairs(
    assembly: Assembly, sides: Mapping[str, QuestionSplit], passages: int, weak: Weak | None
) -> WeakPairs | None:
    """The weak pairs where they are of use: always of documents, and of a corpus few know.

    Raises DataError where they are used and fewer than 20 questions would judge them.
    """
    if weak is None:
        return None
    answered = len(np.unique(sides["train"].answers.rows.values))
    if not assembly.has_documents and answered > passages * MAX_ANSWERED_SHARE:
        return None
    judged = len(sides["dev"]) + len(sides["test"])
    held_out = [
        question for side in ("dev", "test") for question in sides[side].questions.to_pylist()
    ]
    has_train = len(sides["train"]) > 0
    pairs = WeakPairs.of(weak(), held_out, keep_percent=0 if has_train else KEEP_PERCENT)
    if not len(pairs.split) and not has_train:
        reason = (
            "no question to train on, and no heading or first sentence that could stand for one"
        )
        raise file_error(assembly.label, f"{reason}; add train questions")
    if judged < MIN_JUDGED and (assembly.has_documents or not has_train):
        raise _too_few(assembly, judged)
    if not len(pairs.split) or judged < MIN_JUDGED:
        return None
    stage = "are a first stage" if has_train else "are all that is trained on"
    count = f"{len(pairs.split):,} weak pairs of headings and first sentences"
    assembly.notes.append(f"{count} {stage}")
    return pairs


def _too_few(assembly: Assembly, judged: int) -> Exception:
    reason = f"only {_counted(judged, 'held-out question')} to judge what documents teach"
    return file_error(assembly.label, f"{reason}; {FEW_HELD_OUT}")


def _remarks(
    counts: ReadingCounts, sides: Mapping[str, QuestionSplit], *, has_stand_ins: bool
) -> list[str]:
    remarks = []
    if counts.skipped:
        remarks.append(f"{_counted(counts.skipped, 'row')} skipped: they cannot be used")
    if counts.moved:
        count = _counted(counts.moved, "row")
        remarks.append(f"{count} with a question of another split; the first decides")
    if counts.contradicted:
        count = _counted(counts.contradicted, "passage")
        remarks.append(f"{count} given as answer and negative of one question count as answers")
    if has_stand_ins:
        return remarks  # what judges is no held-out split, as the notes on labels say
    trained = np.unique(sides["train"].answers.rows.values)
    held_out = ("dev",) if sides["test"] is sides["dev"] else ("dev", "test")
    questions = set(map(folded, sides["train"].questions.to_pylist()))
    for name in held_out:
        shared = sum(folded(text) in questions for text in sides[name].questions.to_pylist())
        if shared:
            remarks.append(f"{name}: {_counted(shared, 'question')} also in train")
        rows = sides[name].answers.rows
        only = np.isin(rows.values, trained) & (np.diff(rows.offsets)[rows.owners()] == 1)
        if only.any():
            count = _counted(int(only.sum()), "question")
            remarks.append(f"{name}: the only answer of {count} also answers a train question")
    return remarks


def _summary(
    sides: Mapping[str, QuestionSplit], pairs: WeakPairs | None, *, has_stand_ins: bool
) -> str:
    """What was recognised, in one line."""
    splits = list({id(side): side for side in sides.values()}.values())
    if has_stand_ins:
        splits = [sides["train"]]
    several = sum(int((np.diff(side.answers.rows.offsets) > 1).sum()) for side in splits)
    negatives = sum(int((np.diff(side.negatives.offsets) > 0).sum()) for side in splits)
    count = _counted(sum(map(len, splits)), "question")
    each = "one passage each" if not several else f"passages, {several:,} with several"
    text = f"{count} with {each}"
    if negatives:
        text += f", {negatives:,} with negatives"
    if pairs is not None and not len(sides["train"]):
        text += f"; {len(pairs.split):,} weak pairs to train on"
    if has_stand_ins:
        return f"{text} to train on; ranking loss"
    judged = f"judged by nDCG@10 on {_counted(len(sides['dev']), 'held-out question')}"
    return f"{text}; ranking loss; {judged}"


def _origins(gathered: Gathered, passages: int) -> Origins | None:
    import pyarrow as pa

    if not gathered.origins:
        return None
    origins = [gathered.origins.get(row) for row in range(passages)]
    return Origins(
        pa.array([origin.source if origin else "" for origin in origins], pa.large_string()),
        np.array([origin.start if origin else -1 for origin in origins], np.int64),
        pa.array([origin.headings if origin else "" for origin in origins], pa.large_string()),
    )


def _fingerprint(
    passages: pa.Array, sides: Mapping[str, QuestionSplit], pairs: WeakPairs | None
) -> str:
    digest = hashlib.sha256(VERSION)
    _add_texts(digest, passages)
    splits = dict(sides)
    if pairs is not None:
        splits["weak"] = pairs.split
        _add_texts(digest, pairs.texts)
    for name, side in splits.items():
        digest.update(f"{name} {len(side)}\n".encode())
        _add_texts(digest, side.questions)
        for values in (
            side.answers.rows.offsets,
            side.answers.rows.values,
            side.negatives.offsets,
            side.negatives.values,
        ):
            digest.update(values.astype("<i8").tobytes())
        digest.update(side.answers.gains.astype("<f8").tobytes())
    return digest.hexdigest()


def _add_texts(digest: hashlib._Hash, texts: pa.Array) -> None:
    for start in range(0, len(texts), 1 << 16):
        encoded = [text.encode() for text in texts.slice(start, 1 << 16).to_pylist()]
        digest.update(np.fromiter(map(len, encoded), "<i8", len(encoded)).tobytes())
        digest.update(b"".join(encoded))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
