"""New whole lines of a file that grows at its end, however somebody else made the file."""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.regular_files import open_reader

__all__ = ["LineTail"]

READ_AT_ONCE = 1_000_000
"""Bytes that one look takes at most, so that a reader far behind stays responsive. A longer line
is no event, and is passed over."""


class LineTail:
    """The lines of the file `path` from byte `position` on; a line cut short is left for later."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self.position = position
        self._path = path
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
        try:
            with open_reader(self._path) as file:
                if os.fstat(file.fileno()).st_size < self.position:
                    self.position, self._inside = 0, False
                file.seek(self.position)
                block = file.read(READ_AT_ONCE)
        except OSError:
            return []
        end = block.rfind(b"\n") + 1
        inside, self._inside = self._inside, False
        if not end and len(block) == READ_AT_ONCE:
            end, self._inside = len(block), True
        elif not end:
            self._inside = inside
        self.position += end
        lines = block[:end].split(b"\n")[:-1] if not self._inside else []
        return lines[1:] if inside else lines
