"""Keys, mouse and pastes out of the bytes of a terminal, whatever bytes they are.

Line noise, a binary paste or a terminal in another encoding send what is no text, or control
sequences with numbers that no terminal has. Neither may end the app: what cannot be decoded becomes
a replacement character, and a sequence that cannot be understood is left out.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator

from textual import events
from textual.message import Message

from nexus_tui.app.terminal.textual_private import (
    BRACKETED_PASTE_END,
    BRACKETED_PASTE_START,
    XTermParser,
)

__all__ = ["PASTE_SECONDS", "KeyReader"]

PASTE_SECONDS = 3.0
"""A paste whose end does not come is taken as it is after so long without a byte.

Without a limit, one start of a paste in line noise would make the app deaf to every key.
"""
MOUSE = ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size")
"""What a parser knows of the mouse, for the one that takes its place."""


class KeyReader:
    """Feed it bytes as they are read, and call `tick` now and then; both give messages."""

    def __init__(
        self, encoding: str = "utf-8", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._clock = clock
        self._parser = XTermParser()
        self._tail = ""
        self._paste: list[str] | None = None
        self._read_at = 0.0

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes; a character may be split between two calls."""
        self._read_at = self._clock()
        for character in self._decoder.decode(data):
            self._tail = (self._tail + character)[-len(BRACKETED_PASTE_START) :]
            if self._paste is not None:
                self._paste.append(character)
                if self._tail == BRACKETED_PASTE_END:
                    del self._paste[-len(BRACKETED_PASTE_END) :]
                    yield from self._pasted()
            elif self._tail == BRACKETED_PASTE_START:
                # What is pasted stays away from the parser, which takes escape sequences in it
                # for keys.
                self._renew()
                self._paste = []
            else:
                yield from self._understood(self._parser.feed(character))

    def tick(self) -> Iterator[Message]:
        """The messages that time completes: Escape alone, and a paste without an end."""
        if self._paste is None:
            yield from self._understood(self._parser.tick())
        elif self._clock() - self._read_at >= PASTE_SECONDS:
            yield from self._pasted()

    def _pasted(self) -> Iterator[Message]:
        text = "".join(self._paste or ()).replace("\x00", "")
        self._paste, self._tail = None, ""
        if text:
            yield events.Paste(text)

    def _understood(self, parsed: Iterable[Message]) -> Iterator[Message]:
        """The parsed messages; where the parser fails on a sequence, a new one goes on behind it.

        It fails with whatever `int`, `chr` and divisions raise on numbers that are out of range.
        """
        messages = iter(parsed)
        while True:
            try:
                message = next(messages)
            except StopIteration:
                return
            except Exception:
                self._renew()
                return
            yield message

    def _renew(self) -> None:
        former, self._parser = self._parser, XTermParser()
        for name in MOUSE:
            setattr(self._parser, name, getattr(former, name))
