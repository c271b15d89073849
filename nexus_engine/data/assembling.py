"""Assemble train, dev and test from files: given splits are kept, missing ones are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.files.folders import HELD_OUT, SPLITS
from nexus_engine.data.files.locating import ALL_PAIRS, locate
from nexus_engine.data.fingerprint import fingerprint_of
from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import MIN_PAIRS, PairData, Pairs
from nexus_engine.data.ranges import ScoreRange
from nexus_engine.data.scored import joined_pairs, read_scored
from nexus_engine.data.sentence_ids import (
    NumberedPairs,
    count_contradictions,
    count_shared_sentences,
    number_sentences,
)
from nexus_engine.data.splitting import cut_splits
from nexus_engine.errors import ConfigError

__all__ = ["assemble", "assemble_split"]


def assemble(
    spec: str,
    seed: int,
    score_range: ScoreRange | None,
    columns: Mapping[str, str] | None = None,
    *,
    skip_bad: bool = False,
) -> PairData:
    """See `loading.load_data`."""
    if seed < 0:
        raise ConfigError(f"seed {seed}: must be 0 or more")
    located = locate(spec)
    scored = read_scored(located, score_range, columns, skip_bad=skip_bad)
    splits = {
        ("train" if name == ALL_PAIRS else name): pairs for name, pairs in scored.splits.items()
    }
    if "train" not in splits:
        raise file_error(
            located.label, "holds no train file; add one (.csv, .tsv, .jsonl, .parquet)"
        )
    numbered = dict(zip(splits, number_sentences(list(splits.values())), strict=True))
    notes = list(scored.notes)
    scores = [pairs.scores for pairs in splits.values() if pairs.scores is not None]
    contradicting = count_contradictions(list(numbered.values()), scores)
    if contradicting:
        notes.append(
            f"{_counted(contradicting, 'pair')} given more than once with different scores; "
            "all are kept"
        )
    missing = [name for name in HELD_OUT if name not in splits]
    if missing:
        splits, numbered, note = _cut(located.label, splits, numbered, missing, seed)
        notes.append(note)
    for name in HELD_OUT:
        shared = count_shared_sentences(numbered[name], numbered["train"])
        if shared and not scored.labels:  # there a note says which pairs judge
            total = int(numbered[name].present().sum())
            notes.append(f"{name}: {shared} of its {total} sentences also occur in train")
    ordered = {name: splits[name] for name in SPLITS}
    return PairData(
        located.name,
        spec,
        ordered["train"],
        ordered["dev"],
        ordered["test"],
        scored.score_range,
        fingerprint_of(ordered),
        tuple(notes),
        scored.questions,
        scored.labels,
    )


def assemble_split(
    spec: str,
    split: str,
    seed: int,
    score_range: ScoreRange | None,
    columns: Mapping[str, str] | None = None,
    *,
    skip_bad: bool = False,
) -> tuple[Pairs, tuple[str, ...]]:
    """See `loading.load_split_with_questions`."""
    if split not in (*SPLITS, ALL_PAIRS):
        raise ConfigError(f"split must be one of {', '.join(SPLITS)}, {ALL_PAIRS}")
    located = locate(spec)
    if split == ALL_PAIRS or split in located.files:
        scored = read_scored(located, score_range, columns, skip_bad=skip_bad)
        if split == ALL_PAIRS:
            distinct = {id(pairs): pairs for pairs in scored.splits.values()}
            return joined_pairs(list(distinct.values())), scored.questions
        if split in scored.splits:
            return scored.splits[split], scored.questions
    data = assemble(spec, seed, score_range, columns, skip_bad=skip_bad)
    return {"train": data.train, "dev": data.dev, "test": data.test}[split], data.questions


def _cut(
    label: str,
    splits: dict[str, Pairs],
    numbered: dict[str, NumberedPairs],
    missing: Sequence[str],
    seed: int,
) -> tuple[dict[str, Pairs], dict[str, NumberedPairs], str]:
    """The splits with the `missing` ones cut from train, and a note on the cut."""
    train, ids = splits["train"], numbered["train"]
    names = ["train", *missing]
    if len(train) < MIN_PAIRS * len(names):
        reason = f"{len(train)} pairs are too few to cut {' and '.join(missing)} from"
        raise file_error(label, f"{reason}; give a folder with train, dev and test files")
    barred = np.zeros(ids.total, np.bool_)
    for name in HELD_OUT:
        if name in numbered:
            barred |= numbered[name].present()

    def usable(split: NDArray[np.int8]) -> bool:
        return all(_is_measurable(train, split == number) for number in range(len(names)))

    cut = cut_splits(ids, count=len(missing), seed=seed, usable=usable, barred=barred)
    if cut is None:
        reason = f"no {' and '.join(missing)} can be cut that share no sentence with train"
        advice = "give more pairs, or a folder with train, dev and test files"
        raise file_error(label, f"{reason}; {advice}")
    sizes = []
    for number, name in enumerate(names):
        rows = np.flatnonzero(cut.split == number)
        splits = {**splits, name: train.take(rows)}
        part = NumberedPairs(ids.first[rows], ids.second[rows], ids.total)
        numbered = {**numbered, name: part}
        sizes.append(f"{len(rows)} {name}")
    note = f"split by seed {seed}, no sentence in two splits: {', '.join(sizes)} pairs"
    if cut.dropped:
        note += (
            f"; {_counted(cut.dropped, 'pair')} dropped because their sentences lie in two splits"
        )
    return splits, numbered, note


def _is_measurable(pairs: Pairs, chosen: NDArray[np.bool_]) -> bool:
    """Whether Spearman is defined on the chosen pairs."""
    assert pairs.scores is not None
    scores = pairs.scores[chosen]
    return len(scores) >= MIN_PAIRS and bool((scores != scores[0]).any())


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
