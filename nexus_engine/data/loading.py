"""The doors of the data layer. What they need is imported when they are called, not before."""

from __future__ import annotations

import os
from typing import Literal

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.pairs import PairData, Pairs
from nexus_engine.errors import DataError
from nexus_engine.system.user_paths import user_path

__all__ = ["load_data", "load_guard", "load_split", "load_split_asked", "load_unscored"]

GUARD_RANGE = (0.0, 5.0)


def load_data(
    spec: str, *, seed: int = 0, score_range: tuple[float, float] | None = None
) -> PairData:
    """Load train, dev and test.

    Args:
        spec: `demo`; `stsb` (from the local Hugging Face cache); a CSV, TSV, JSONL or Parquet
            file, which is split; a folder with train, dev and test files of those kinds, which
            are kept as given, and cut from train where dev or test is not given; or a folder that
            the `datasets` library saved.
        seed: What a cut is drawn from; the same file and seed give the same splits. 0 or more.
        score_range: (lowest, highest) mark of the files' scores, mapped to 0..1; found when None.

    Raises DataError, with file, row and reason, for what cannot be used, and ConfigError for a
    seed or range that is none.
    """
    from nexus_engine.data.assembling import assemble

    return assemble(os.fspath(spec), seed, score_range)


def load_split(
    spec: str,
    split: Literal["train", "dev", "test", "all"],
    *,
    seed: int = 0,
    score_range: tuple[float, float] | None = None,
) -> Pairs:
    """Load one split of `spec`, or `all` of it: a file uncut, a folder's splits joined.

    A split that is not given is cut as by `load_data` with the same seed. The scores are mapped
    from the range found in all files of `spec`, as in training.
    Raises DataError and ConfigError as `load_data` does.
    """
    return load_split_asked(spec, split, seed=seed, score_range=score_range)[0]


def load_split_asked(
    spec: str,
    split: Literal["train", "dev", "test", "all"],
    *,
    seed: int = 0,
    score_range: tuple[float, float] | None = None,
) -> tuple[Pairs, tuple[str, ...]]:
    """The same with the questions that the data raises, as `PairData.questions`."""
    from nexus_engine.data.assembling import assemble_split

    return assemble_split(os.fspath(spec), split, seed, score_range)


def load_unscored(path: str | os.PathLike[str]) -> Pairs:
    """Load pairs whose scores are not needed, from a file or, for `-`, from stdin to its end.

    Two columns are enough. A score column is kept when all its scores are numbers of a usual
    range, and otherwise ignored: `scores` is None then.
    Raises DataError with file, row and reason for what cannot be used.
    """
    from nexus_engine.data.files.locating import located_file
    from nexus_engine.data.reading.formats import kind_of_stdin
    from nexus_engine.data.reading.sources import stdin_source
    from nexus_engine.data.scored import as_unscored

    if os.fspath(path) == "-":
        source = stdin_source()
        return as_unscored(source, kind_of_stdin(source))
    return as_unscored(*located_file(user_path(path, DataError)))


def load_guard() -> Pairs:
    """The general pairs that ship with the project, to see whether training cost general skill.

    Raises DataError when the installation lacks them.
    """
    from nexus_engine.data.files.locating import WHOLE, Located, located_file
    from nexus_engine.data.scored import read_scored

    source, kind = located_file(assets_dir() / "guard.csv")
    located = Located("guard", source.label, {WHOLE: [(source, kind)]})
    return read_scored(located, GUARD_RANGE).splits[WHOLE]
