"""A canvas of lines made elsewhere: a thin widget around a pure picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from nexus_tui.app.kit.canvas import Canvas

__all__ = ["Lines"]


class Lines(Canvas):
    """Shows `draw(width, height)`; call `redraw` when what it draws from has changed."""

    def __init__(
        self,
        draw: Callable[[int, int], Sequence[Text]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._draw = draw

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """What `draw` gives."""
        return self._draw(width, height)
