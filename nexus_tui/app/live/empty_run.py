"""What the live screen shows while no run is open: what to press next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from nexus_tui.app.kit.canvas import Canvas

__all__ = ["EmptyRun"]

WIDE = 44


class EmptyRun(Canvas):
    """A few lines in the middle; `keys` gives the key of an action by its ID."""

    DEFAULT_CSS = "EmptyRun { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.keys: Mapping[str, str] = {}

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines, in the middle of the room."""
        palette = self.chart_style.palette
        lines = [Text("No run is open.", palette.title), Text()]
        for name, words in (
            ("run.new", "start a new run"),
            ("go.runs", "open one from the list of runs"),
            ("go.playground", "try the base model on sentences"),
        ):
            if name in self.keys:
                key = f"{self.keys[name]:>3}  "
                lines.append(Text.assemble((key, palette.title), (words, palette.text)))
        left = max(0, (width - WIDE) // 2)
        top = max(0, (height - len(lines)) // 3)
        return [Text()] * top + [Text(" " * left).append_text(line) for line in lines]
