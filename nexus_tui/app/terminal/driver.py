"""The terminal as the app drives it: one that may go away at any time, and send and lack anything.

When an SSH connection drops, writing and reading fail and SIGHUP and SIGCONT arrive, in any order.
Textual's own driver then waits for ever for a writer thread that has died, or begins to draw anew.
This one takes a terminal that is gone for one that swallows everything. Only a failure of the
system's own read or write means that it is gone: bytes that are no text, and characters that the
terminal lacks, are replaced (Textual's driver decodes strictly and ends on them).
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

__all__ = ["LeavableDriver", "terminal_is_gone"]

BYTES_A_READ = 4096
WAIT_SECONDS = 0.1
"""Between two checks whether a lone Escape or an unfinished paste is to be taken as it is."""
MAX_CELLS = 1000
"""Columns or rows of a terminal whose size the system does not know."""


def terminal_is_gone(handle: int = 0) -> bool:
    """Whether the terminal behind a file descriptor no longer answers."""
    try:
        os.tcgetpgrp(handle)
    except OSError:
        return True
    return False


class _Forgiving:
    """The terminal as a stream that stays silent once writing to it has failed.

    It writes bytes itself: a terminal that another program has set not to wait would fail in
    Python's own stream, as one that is gone does, when its buffer is full.
    """

    def __init__(self, stream: TextIO, failed: Callable[[], None]) -> None:
        stream.flush()
        self._handle = stream.fileno()
        self._encoding = terminal_encoding(stream)
        self._failed = failed
        self._waiting: list[str] = []
        self._broken = False

    def write(self, text: str) -> int:
        self._waiting.append(text)
        return len(text)

    def flush(self) -> None:
        text, self._waiting = "".join(self._waiting), []
        data = memoryview(text.encode(self._encoding, REPLACE_BY_CELLS))
        while data and not self._broken:
            try:
                data = data[os.write(self._handle, data) :]
            except BlockingIOError:
                select.select([], [self._handle], [], 1.0)
            except OSError:
                self._broken = True
                self._failed()

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return True


class LeavableDriver(LinuxDriver):
    """Textual's driver, at peace with a terminal that goes away.

    The app's `terminal_lost` is called, on the app's own thread, when reading or writing fails; its
    `fail`, where the reading itself has a defect.
    """

    def __init__(self, app: Any, **more: Any) -> None:
        super().__init__(app, **more)
        self._nexus = app
        stream = replace_output(self, lambda stream: _Forgiving(stream, self._lost))
        known = terminal_encoding(stream)
        self._keys_encoding = "utf-8" if known == "ascii" else known
        self._resume = signal.getsignal(signal.SIGCONT)
        signal.signal(signal.SIGCONT, self._continued)

    def _lost(self) -> None:
        with contextlib.suppress(RuntimeError):  # the app is over already
            self._nexus.call_later(self._nexus.terminal_lost)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        """Draw anew after SIGCONT, as Textual does, where there is a terminal to draw on."""
        if callable(self._resume) and not terminal_is_gone(self.fileno):
            self._resume(number, frame)

    def run_input_thread(self) -> None:
        """Read until the app is over or the terminal is gone; in a thread of its own.

        In place of Textual's, which decodes strictly and lets its parser's failures end the app.
        """
        # Where this fails, Textual shows a traceback: what was typed may be in it.
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
                data = os.read(self.fileno, BYTES_A_READ) if ready else None
            except BlockingIOError:
                continue
            except OSError:
                self._lost()
                return
            if data == b"":  # hung up
                self._lost()
                return
            for message in reader.feed(data) if data else ():
                self.process_message(message)
            for message in reader.tick():
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Pass on what was read; a size that the terminal reports is checked with the system's.

        Noise that looks like a report could else make the window a million columns wide.
        """
        if isinstance(message, events.Resize):
            message = events.Resize(
                size := self._size_within(message.size), size, pixel_size=message.pixel_size
            )
        super().process_message(message)

    def _size_within(self, told: Size) -> Size:
        with contextlib.suppress(OSError):
            known = os.get_terminal_size(self.fileno)
            if known.columns and known.lines:
                return Size(*known)
        return Size(min(max(told.width, 1), MAX_CELLS), min(max(told.height, 1), MAX_CELLS))
