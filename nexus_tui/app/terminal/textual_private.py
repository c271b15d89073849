"""Every undocumented part of Textual that the app uses, in one place.

Each name has the reason for its use and why no documented name does the same, by the source of
Textual 8.2.8. They are why `pyproject.toml` pins Textual to one minor version: before you move that
pin, compare each of them with the new source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

# The parser of terminal input has no documented interface, and `LinuxDriver` creates its own.
# `KeyReader` feeds one, because Textual's own reading ends on bytes that are not text.
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

# `textual.widgets` does not export the keys of the footer. `KeyBar` hides those that do not fit.
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
    """An app that prints no traceback of an error: one may hold the user's sentences.

    Textual calls `_handle_exception` for each unhandled error and prints the local variables of
    every frame. No documented setting turns that off, and no documented hook runs before it.
    """

    def failed(self, error: Exception) -> bool:
        """Record `error` and return whether it ends the app. Override this."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        """End the app with `error` unless `failed` returns False."""
        if not self.failed(error):
            return
        # `run_test` raises the error that is stored here; no documented way hands it one.
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self.panic()  # prints nothing

    def _handle_exception(self, error: Exception) -> None:
        self.fail(error)


def replace_output(driver: LinuxDriver, wrapped: Callable[[TextIO], Any]) -> TextIO:
    """Make `driver` write to `wrapped(stream)` and return its original `stream`.

    A driver writes to `_file`, which it sets to standard error; no argument changes that.
    """
    stream = driver._file
    assert stream is not None
    driver._file = wrapped(stream)
    return stream
