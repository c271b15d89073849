"""New whole lines of a file that grows at its end, however somebody else made the file."""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.regular_files import next_data, open_reader

__all__ = ["LONGEST_LINE", "MOST_READ", "LineTail"]

READ_AT_ONCE = 1_000_000
"""Bytes that one look takes at most, so that a reader far behind stays responsive. A longer line
is no event, and is passed over."""
LONGEST_LINE = 1_000_000
"""Bytes of a line that may be an event; the longest written has a few thousand."""
MOST_READ = 4_000_000_000
"""Bytes of a log that are looked through in all: ten million steps. What follows is left."""


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
