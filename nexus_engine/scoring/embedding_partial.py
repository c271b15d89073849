"""A file of vectors that grows, and the journal that says how much of it counts.

`OUT.partial` has the vectors, `OUT.partial.json` the journal. After each window of texts the
vectors are synced, then the journal is replaced. So a killed process leaves at most vectors that
the journal does not count, and the next one overwrites them. One process at a time holds the lock
of the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from nexus_engine.disk.files import FILE_MODE, replace_file, replace_json, sync, write_all
from nexus_engine.disk.regular_files import open_regular, read_json, size_of
from nexus_engine.errors import ConfigError, NexusError, ResourceError, one_line
from nexus_engine.scoring.embedding_texts import TextRow
from nexus_engine.scoring.vector_files import VectorFormat, header, write_file
from nexus_engine.system.shortages import OUT_OF_ROOM

__all__ = ["Journal", "PartialFile", "chained", "check_new", "writing"]


class Journal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a command came, and which command it is. Holds no text."""

    format: int = 1
    request: dict[str, str]
    """What decides the bytes of the file, by name."""
    rows: int = 0
    windows: int = 0
    cut: int = 0
    """Texts longer than the model reads, each once a window."""
    largest: float = 0.0
    """The largest number of all vectors, without its sign."""
    texts_sha256: str = ""
    """A chain of hashes over all texts so far."""
    is_complete: bool = False
    """Whether all texts are embedded."""


def chained(previous: str, window: Sequence[TextRow]) -> str:
    """The chain of hashes after one more window of texts; "" is the chain before the first."""
    digest = hashlib.sha256(previous.encode())
    for row, text in window:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(f"{row} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the context into one that says what to do.

    Raises:
        ResourceError: the disk is full.
        ConfigError: the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        name = one_line(path, 200)
        if error.errno in OUT_OF_ROOM:
            advice = "make room and give the same command again: it continues"
            raise ResourceError(f"{name}: {reason}; {advice}") from None
        raise ConfigError(f"{name}: {reason}; choose another --out") from None


def check_new(out: Path) -> None:
    """Refuse a file that exists, and a folder that does not.

    Raises:
        ConfigError: `out` exists, or its folder does not.
    """
    name = one_line(out, 200)
    if os.path.lexists(out):
        _sweep(out)
        raise ConfigError(f"--out {name}: exists; remove it, or name another file")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {name}: its folder does not exist; make it first")


def _paths(out: Path) -> tuple[Path, Path]:
    return out.with_name(f"{out.name}.partial"), out.with_name(f"{out.name}.partial.json")


def _sweep(out: Path) -> None:
    """Remove what is left beside the complete `out`, if its maker was killed at the very end."""
    data, journal = _paths(out)
    with contextlib.suppress(OSError, ValueError, msgspec.ValidationError):
        if msgspec.convert(read_json(journal), Journal).is_complete:
            data.unlink(missing_ok=True)
            journal.unlink()


class PartialFile:
    """The file beside `out` in which vectors of the format `form` are collected.

    As a context manager it holds the lock. `journal` says what is there already. What is there
    belongs to the same `request`, or is thrown away if `fresh`.

    Raises:
        ConfigError: it belongs to another command, or its place cannot be written.
        NexusError: another process holds it.
        ResourceError: the disk is full.
    """

    def __init__(
        self, out: Path, form: VectorFormat, request: dict[str, str], *, fresh: bool
    ) -> None:
        self._out, self._form, self._fresh = out, form, fresh
        self._data, self._journal_path = _paths(out)
        self._handle = -1
        self.journal = Journal(request=request)

    def __enter__(self) -> Self:
        with writing(self._data):
            self._handle = open_regular(self._data, os.O_RDWR | os.O_CREAT)
        try:
            with writing(self._data):
                os.fchmod(self._handle, FILE_MODE)
                self._lock()
                present = self._present()
                if present is None:  # from here on the vectors are known as this command's
                    os.ftruncate(self._handle, 0)
                    replace_json(self._journal_path, self.journal)
                self.journal = present or self.journal
                os.ftruncate(self._handle, self._end(self.journal))
                os.lseek(self._handle, 0, os.SEEK_END)
        except BaseException:
            os.close(self._handle)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.journal.rows:  # nothing to continue from
            with contextlib.suppress(OSError):
                self._data.unlink(missing_ok=True)
                self._journal_path.unlink(missing_ok=True)
        os.close(self._handle)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            name = one_line(self._data, 200)
            raise NexusError(f"{name}: another process writes it; wait for it, or end it") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                raise

    def _end(self, journal: Journal) -> int:
        return self._form.header_bytes + journal.rows * self._form.row_type.itemsize

    def _present(self) -> Journal | None:
        """The journal that counts; None if there is none, or the vectors are gone."""
        name = one_line(self._data, 200)
        if self._fresh:
            self._journal_path.unlink(missing_ok=True)
            return None
        try:
            journal = msgspec.convert(read_json(self._journal_path), Journal)
        except FileNotFoundError:
            if size_of(self._data):
                reason = "is not of nexus embed: it has no journal"
                raise ConfigError(f"{name}: {reason}; remove it, or add --no-resume") from None
            return None
        except (ValueError, msgspec.ValidationError):
            raise ConfigError(
                f"{one_line(self._journal_path, 200)}: is no journal of nexus embed; remove it, or "
                "add --no-resume"
            ) from None
        wanted = self.journal.request
        names = [key for key in wanted if journal.request.get(key) != wanted[key]]
        if names or journal.request.keys() != wanted.keys():
            differing = ", ".join(names) or "the version"
            raise ConfigError(
                f"{name}: was begun by another command ({differing}); give that one, name another "
                "--out, or add --no-resume to begin anew"
            )
        return journal if size_of(self._data) >= self._end(journal) else None

    def refuse_texts(self) -> ConfigError:
        """The refusal of texts that are not those of the journal."""
        name = one_line(self._data, 200)
        return ConfigError(
            f"{name}: the first {self.journal.rows:,} texts differ from those it was begun with; "
            "give those, name another --out, or add --no-resume to begin anew"
        )

    def append(self, content: bytes, journal: Journal) -> None:
        """Add vectors and let `journal` count them. Raises as the constructor."""
        with writing(self._data):
            write_all(self._handle, content)
            os.fsync(self._handle)
            replace_json(self._journal_path, journal)
        self.journal = journal

    def finish(self, facts: dict[str, str], scale: float) -> None:
        """Make `out` of all vectors in one step, and remove the journal. Raises as above."""
        form, rows = self._form, self.journal.rows
        with writing(self._out):
            if os.path.lexists(self._out):
                raise FileExistsError(errno.EEXIST, "exists since a moment ago")
            replace_json(
                self._journal_path, msgspec.structs.replace(self.journal, is_complete=True)
            )
            if form.suffix == ".npy":
                replace_json(self._out.with_name(f"{self._out.name}.json"), facts)
            if form.needs_copy:
                replace_file(
                    self._out,
                    lambda path: write_file(path, form, self._data, rows, facts, scale),
                )
                self._data.unlink()
            else:
                os.pwrite(self._handle, header(form, rows, facts), 0)
                os.fsync(self._handle)
                os.rename(self._data, self._out)
                sync(self._out.parent)
            self._journal_path.unlink()
