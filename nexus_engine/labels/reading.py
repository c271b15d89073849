"""Reading a label file, also one that somebody is writing or that a crash has torn."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from nexus_engine.disk.regular_files import open_reader
from nexus_engine.errors import DataError, one_line
from nexus_engine.labels.lines import (
    MAX_HEADER_BYTES,
    MAX_LINE_BYTES,
    decode_act,
    is_header,
    read_header,
)
from nexus_engine.labels.standing import Standing
from nexus_engine.labels.verdicts import Act, Undo, Verdict, key_of
from nexus_engine.system.ownership import not_permitted

__all__ = [
    "Acts",
    "Labels",
    "acts_of",
    "by_rater",
    "fingerprint_of_verdicts",
    "is_label_file",
    "read_acts",
    "read_labels",
    "refused",
    "shown",
]


MAX_FILE_BYTES = 2_000_000_000
"""A verdict has a kilobyte, so no rater gives as many."""


class Labels(NamedTuple):
    """What a label file says."""

    path: Path
    created: str
    """UTC, as in verdicts; "" where the header does not say."""
    verdicts: tuple[Verdict, ...]
    """Those that stand, in the order in which they were given."""
    fingerprint: str
    """SHA-256 (hex) of the verdicts that stand, whatever their order, ids and times."""
    undone: int = 0
    """Verdicts that were taken back."""
    damaged: int = 0
    """Lines that are no acts: torn, damaged or of another kind. They do not count."""

    @property
    def raters(self) -> tuple[str, ...]:
        """Everyone of whom a verdict stands, in the order of their first one."""
        return tuple(dict.fromkeys(verdict.rater for verdict in self.verdicts))

    def of(self, rater: str) -> tuple[Verdict, ...]:
        """The verdicts of one rater that stand, in order."""
        return tuple(verdict for verdict in self.verdicts if verdict.rater == rater)


class Acts(NamedTuple):
    """The lines of a label file."""

    created: str
    acts: list[Act]
    damaged: int


def read_labels(path: Path) -> Labels:
    """The verdicts in the label file `path`.

    Raises:
        DataError: the file cannot be read, or is no label file.
    """
    created, acts, damaged = read_acts(path)
    standing = Standing()
    undone = 0
    for act in acts:
        undone += standing.add(act) and isinstance(act, Undo)
    verdicts = standing.verdicts()
    return Labels(path, created, verdicts, fingerprint_of_verdicts(verdicts), undone, damaged)


def read_acts(path: Path, *, follow: bool = True) -> Acts:
    """Every act in the label file `path`, in order; `follow` says whether a link may be read.

    The bytes after the last newline count as a line: it may lack its newline alone.

    Raises:
        DataError: as `read_labels`.
    """
    try:
        with open_reader(path, follow=follow) as file:
            return acts_of(file, shown(path))
    except (OSError, ValueError) as error:
        raise refused(path, error) from None


def acts_of(file: BinaryIO, label: str) -> Acts:
    """Every act in the label file that is open as `file`; `label` names it in messages.

    Raises:
        DataError: it is no label file, or larger than 2 GB.
        OSError: it cannot be read.
    """
    created = read_header(label, file.readline(MAX_HEADER_BYTES + 1))
    begin = file.tell()
    if file.seek(0, os.SEEK_END) > MAX_FILE_BYTES:
        raise DataError(f"{label}: is larger than 2 GB; split it, or look what is in it")
    file.seek(begin)
    acts: list[Act] = []
    damaged = 0
    for line in _lines(file):
        act = decode_act(line) if line else None
        if act is not None:
            acts.append(act)
        elif line.strip() or not line:
            damaged += 1
    return Acts(created, acts, damaged)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of the file from here on, with their newlines; b"" for one that is too long."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) < MAX_LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)
        yield b""


def is_label_file(path: Path) -> bool:
    """Whether the file `path` begins with the header of a label file; False if unreadable."""
    try:
        with open_reader(path, follow=True) as file:
            return is_header(file.readline(MAX_HEADER_BYTES + 1))
    except (OSError, ValueError):
        return False


def by_rater(files: Sequence[Labels]) -> dict[str, tuple[Verdict, ...]]:
    """The standing verdicts of each rater; a name that several files have stands once for each."""
    holders = Counter(rater for labels in files for rater in labels.raters)
    found: dict[str, tuple[Verdict, ...]] = {}
    for number, labels in enumerate(files, start=1):
        for rater in labels.raters:
            name = rater
            if holders[rater] > 1:
                name = f"{rater} in {one_line(labels.path.name, 40)}"
                name += f" ({number})" if name in found else ""
            found[name] = labels.of(rater)
    return found


def fingerprint_of_verdicts(verdicts: tuple[Verdict, ...]) -> str:
    """SHA-256 (hex) of what the verdicts say, whatever their order, ids and times."""
    said = (
        msgspec.json.encode(
            [key_of(verdict), msgspec.structs.replace(verdict, id="", time="", asked=None)]
        )
        for verdict in verdicts
    )
    digest = hashlib.sha256(b"nexus labels 1\n")
    for line in sorted(said):
        digest.update(line + b"\n")
    return digest.hexdigest()


def shown(path: Path) -> str:
    """`path` as a message shows it."""
    return one_line(path, 200) or "(a name without printable characters)"


def refused(path: Path, error: OSError | ValueError) -> DataError:
    """The refusal of a file that the system does not let us open or read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{shown(path)}: no such label file; see them with `nexus labels list`")
    if isinstance(error, PermissionError):
        return DataError(f"{shown(path)}: {not_permitted(path)}")
    if os.path.isdir(path):
        return DataError(f"{shown(path)}: is a folder; name a label file")
    reason = getattr(error, "strerror", None) or "not a usable path"
    return DataError(f"{shown(path)}: cannot be read ({reason}); name a label file")
