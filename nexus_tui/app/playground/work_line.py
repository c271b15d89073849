"""One line with the progress of long work, or its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import clipped

__all__ = ["WorkLine"]

BAR_WIDTH = 16


def work_picture(doing: str, done: int, total: int, width: int, chart_style: ChartStyle) -> Text:
    """The present job, its progress, and the key that cancels it."""
    palette = chart_style.palette
    line = Text().append(clipped(doing, max(8, width - BAR_WIDTH - 28), chart_style), palette.text)
    if total:
        filled = min(BAR_WIDTH, BAR_WIDTH * done // total)
        line.append("  ").append(chart_style.glyphs.bar_full * filled, palette.run)
        line.append(chart_style.glyphs.bar_empty * (BAR_WIDTH - filled), palette.dim)
        line.append(f" {min(100, 100 * done // total):>3}%", palette.text)
    return line.append("  Esc gives it up", palette.dim)


class WorkLine(Canvas):
    """Draws the progress of `work`, then `result()`, its result in words."""

    DEFAULT_CSS = "WorkLine { height: 1; margin: 0 1; }"

    def __init__(self, work: LongWork, result: Callable[[], str], id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._work = work
        self._result = result

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        work, palette = self._work, self.chart_style.palette
        if work.doing:
            return [work_picture(work.words_of_job, work.done, work.total, width, self.chart_style)]
        if work.error:
            return [Text(clipped(work.error, width, self.chart_style), palette.warn)]
        words = self._result()
        if words and work.stale:
            note = "the model changed: r asks again"
            line = Text().append(
                clipped(words, width - len(note) - 2, self.chart_style), palette.dim
            )
            return [line.append(f"  {note}", palette.warn)]
        return [Text(clipped(words, width, self.chart_style), palette.dim)]
