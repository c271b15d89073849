"""How a screen of ours goes: itself alone, and once."""

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
    """Mixin of a screen, before Textual's class: `dismiss` closes this screen or nothing.

    Textual's own takes away whatever screen is in front. A second key that was typed before the
    first took effect, or an answer that comes when the user is elsewhere, would close another
    screen, and fail where that is the last one.

    A screen that is not there yet closes when it is: its widgets would be taken away before they
    are made, and its own `on_mount` would look for them in vain.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close this screen with `result` if it is in front; else do nothing."""
        if not self.is_active:
            return AwaitComplete()
        if not self.is_mounted:
            self.call_later(self._close_later, result)
            return AwaitComplete()
        return super().dismiss(result)

    def _close_later(self, result: Any) -> None:
        """Without what `dismiss` returns: Textual would wait for it inside the screen that goes."""
        self.dismiss(result)
