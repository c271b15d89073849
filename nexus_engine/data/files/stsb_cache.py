"""Find the English STS Benchmark in the local Hugging Face caches, without the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nexus_engine.data.files.folders import SPLITS, split_candidates
from nexus_engine.data.files.hub_cache import datasets_cache, hub_cache
from nexus_engine.data.messages import shown_path
from nexus_engine.data.reading.formats import FileKind, known_kind
from nexus_engine.errors import DataError

__all__ = ["find_stsb"]

REPOSITORIES = ("sentence-transformers/stsb", "mteb/stsbenchmark-sts", "PhilipMay/stsb_multi_mt")
"""Repositories that publish the same pairs, in the order in which they are looked for."""

SUBFOLDERS = (("", ""), ("data", ""), ("en", ""), ("data", "stsb-en-"))
"""A folder in a snapshot, and the prefix of the names of its files, before `train`."""

CONFIGURATIONS = ("default", "en")
"""Names in the `datasets` cache of the configurations that hold the English pairs."""

KIND_ORDER = (FileKind.PARQUET, FileKind.JSONL, FileKind.CSV, FileKind.TSV)

StsbFiles = dict[str, list[tuple[Path, FileKind]]]


def find_stsb() -> StsbFiles:
    """The files of train, dev and test.

    The snapshots of the hub cache come first, then the Arrow cache of the `datasets` library.
    Raises DataError, with advice, when neither cache holds all three splits.
    """
    for repository in REPOSITORIES:
        for folder, prefix in _snapshot_folders(repository):
            files = _splits_in(folder, prefix)
            if files is not None:
                return files
    for repository in REPOSITORIES:
        files = _arrow_files(repository)
        if files is not None:
            return files
    raise DataError(
        f"stsb: the STS Benchmark is not in the Hugging Face cache ({shown_path(hub_cache())}); "
        "run `nexus fetch stsb` on a machine with a network, or give --data FOLDER with its files"
    )


def _snapshot_folders(repository: str) -> Iterator[tuple[Path, str]]:
    """Folders in the snapshots of a repository and their prefixes; that of `main` comes first."""
    root = hub_cache() / f"datasets--{repository.replace('/', '--')}"
    snapshots = _folders_newest_first(root / "snapshots")
    try:
        main = (root / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        main = ""
    for snapshot in sorted(snapshots, key=lambda folder: folder.name != main):
        for subfolder, prefix in SUBFOLDERS:
            if (snapshot / subfolder).is_dir():
                yield snapshot / subfolder, prefix


def _splits_in(folder: Path, prefix: str) -> StsbFiles | None:
    try:
        candidates = split_candidates(folder, prefix)
    except DataError:  # an interrupted download; another snapshot may be complete
        return None
    if set(candidates) != set(SPLITS):
        return None
    return {split: _preferred(choices) for split, choices in candidates.items()}


def _preferred(choices: Sequence[Sequence[Path]]) -> list[tuple[Path, FileKind]]:
    """The files of the preferred kind; a repository may hold the same pairs in several kinds."""
    sets = [
        [(path, kind) for path in paths if (kind := known_kind(path.name))] for paths in choices
    ]
    return min(sets, key=lambda files: KIND_ORDER.index(files[0][1]))


def _arrow_files(repository: str) -> StsbFiles | None:
    """The files that `datasets.load_dataset(repository)` left in its cache."""
    root = datasets_cache() / repository.replace("/", "___")
    for configuration in CONFIGURATIONS:
        for version in _folders_newest_first(root / configuration):
            for build in _folders_newest_first(version):
                files = {split: _arrow_split(build, split) for split in SPLITS}
                if all(files.values()):
                    return files
    return None


def _arrow_split(build: Path, split: str) -> list[tuple[Path, FileKind]]:
    name = "validation" if split == "dev" else split
    paths = sorted(build.glob(f"*-{name}.arrow")) or sorted(build.glob(f"*-{name}-*-of-*.arrow"))
    return [(path, FileKind.ARROW) for path in paths]


def _folders_newest_first(parent: Path) -> list[Path]:
    try:
        folders = [entry for entry in parent.iterdir() if entry.is_dir()]
        return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    except OSError:
        return []
