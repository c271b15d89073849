"""stdin, stdout and stderr as they may be: closed, full, or left by whoever read them.

- A stream that is closed when the program starts is taken as /dev/null: nobody wants it, and no
  file that is opened later may get its number and be written to by a library's warning.
- stderr is talk. Whether anybody reads it changes nothing: what cannot be written is dropped.
- stdout is the result. Where it cannot be written the command ends: quietly with 1 when its reader
  has gone, with one line and 4 when the device is full, with 1 for any other reason.
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
    """stdout cannot be written, though nobody closed it on purpose."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"stdout: {error.strerror or type(error).__name__}; the output is not whole"
        )
        full = error.errno in FULL
        self.exit_code = ExitCode.RESOURCES if full else ExitCode.FAILED


def open_closed() -> None:
    """Open /dev/null for each standard stream that is closed."""
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:  # as Python leaves one that was closed
            mode = "r" if name == "stdin" else "w"
            opened = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
            setattr(sys, f"__{name}__", opened)


@contextlib.contextmanager
def delivering() -> Iterator[None]:
    """While inside, an error is one of writing to stdout.

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
    """Push out what stdout still holds; raises as `delivering` does."""
    with delivering():
        sys.stdout.flush()


def lose(stream: TextIO) -> None:
    """Point a stream that cannot be written at nothing, and drop what it still holds.

    The interpreter flushes the streams once more at its end: one that still held something would
    make the exit code 120.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
        stream.flush()


def settle() -> None:
    """At the end of the program: lose each stream that cannot be flushed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            lose(stream)


class Talk:
    """A text stream that drops what it cannot write, for stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """Of the stream beneath."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write `text` or drop it; its length."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            lose(self._stream)
        return len(text)

    def flush(self) -> None:
        """Push out what is held, or drop it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            lose(self._stream)

    def isatty(self) -> bool:
        """Whether the stream beneath is a terminal."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """Of the stream beneath."""
        return self._stream.fileno()
