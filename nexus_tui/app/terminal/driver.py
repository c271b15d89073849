"""A terminal driver that survives the loss of its terminal and any bytes from it.

When an SSH connection drops, reads and writes fail, and SIGHUP and SIGCONT arrive, in any order.
Textual's own driver then waits forever for a writer thread that has died, or starts to draw again.
This driver discards its output once the terminal is gone. Only a failed read or write of the
system means that it is gone: bytes that are not text, and characters that the terminal lacks, are
replaced. Textual's driver decodes strictly and ends on them.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from nexus_tui.app.terminal.key_reader import KeyReader
from nexus_tui.app.terminal.textual_private import replace_output
from nexus_tui.terminal.encoding import REPLACE_BY_CELLS, terminal_encoding

__all__ = ["ResilientDriver", "terminal_is_gone"]

MAX_READ_BYTES = 4096
WAIT_SECONDS = 0.1
"""Time between two checks whether a lone Escape or an unfinished paste is complete."""
MAX_CELLS = 1000
"""Bound on columns and rows where the system does not know the terminal's size."""


def terminal_is_gone(handle: int = 0) -> bool:
    """Whether the terminal behind the file descriptor `handle` no longer answers."""
    try:
        os.tcgetpgrp(handle)
    except OSError:
        return True
    return False


class _TerminalOutput:
    """The terminal as an output stream that discards everything after a failed write.

    It writes bytes itself. Python's stream raises the same error for a full buffer of a terminal
    that another program has set to non-blocking as for a terminal that is gone.
    """

    def __init__(self, stream: TextIO, on_failure: Callable[[], None]) -> None:
        stream.flush()
        self._handle = stream.fileno()
        self._encoding = terminal_encoding(stream)
        self._on_failure = on_failure
        self._pending: list[str] = []
        self._broken = False

    def write(self, text: str) -> int:
        self._pending.append(text)
        return len(text)

    def flush(self) -> None:
        text, self._pending = "".join(self._pending), []
        data = memoryview(text.encode(self._encoding, REPLACE_BY_CELLS))
        while data and not self._broken:
            try:
                data = data[os.write(self._handle, data) :]
            except BlockingIOError:
                select.select([], [self._handle], [], 1.0)
            except OSError:
                self._broken = True
                self._on_failure()

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return True


class ResilientDriver(LinuxDriver):
    """Textual's driver, made to survive the loss of the terminal.

    On the app's own thread it calls the app's `terminal_lost` when a read or write fails, and its
    `fail` on any other error of the reading thread.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._nexus = app
        stream = replace_output(self, lambda stream: _TerminalOutput(stream, self._lost))
        encoding = terminal_encoding(stream)
        self._keys_encoding = "utf-8" if encoding == "ascii" else encoding
        self._textual_resume = signal.getsignal(signal.SIGCONT)
        signal.signal(signal.SIGCONT, self._continued)

    def _lost(self) -> None:
        with contextlib.suppress(RuntimeError):  # the app has ended already
            self._nexus.call_later(self._nexus.terminal_lost)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        """Draw again after SIGCONT, as Textual does, if the terminal still answers."""
        if callable(self._textual_resume) and not terminal_is_gone(self.fileno):
            self._textual_resume(number, frame)

    def run_input_thread(self) -> None:
        """Read until the app ends or the terminal is gone; Textual calls this in a thread.

        Textual's own version decodes strictly, and errors of its parser end the app.
        """
        # Textual would show a traceback of an error here, and typed text may be in it.
        try:
            self._read_keys()
        except Exception as error:
            with contextlib.suppress(RuntimeError):
                self._nexus.call_later(self._nexus.fail, error)

    def _read_keys(self) -> None:
        reader = KeyReader(self._keys_encoding)
        while not self.exit_event.is_set():
            try:
                ready = select.select([self.fileno], [], [], WAIT_SECONDS)[0]
                data = os.read(self.fileno, MAX_READ_BYTES) if ready else None
            except BlockingIOError:
                continue
            except OSError:
                self._lost()
                return
            if data == b"":  # end of file: the terminal hung up
                self._lost()
                return
            for message in reader.feed(data) if data else ():
                self.process_message(message)
            for message in reader.tick():
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Pass `message` on; check a reported window size against the system's first.

        Line noise that looks like a report could make the window a million columns wide.
        """
        if isinstance(message, events.Resize):
            message = events.Resize(
                size := self._checked_size(message.size), size, pixel_size=message.pixel_size
            )
        super().process_message(message)

    def _checked_size(self, reported: Size) -> Size:
        with contextlib.suppress(OSError):
            actual = os.get_terminal_size(self.fileno)
            if actual.columns and actual.lines:
                return Size(*actual)
        width, height = (min(max(cells, 1), MAX_CELLS) for cells in reported)
        return Size(width, height)
