"""From a SPEC to questions in three splits."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.files.folders import SPLITS, split_files
from nexus_engine.data.files.locating import located_file
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.questions.answers import Ragged
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.data.questions.reading import (
    beir_files,
    gather_beir,
    gather_llama_index,
    gather_records,
    is_llama_index,
)
from nexus_engine.data.questions.splitting import cut_questions
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.sources import refused_access
from nexus_engine.errors import ConfigError, DataError
from nexus_engine.system.user_paths import user_path

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["load_questions"]

VERSION = b"nexus questions 1\n"


def load_questions(
    spec: str,
    *,
    seed: int = 0,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> QuestionData | None:
    """Load questions, their answers and the corpus; None where `spec` holds no questions.

    Args:
        spec: A file of records, a folder of train, dev and test files, or one in BEIR's layout.
        seed: What a cut is drawn from. 0 or more.
        columns: Names of columns by role, see `fields.columns_option`.
        skip_bad: Leave out records that cannot be used, and count them.

    Raises DataError, with file, row and reason, for what cannot be used.
    """
    if seed < 0:
        raise ConfigError(f"seed {seed}: must be 0 or more")
    path = user_path(spec, DataError)
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    gathered, notes = Gathered(), list[str]()
    if is_folder:
        named = beir_files(path)
        if named is not None:
            gather_beir(gathered, named)
            splits = [split for split in SPLITS if split in named]
            notes.append(f"BEIR layout: {', '.join(splits)} judged in qrels")
        elif not _gather_splits(gathered, path, notes, columns, skip_bad):
            return None
    else:
        source, kind = located_file(path)
        if kind is FileKind.JSONL and is_llama_index(source):
            gather_llama_index(gathered, source)
            notes.append("queries, corpus and relevant_docs in one JSON object")
        else:
            fields = gather_records(gathered, source, kind, columns=columns, skip_bad=skip_bad)
            if fields is None:
                return None
            notes.append(fields.note)
    label = shown_path(path)
    name = shown_path(path.name or path.resolve().name or os.fspath(path))
    return _assembled(gathered, name, spec, label, seed, notes)


def _gather_splits(
    gathered: Gathered,
    path: Path,
    notes: list[str],
    columns: Mapping[str, str] | None,
    skip_bad: bool,
) -> bool:
    """Gather a folder of split files; False where they hold no questions."""
    for split, files in split_files(path).items():
        for file in files:
            source, kind = located_file(file)
            fields = gather_records(
                gathered, source, kind, split=split, columns=columns, skip_bad=skip_bad
            )
            if fields is None:
                return False
            if fields.note not in notes:
                notes.append(fields.note)
    return len(gathered) > 0


def _assembled(
    gathered: Gathered, name: str, spec: str, label: str, seed: int, notes: list[str]
) -> QuestionData:
    answered = [bool(known) for known in gathered.answers]
    if not any(answered):
        raise file_error(label, "holds no question with an answer")
    split = np.array([SPLITS.index(name) if name else -1 for name in gathered.split], np.int8)
    if any(named and not known for named, known in zip(gathered.split, answered, strict=True)):
        lost = sum(not known for known in answered)
        notes.append(f"{lost:,} questions without an answer are left out")
    split = np.where(answered, split, np.int8(-2))
    split = _with_cuts(gathered, split, label, seed, notes)
    sides = {
        side: gathered.split_of(np.flatnonzero(split == place).tolist())
        for place, side in enumerate(SPLITS)
    }
    notes += _remarks(gathered, sides)
    passages = gathered.passages.texts()
    return QuestionData(
        name,
        spec,
        passages,
        sides["train"],
        sides["dev"],
        sides["test"],
        _fingerprint(passages, sides),
        (_summary(sides, len(passages)), *notes),
    )


def _with_cuts(
    gathered: Gathered, split: NDArray[np.int8], label: str, seed: int, notes: list[str]
) -> NDArray[np.int8]:
    """`split` with those splits cut from train that no question names."""
    free = np.flatnonzero((split == -1) | (split == 0))
    if not len(free):
        raise file_error(label, "holds no question to train on")
    split = split.copy()
    split[free] = 0
    wanted = [place for place in (1, 2) if not (split == place).any()]
    if not wanted:
        return split
    answers = Ragged.of([list(gathered.answers[question]) for question in free.tolist()])
    groups = np.asarray(gathered.group_of, np.int64)[free]
    texts = np.asarray(gathered.text_of, np.int64)[free]
    cut = cut_questions(
        texts, answers, len(gathered.passages), groups, wanted=len(wanted), seed=seed
    )
    names = " and ".join(SPLITS[place] for place in wanted)
    if cut is None:
        reason = f"{len(free)} questions are too few to cut {names} from"
        raise file_error(label, f"{reason}; give more, or a folder with train, dev and test files")
    sides = np.concatenate([[-3], [0], wanted]).astype(np.int8)
    split[free] = sides[cut.split + 1]
    note = f"{names} cut with seed {seed}: no question and no answer in two splits"
    if cut.dropped:
        note += f"; {cut.dropped:,} questions dropped because their answers lie in two splits"
    notes.append(note)
    return split


def _remarks(gathered: Gathered, sides: Mapping[str, QuestionSplit]) -> list[str]:
    found = []
    if gathered.skipped:
        found.append(f"{gathered.skipped:,} rows skipped: they cannot be used")
    if gathered.moved:
        found.append(f"{gathered.moved:,} rows name a question of another split; the first decides")
    if gathered.contradicted:
        found.append(
            f"{gathered.contradicted:,} passages are answer and negative of one question: "
            "they count as answers"
        )
    trained = np.unique(sides["train"].answers.rows.values)
    for name in ("dev", "test"):
        rows = sides[name].answers.rows
        shared = np.isin(rows.values, trained)
        only = shared & (np.diff(rows.offsets)[rows.owners()] == 1)
        if only.any():
            count = f"{int(only.sum()):,} questions"
            found.append(f"{name}: the only answer of {count} also stands in train")
    return found


def _summary(sides: Mapping[str, QuestionSplit], passages: int) -> str:
    """What was recognised, in one line."""
    kept = sum(map(len, sides.values()))
    several = sum(int((np.diff(side.answers.rows.offsets) > 1).sum()) for side in sides.values())
    with_negatives = sum(
        int((np.diff(side.negatives.offsets) > 0).sum()) for side in sides.values()
    )
    each = "one passage each" if not several else f"passages, {several:,} with several"
    parts = [f"{kept:,} questions with {each}"]
    if with_negatives:
        parts.append(f"{with_negatives:,} with negatives")
    extra = f", {passages:,} passages"
    judged = f"judged by nDCG@10 on {len(sides['dev']):,} held-out questions"
    return f"{', '.join(parts)}{extra}; ranking loss; {judged}"


def _fingerprint(passages: pa.Array, sides: Mapping[str, QuestionSplit]) -> str:
    digest = hashlib.sha256(VERSION)
    _add_texts(digest, passages)
    for name, side in sides.items():
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
