"""The pins of the app: one copy in memory for all screens, written to disk at each change."""

from __future__ import annotations

from collections.abc import Callable

from nexus_tui.app.kit.pinned import PinBook, pins_file, read_pins, write_pins
from nexus_tui.app.kit.work_queue import WorkQueue

__all__ = ["PinShelf"]


class PinShelf:
    """Holds the pins; its methods run in the UI thread, the disk is used in `queue`.

    `warn` gets a message where the disk fails.
    """

    def __init__(self, queue: WorkQueue, warn: Callable[[str], None]) -> None:
        self.book = PinBook()
        self._queue = queue
        self._warn = warn
        self._is_read = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change."""
        self._listeners.append(changed)

    def read(self, then: Callable[[], None] = lambda: None) -> None:
        """Read the pins from disk, once; then call `then`."""
        if self._is_read:
            return
        self._is_read = True

        def done(book: PinBook) -> None:
            for pin in reversed(self.book.pins):  # pinned while the file was read
                book = book.with_pin(pin.first, pin.second)
            for question in reversed(self.book.questions):
                book = book.with_question(question)
            self.book = book
            self._tell()
            then()

        self._queue.submit("read pins", lambda _: read_pins(pins_file()), done, self._warn)

    def put(self, book: PinBook) -> None:
        """Replace the pins by `book`."""
        if book == self.book:
            return
        self.book = book
        self._tell()
        self._queue.submit(
            "save pins", lambda _: write_pins(pins_file(), book), lambda _: None, self._warn
        )

    def _tell(self) -> None:
        for changed in self._listeners:
            changed()
