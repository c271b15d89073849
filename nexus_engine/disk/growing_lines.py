"""A file of JSON lines that grows at its end and survives being cut off: its one writer and reader.

A line is written by one call and ends in a line end. A crash or a full disk can leave the last line
torn; whoever writes next first closes the torn line, and readers pass over it. So at most one line
is lost. The file may have been made by somebody else: it is opened as such (see `regular_files`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from nexus_engine.disk.files import FILE_MODE, create_file, write_all
from nexus_engine.disk.regular_files import next_data, open_reader, open_regular
from nexus_engine.errors import RunError

__all__ = [
    "LONGEST_LINE",
    "MAX_READ",
    "SCHEMA_VERSION",
    "LineTail",
    "append_line",
    "begin_log",
    "decoded",
    "log_header",
    "read_lines",
]

T = TypeVar("T")

SCHEMA_VERSION = 1
"""Of the events in a log; it stands in the first line."""
READ_AT_ONCE = 1_000_000
"""Bytes that one look takes at most, so that a reader far behind stays responsive. A longer line
is no event, and is passed over."""
LONGEST_LINE = 1_000_000
"""Bytes of a line that may be an event; the longest written has a few thousand."""
MAX_READ = 4_000_000_000
"""Bytes of a log that are looked through in all: ten million steps. What follows is left."""
LONGEST_TAIL = 65_536
"""Bytes behind the last line end in which a last line is looked for that lacks only its end."""


class LineTail:
    """The lines of the file `path` from byte `position` on; a line cut short is left for later.

    One look takes `at_once` bytes at most.
    """

    def __init__(self, path: Path, position: int = 0, at_once: int = READ_AT_ONCE) -> None:
        self.position = position
        self._path = path
        self._at_once = at_once
        self._inside = False
        """Whether `position` is inside a line that is passed over."""

    @classmethod
    def at_end(cls, path: Path) -> LineTail:
        """A tail that gives what is added from now on."""
        try:
            with open_reader(path) as file:
                return cls(path, os.fstat(file.fileno()).st_size)
        except OSError:
            return cls(path)

    def read(self) -> list[bytes]:
        """The lines added since the last look, oldest first; none where the file is unreadable.

        A file that has become shorter was begun anew, and is read from its start.
        """
        return (self.read_block() or b"").split(b"\n")[:-1]

    def read_block(self) -> bytes | None:
        """The same lines in one piece, each with its line end; None where nothing is new.

        The piece is empty while a line is passed over.
        """
        before = self.position
        try:
            with open_reader(self._path) as file:
                if os.fstat(file.fileno()).st_size < self.position:
                    before = self.position = 0
                    self._inside = False
                file.seek(self.position)
                block = file.read(self._at_once)
                end = block.rfind(b"\n") + 1
                if not end and len(block) == self._at_once:
                    self._inside = True
                    self.position = next_data(file.fileno(), self.position + len(block))
                    return b""
        except OSError:
            return None
        self.position += end
        begin = block.find(b"\n") + 1 if self._inside and end else 0
        self._inside = self._inside and not end
        return block[begin:end] if self.position > before else None


def read_lines(path: Path, max_bytes: int = MAX_READ) -> Iterator[bytes]:
    """The lines of the file `path` as it is now, oldest first; none where it is unreadable.

    What stands behind the last line end is given too: it may be a line that lacks only its end.
    Reading stops after about `max_bytes`.
    """
    tail = LineTail(path)
    while tail.position < max_bytes and (block := tail.read_block()) is not None:
        yield from block.split(b"\n")[:-1]
    with contextlib.suppress(OSError), open_reader(path) as file:
        file.seek(tail.position)
        yield file.read(LONGEST_TAIL)


def decoded(lines: Iterable[bytes], decode: Callable[[bytes], T]) -> Iterator[T]:
    """What `decode` makes of the lines; those for which it raises RunError are passed over.

    Such are the first line of a log, a torn line and a damaged one.
    """
    for line in lines:
        with contextlib.suppress(RunError):
            yield decode(line)


def log_header(kind: str) -> bytes:
    """The first line of a log."""
    return (json.dumps({"schema": SCHEMA_VERSION, "kind": kind}) + "\n").encode()


def begin_log(path: Path, kind: str = "nexus-events") -> None:
    """Make the log, with the schema version and its `kind` in its first line.

    Raises:
        FileExistsError: there is one; it is left as it is.
        OSError: it cannot be written; then there is none.
    """
    handle = create_file(path)
    try:
        write_all(handle, log_header(kind))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(handle)


def append_line(path: Path, line: str, *, sync: bool = False) -> None:
    """Add `line` to the file at `path`, on a line of its own even where the last one is torn.

    Raises:
        OSError: it cannot be written, or is a link or no regular file; then what was written of the
            line is taken away again.
    """
    handle = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(handle).st_size
        if size == 0:
            os.fchmod(handle, FILE_MODE)  # the umask may have taken more, never less is wanted
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        content = (("\n" if torn else "") + line + "\n").encode("utf-8", "replace")
        try:
            write_all(handle, content)
        except BaseException:
            _take_back(handle, size, content)
            raise
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def _take_back(handle: int, size: int, content: bytes) -> None:
    """Cut off what was written of `content` behind `size`; not what another process added."""
    with contextlib.suppress(OSError):
        written = os.fstat(handle).st_size - size
        if 0 < written <= len(content) and os.pread(handle, written, size) == content[:written]:
            os.ftruncate(handle, size)
