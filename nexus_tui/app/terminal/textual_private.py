"""All that the app uses of Textual without a documented interface, in one place.

Each name stands with the reason why it is used and why no documented one does the same. All were
read in the source of Textual 8.2.8. They are why `pyproject.toml` pins Textual to one minor: before
that pin is moved, compare each of them with the new source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

# The parser of terminal input has no documented interface; `LinuxDriver` makes this one itself.
# `KeyReader` feeds it, because Textual's own reading ends on bytes that are not text.
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

# `textual.widgets` exports the footer without its keys. `KeyBar` hides those that do not fit.
from textual.widgets._footer import FooterKey

__all__ = [
    "BRACKETED_PASTE_END",
    "BRACKETED_PASTE_START",
    "FooterKey",
    "QuietApp",
    "XTermParser",
    "replace_output",
]


class QuietApp(App[None]):
    """An app whose failures print no traceback: it may hold the user's sentences.

    Textual calls `_handle_exception` for each unhandled error and then prints the local variables
    of every frame. No documented setting turns that off, and no documented hook comes before it.
    """

    def failed(self, error: Exception) -> bool:
        """Take note of `error`; whether it ends the app. Override."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        """End the app by `error` unless `failed` lets it go on."""
        if not self.failed(error):
            return
        # `run_test` raises what stands here; nothing documented hands it an error.
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self.panic()  # with nothing to print

    def _handle_exception(self, error: Exception) -> None:
        self.fail(error)


def replace_output(driver: LinuxDriver, wrapped: Callable[[TextIO], Any]) -> TextIO:
    """Have `driver` write to `wrapped(its stream)`; the stream itself.

    A driver writes to `_file`, which it sets to standard error itself: no argument changes that.
    """
    stream = driver._file
    assert stream is not None
    driver._file = wrapped(stream)
    return stream
