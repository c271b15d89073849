"""From files to the three splits: given as they are, or cut where one is not given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.files.folders import HELD_OUT, SPLITS
from nexus_engine.data.files.locating import WHOLE, locate
from nexus_engine.data.fingerprint import fingerprint_of
from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import PairData, Pairs
from nexus_engine.data.ranges import ScoreRange
from nexus_engine.data.scored import FEWEST_PAIRS, joined_pairs, read_scored
from nexus_engine.data.sentence_ids import (
    NumberedPairs,
    contradictions,
    number_sentences,
    shared_sentences,
)
from nexus_engine.data.splitting import cut_splits
from nexus_engine.errors import ConfigError

__all__ = ["assemble", "assemble_split"]


def assemble(spec: str, seed: int, score_range: ScoreRange | None) -> PairData:
    """See `loading.load_data`."""
    if seed < 0:
        raise ConfigError(f"seed {seed}: must be 0 or more")
    located = locate(spec)
    read = read_scored(located, score_range)
    splits = {("train" if name == WHOLE else name): pairs for name, pairs in read.splits.items()}
    if "train" not in splits:
        raise file_error(
            located.label, "holds no train file; add one (.csv, .tsv, .jsonl, .parquet)"
        )
    numbered = dict(zip(splits, number_sentences(list(splits.values())), strict=True))
    notes = list(read.notes)
    marks = [pairs.scores for pairs in splits.values() if pairs.scores is not None]
    doubted = contradictions(list(numbered.values()), marks)
    if doubted:
        notes.append(
            f"{_count(doubted, 'pair')} given more than once with different scores; all kept"
        )
    wanted = [name for name in HELD_OUT if name not in splits]
    if wanted:
        splits, numbered, note = _cut(located.label, splits, numbered, wanted, seed)
        notes.append(note)
    for name in HELD_OUT:
        shared = shared_sentences(numbered[name], numbered["train"])
        if shared:
            total = int(numbered[name].present().sum())
            notes.append(f"{name}: {shared} of its {total} sentences also stand in train")
    ordered = {name: splits[name] for name in SPLITS}
    return PairData(
        located.name,
        spec,
        ordered["train"],
        ordered["dev"],
        ordered["test"],
        read.score_range,
        fingerprint_of(ordered),
        tuple(notes),
        read.questions,
    )


def assemble_split(
    spec: str, split: str, seed: int, score_range: ScoreRange | None
) -> tuple[Pairs, tuple[str, ...]]:
    """See `loading.load_split_asked`."""
    if split not in (*SPLITS, WHOLE):
        raise ConfigError(f"split must be one of {', '.join(SPLITS)}, {WHOLE}")
    located = locate(spec)
    if split == WHOLE or split in located.files:
        read = read_scored(located, score_range)
        if split == WHOLE:
            return joined_pairs(list(read.splits.values())), read.questions
        if split in read.splits:
            return read.splits[split], read.questions
    data = assemble(spec, seed, score_range)
    return {"train": data.train, "dev": data.dev, "test": data.test}[split], data.questions


def _cut(
    label: str,
    splits: dict[str, Pairs],
    numbered: dict[str, NumberedPairs],
    wanted: Sequence[str],
    seed: int,
) -> tuple[dict[str, Pairs], dict[str, NumberedPairs], str]:
    """The splits with those `wanted` cut from train, and a note that says so."""
    train, ids = splits["train"], numbered["train"]
    names = ["train", *wanted]
    if len(train) < FEWEST_PAIRS * len(names):
        reason = f"{len(train)} pairs are too few to cut {' and '.join(wanted)} from"
        raise file_error(label, f"{reason}; give a folder with train, dev and test files")
    barred = np.zeros(ids.total, np.bool_)
    for name in HELD_OUT:
        if name in numbered:
            barred |= numbered[name].present()

    def usable(split: NDArray[np.int8]) -> bool:
        return all(_is_measurable(train, split == side) for side in range(len(names)))

    cut = cut_splits(ids, wanted=len(wanted), seed=seed, usable=usable, barred=barred)
    if cut is None:
        reason = f"no {' and '.join(wanted)} can be cut that share no sentence with train"
        advice = "give more pairs, or a folder with train, dev and test files"
        raise file_error(label, f"{reason}; {advice}")
    sizes = []
    for side, name in enumerate(names):
        rows = np.flatnonzero(cut.split == side)
        splits = {**splits, name: train.take(rows)}
        part = NumberedPairs(ids.first[rows], ids.second[rows], ids.total)
        numbered = {**numbered, name: part}
        sizes.append(f"{len(rows)} {name}")
    note = f"cut with seed {seed}, no sentence in two splits: {', '.join(sizes)} pairs"
    if cut.dropped:
        note += f"; {_count(cut.dropped, 'pair')} dropped because their sentences lie in two splits"
    return splits, numbered, note


def _is_measurable(pairs: Pairs, chosen: NDArray[np.bool_]) -> bool:
    """Whether Spearman is defined on the chosen pairs."""
    assert pairs.scores is not None
    scores = pairs.scores[chosen]
    return len(scores) >= FEWEST_PAIRS and bool((scores != scores[0]).any())


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
