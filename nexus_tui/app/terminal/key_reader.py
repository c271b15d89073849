"""Turns the bytes of a terminal, whatever they are, into keys, mouse events and pastes.

Line noise, a binary paste or a terminal in another encoding sends bytes that are not text, or
control sequences with impossible numbers. They must not end the app: a byte that cannot be decoded
becomes a replacement character, and a sequence that cannot be parsed is dropped.
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
"""An unfinished paste counts as complete after this time without a byte.

Without this limit, the start of a paste in line noise would swallow every later key.
"""
MOUSE_FIELDS = ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size")
"""Attributes of a parser that its replacement needs to read the mouse."""


class KeyReader:
    """Call `feed` with bytes as they are read, and `tick` at intervals; both yield messages."""

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
                # The parser would take escape sequences in pasted text for keys.
                self._replace_parser()
                self._paste = []
            else:
                yield from self._parsed(self._parser.feed(character))

    def tick(self) -> Iterator[Message]:
        """The messages that time completes: a lone Escape, and a paste without an end."""
        if self._paste is None:
            yield from self._parsed(self._parser.tick())
        elif self._clock() - self._read_at >= PASTE_SECONDS:
            yield from self._pasted()

    def _pasted(self) -> Iterator[Message]:
        text = "".join(self._paste or ()).replace("\x00", "")
        self._paste, self._tail = None, ""
        if text:
            yield events.Paste(text)

    def _parsed(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages of the parser; if it fails on a sequence, a new parser takes its place.

        It fails with any error that `int`, `chr` or a division raises on numbers out of range.
        """
        remaining = iter(messages)
        while True:
            try:
                message = next(remaining)
            except StopIteration:
                return
            except Exception:
                self._replace_parser()
                return
            yield message

    def _replace_parser(self) -> None:
        old, self._parser = self._parser, XTermParser()
        for name in MOUSE_FIELDS:
            setattr(self._parser, name, getattr(old, name))
