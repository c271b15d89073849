"""The public functions of the data layer. They import what they need when they are called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.pairs import PairData, Pairs
from nexus_engine.errors import DataError
from nexus_engine.system.user_paths import user_path

__all__ = ["load_data", "load_guard", "load_split", "load_split_with_questions", "load_unscored"]

GUARD_RANGE = (0.0, 5.0)


def load_data(
    spec: str,
    *,
    seed: int = 0,
    score_range: tuple[float, float] | None = None,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> PairData:
    """Load train, dev and test.

    Args:
        spec: `demo`; `stsb` (from the local Hugging Face cache); a CSV, TSV, JSONL or Parquet
            file, which is cut into splits; a folder with train, dev and test files of those kinds,
            where a missing dev or test is cut from train; a folder that the `datasets` library
            saved; or a cloned repository of the Hugging Face hub with such files in `data`.
        seed: Seed of the cut, 0 or more; the same file and seed give the same splits.
        score_range: Lowest and highest score of the scale, mapped to 0..1; None to infer it.
        columns: Names of columns by their roles `sentence1`, `sentence2`, `score` and `split`;
            the usual names stand for those that are not given. Columns of a table without a header
            have numbers, from 1.
        skip_bad: Leave out rows without a usable score, without two sentences, or of another width,
            and count them in a note.

    Raises DataError, with file, row and reason, for data that cannot be used, and ConfigError for
    an invalid seed, range or role.
    """
    from nexus_engine.data.assembling import assemble

    return assemble(os.fspath(spec), seed, score_range, columns, skip_bad=skip_bad)


def load_split(
    spec: str,
    split: Literal["train", "dev", "test", "all"],
    *,
    seed: int = 0,
    score_range: tuple[float, float] | None = None,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> Pairs:
    """Load one split of `spec`, or `all` of it: a file uncut, a folder's splits joined.

    A missing split is cut as `load_data` cuts it with the same seed. The scores are mapped from the
    range inferred from all files of `spec`, as in training.
    Raises DataError and ConfigError as `load_data` does.
    """
    return load_split_with_questions(
        spec, split, seed=seed, score_range=score_range, columns=columns, skip_bad=skip_bad
    )[0]


def load_split_with_questions(
    spec: str,
    split: Literal["train", "dev", "test", "all"],
    *,
    seed: int = 0,
    score_range: tuple[float, float] | None = None,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> tuple[Pairs, tuple[str, ...]]:
    """Like `load_split`, with the questions that the data raises, as in `PairData.questions`."""
    from nexus_engine.data.assembling import assemble_split

    return assemble_split(os.fspath(spec), split, seed, score_range, columns, skip_bad=skip_bad)


def load_unscored(path: str | os.PathLike[str]) -> Pairs:
    """Load pairs whose scores are not needed, from a file or, for `-`, from stdin to its end.

    Two columns are enough. A score column is kept if all its scores are numbers of a known range;
    otherwise it is ignored and `scores` is None.
    Raises DataError with file, row and reason for data that cannot be used.
    """
    from nexus_engine.data.files.locating import located_file
    from nexus_engine.data.reading.sources import stdin_source
    from nexus_engine.data.reading.stdin_kind import kind_of_stdin
    from nexus_engine.data.scored import as_unscored

    if os.fspath(path) == "-":
        source = stdin_source()
        return as_unscored(source, kind_of_stdin(source))
    return as_unscored(*located_file(user_path(path, DataError)))


def load_guard(*, assets: Path | None = None) -> Pairs:
    """Load the guard pairs, which show what training does to general similarities.

    `assets` is the folder that holds `guard.csv`; by default the one that ships with the project.
    Raises DataError when the file is missing or cannot be used.
    """
    from nexus_engine.data.files.locating import ALL_PAIRS, Located, located_file
    from nexus_engine.data.scored import read_scored

    source, kind = located_file((assets or assets_dir()) / "guard.csv")
    located = Located("guard", source.label, {ALL_PAIRS: [(source, kind)]})
    return read_scored(located, GUARD_RANGE).splits[ALL_PAIRS]
