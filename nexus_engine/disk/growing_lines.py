"""Reading and writing an append-only file of JSON lines.

One call writes a line together with its newline. A crash or a full disk can leave the last line
torn. The next writer ends the torn line first, and readers skip it, so at most one line is lost.
Another user may have made the file, so it is opened with the functions of `regular_files`.
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
    "MAX_LINE_BYTES",
    "MAX_LOG_BYTES",
    "SCHEMA_VERSION",
    "LineTail",
    "append_line",
    "append_to",
    "begin_log",
    "decoded",
    "log_header",
    "read_lines",
]

T = TypeVar("T")

SCHEMA_VERSION = 1
"""Version of the events in a log, written in its first line."""
READ_AT_ONCE = 1_000_000
"""Bytes that one read takes at most, so that a reader far behind stays responsive. A longer line
is not an event and is skipped."""
MAX_LINE_BYTES = 1_000_000
"""A longer line is not an event; the longest event has a few thousand bytes."""
MAX_LOG_BYTES = 4_000_000_000
"""Bytes of a log that are read in total, about ten million steps; the rest is ignored."""
MAX_TAIL_BYTES = 65_536
"""Bytes after the last newline that are read as a last line without its newline."""


class LineTail:
    """Reads the lines of the file `path` from byte `position` on, at most `block_bytes` at a time.

    An incomplete last line is read once it is complete.
    """

    def __init__(self, path: Path, position: int = 0, block_bytes: int = READ_AT_ONCE) -> None:
        self.position = position
        self._path = path
        self._block_bytes = block_bytes
        self._skipping = False
        """Whether `position` is inside an overlong line, which is skipped."""

    @classmethod
    def at_end(cls, path: Path) -> LineTail:
        """A tail that reads only what is added from now on."""
        try:
            with open_reader(path) as file:
                return cls(path, os.fstat(file.fileno()).st_size)
        except OSError:
            return cls(path)

    def read(self) -> list[bytes]:
        """The lines added since the last read, oldest first; none if the file is unreadable.

        A file that has become shorter was started again and is read from its beginning.
        """
        return (self.read_block() or b"").split(b"\n")[:-1]

    def read_block(self) -> bytes | None:
        """The lines that `read` gives, as one block with newlines; None if nothing is new.

        The block is empty while an overlong line is skipped.
        """
        before = self.position
        try:
            with open_reader(self._path) as file:
                if os.fstat(file.fileno()).st_size < self.position:
                    before = self.position = 0
                    self._skipping = False
                file.seek(self.position)
                block = file.read(self._block_bytes)
                end = block.rfind(b"\n") + 1
                if not end and len(block) == self._block_bytes:
                    self._skipping = True
                    self.position = next_data(file.fileno(), self.position + len(block))
                    return b""
        except OSError:
            return None
        self.position += end
        begin = block.find(b"\n") + 1 if self._skipping and end else 0
        self._skipping = self._skipping and not end
        return block[begin:end] if self.position > before else None


def read_lines(path: Path, max_bytes: int = MAX_LOG_BYTES) -> Iterator[bytes]:
    """The lines of the file `path` as it is now, oldest first; none if it is unreadable.

    The bytes after the last newline count as a line: it may lack only its newline. Reading stops
    after about `max_bytes`.
    """
    tail = LineTail(path)
    while tail.position < max_bytes and (block := tail.read_block()) is not None:
        yield from block.split(b"\n")[:-1]
    with contextlib.suppress(OSError), open_reader(path) as file:
        file.seek(tail.position)
        yield file.read(MAX_TAIL_BYTES)


def decoded(lines: Iterable[bytes], decode: Callable[[bytes], T]) -> Iterator[T]:
    """Each line as `decode` returns it; lines for which it raises RunError are skipped.

    These are the first line of a log and lines that are torn or damaged.
    """
    for line in lines:
        with contextlib.suppress(RunError):
            yield decode(line)


def log_header(kind: str) -> bytes:
    """The first line of a log of this `kind`: JSON with the schema version."""
    return (json.dumps({"schema": SCHEMA_VERSION, "kind": kind}) + "\n").encode()


def begin_log(path: Path, kind: str = "nexus-events") -> None:
    """Create the log with its first line.

    Raises:
        FileExistsError: the log exists; it is not changed.
        OSError: the log cannot be written; nothing is left of it.
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
    """Append `line` to the file `path`, on a line of its own even if the last line is torn.

    Raises:
        OSError: the file is a link, is not a regular file or cannot be written. A partly written
            line is removed again.
    """
    handle = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        append_to(handle, line, sync=sync)
    finally:
        os.close(handle)


def append_to(handle: int, line: str, *, sync: bool = False) -> None:
    """As `append_line`, to a file that is open for reading and appending.

    Raises:
        OSError: the line cannot be written or synced. What was written of it is removed again.
    """
    size = os.fstat(handle).st_size
    if size == 0:
        os.fchmod(handle, FILE_MODE)  # the umask may have cleared bits of the owner
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    content = (("\n" if torn else "") + line + "\n").encode("utf-8", "replace")
    try:
        write_all(handle, content)
        if sync:
            os.fsync(handle)
    except BaseException:
        _undo(handle, size, content)
        raise


def _undo(handle: int, size: int, content: bytes) -> None:
    """Truncate the file to `size`, unless another process wrote there too."""
    with contextlib.suppress(OSError):
        written = os.fstat(handle).st_size - size
        if 0 < written <= len(content) and os.pread(handle, written, size) == content[:written]:
            os.ftruncate(handle, size)
