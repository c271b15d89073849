"""The playground's first line: its three parts and the queried model."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.message import Message

from nexus_engine.scores import Metric
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.playground.state import playground_of
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.words.formats import correlation
from nexus_tui.words.metrics import lead_name

__all__ = ["PARTS", "PlaygroundHead"]

PARTS = (("pair", "Pair"), ("many", "Many"), ("search", "Search"))
"""ID and title of each part."""


def model_words(
    name: str,
    epoch: int | None,
    dev: float | None,
    metric: Metric | None,
    *,
    run: bool,
    room: int,
    chart_style: ChartStyle,
) -> str:
    """The longest description of the model that fits into `room` cells."""
    if not run:
        return "model: base alone" if room >= 17 else "base"
    weights = "" if epoch is None else f", epoch {epoch}"
    score = "" if dev is None else f", dev {lead_name(metric)}{correlation(dev)}"
    for words in (f"model: {name}{weights}{score}", f"model: {name}{weights}", f"{name}{weights}"):
        if len(words) <= room:
            return words
    return clipped(name, room - len(weights), chart_style) + weights


def head_picture(
    part: str,
    name: str,
    epoch: int | None,
    dev: float | None,
    metric: Metric | None,
    *,
    run: bool,
    width: int,
    chart_style: ChartStyle,
) -> Text:
    """One line: the parts with the current one marked, and the model at the right."""
    line = Text(" ")
    for key, title in PARTS:
        current = key == part
        mark = chart_style.glyphs.selected if current else " "
        line.append(
            f"{mark}{title}  ", chart_style.palette.title if current else chart_style.palette.dim
        )
    room = width - line.cell_len - 2
    words = model_words(
        clipped(name, 60, chart_style),
        epoch,
        dev,
        metric,
        run=run,
        room=room,
        chart_style=chart_style,
    )
    words = clipped(words, room, chart_style)
    line.append(" " * max(0, room - Text(words).cell_len + 1))
    return line.append(words, chart_style.palette.dim)


class PlaygroundHead(Canvas):
    """Draws `head_picture`; clicks choose a part, or open the list of models."""

    class PartChosen(Message):
        """The user clicked a part."""

        def __init__(self, part: str) -> None:
            super().__init__()
            self.part = part

    class ModelClicked(Message):
        """The user clicked the model."""

    def __init__(self) -> None:
        super().__init__(id="playground-head")
        self.part = PARTS[0][0]

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        playground = playground_of(self)
        return [
            head_picture(
                self.part,
                playground.model.name,
                playground.epoch,
                playground.dev_score,
                playground.metric,
                run=playground.model.run is not None,
                width=width,
                chart_style=self.chart_style,
            )
        ]

    def on_click(self, event: events.Click) -> None:
        """Report which part, or the model, was clicked."""
        column = 1
        for key, title in PARTS:
            if column <= event.x < column + len(title) + 3:
                self.post_message(self.PartChosen(key))
                return
            column += len(title) + 3
        self.post_message(self.ModelClicked())
