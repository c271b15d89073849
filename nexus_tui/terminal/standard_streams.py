"""stdin, stdout and stderr when they are closed, on a full device, or without a reader.

- A stream that is closed at the start becomes /dev/null. Otherwise a file opened later could get
  its number, and a library's warning would be written into that file.
- stderr carries messages. Messages that cannot be written are dropped; nothing else changes.
- stdout carries results. If it cannot be written, the command ends: with 1 and no message if the
  reader has gone, with 4 and one line if the device is full, with 1 and one line otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from nexus_engine.errors import ExitCode, NexusError

__all__ = ["OutputError", "Talk", "delivering", "flush_result", "lose", "open_closed", "settle"]

NAMES = ("stdin", "stdout", "stderr")
FULL = (errno.ENOSPC, errno.EDQUOT)


class OutputError(NexusError):
    """stdout cannot be written, although its reader has not gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"stdout: {error.strerror or type(error).__name__}; the output is incomplete"
        )
        full = error.errno in FULL
        self.exit_code = ExitCode.RESOURCES if full else ExitCode.FAILED


def open_closed() -> None:
    """Open /dev/null for each standard stream that is closed."""
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:  # Python's value for a closed stream
            mode = "r" if name == "stdin" else "w"
            opened = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
            setattr(sys, f"__{name}__", opened)


@contextlib.contextmanager
def delivering() -> Iterator[None]:
    """Turn an OSError inside the context into an error of writing to stdout.

    Raises:
        BrokenPipeError: the reader of stdout has gone.
        OutputError: stdout cannot be written for another reason.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from None


def flush_result() -> None:
    """Flush stdout; raises like `delivering`."""
    with delivering():
        sys.stdout.flush()


def lose(stream: TextIO) -> None:
    """Point a stream that cannot be written at /dev/null, and drop what it still holds.

    The interpreter flushes the streams once more at its end. A failure there would make the exit
    code 120.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)
        stream.flush()


def settle() -> None:
    """Flush stdout and stderr at the end of the program, and drop what cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            lose(stream)


class Talk:
    """A text stream for stderr that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """The encoding of the wrapped stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write `text` or drop it, and return its length."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            lose(self._stream)
        return len(text)

    def flush(self) -> None:
        """Flush the buffer, or drop it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            lose(self._stream)

    def isatty(self) -> bool:
        """Whether the wrapped stream is a terminal."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """The file descriptor of the wrapped stream."""
        return self._stream.fileno()
