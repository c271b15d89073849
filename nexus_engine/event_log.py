"""The event log of a run: a file of JSON lines that grows at its end and survives being cut off.

A record is written by one call and ends in a line end. A crash or a full disk can leave the last
record torn; whoever writes next first closes the torn line, and readers pass over it. So at most
one record is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from nexus_engine.errors import RunError
from nexus_engine.events import SCHEMA_VERSION, Event, decode_event, encode_event
from nexus_engine.files import FILE_MODE, create_file, write_all
from nexus_engine.line_tail import MOST_READ, LineTail
from nexus_engine.regular_files import open_reader, open_regular

__all__ = ["append_event", "append_line", "begin_log", "log_header", "read_events"]

LONGEST_TAIL = 65536
"""Bytes in which the last record is looked for."""


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


def append_event(path: Path, event: Event, *, sync: bool = False) -> None:
    """Add `event` to the log; with `sync` down to the disk."""
    append_line(path, encode_event(event), sync=sync)


def read_events(path: Path) -> Iterator[Event]:
    """Every readable event, oldest first; nothing where the log cannot be read."""
    tail = LineTail(path)
    while tail.position < MOST_READ and (block := tail.read_block()) is not None:
        for line in block.split(b"\n"):  # the schema line is no event, and is passed over
            with contextlib.suppress(RunError):
                yield decode_event(line)
    yield from _torn(path, tail.position)


def _torn(path: Path, position: int) -> Iterator[Event]:
    """The event behind the last line end, whole but for that."""
    with contextlib.suppress(OSError, RunError), open_reader(path) as file:
        file.seek(position)
        yield decode_event(file.read(LONGEST_TAIL))
