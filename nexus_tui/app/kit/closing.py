"""Closing a screen: this one only, and only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.await_complete import AwaitComplete

if TYPE_CHECKING:
    from textual.screen import Screen

    _Base = Screen[Any]
else:
    _Base = object

__all__ = ["ClosesOnce"]


class ClosesOnce(_Base):
    """Mixin of a screen, before Textual's class: `dismiss` closes this screen or none.

    Textual's own `dismiss` removes the front screen, whichever it is. A second key pressed before
    the first takes effect, or an answer that arrives while the user is elsewhere, would close
    another screen, and fail if that is the last one.

    A screen that is not mounted yet closes once it is: otherwise its `on_mount` would look for
    widgets that are gone.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close this screen with `result` if it is in front; otherwise do nothing."""
        if not self.is_active:
            return AwaitComplete()
        if not self.is_mounted:
            self.call_later(self._close_later, result)
            return AwaitComplete()
        return super().dismiss(result)

    def _close_later(self, result: Any) -> None:
        """Dismiss, but return nothing: Textual would await it inside the screen that closes."""
        self.dismiss(result)
