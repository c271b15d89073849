"""Lines below the head of the live screen: the arms of a run with controls, and its warnings."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.runs.run_view import RunView
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.words.formats import correlation

__all__ = ["note_lines"]


def note_lines(view: RunView, width: int, chart_style: ChartStyle) -> list[Text]:
    """At most two lines; none if the run has neither controls nor warnings."""
    lines = []
    if len(view.arms) > 1 and view.ended is None:
        lines.append(_arms(view, width, chart_style))
    if view.warnings:
        lines.append(_warning(view, width, chart_style))
    return lines


def _arms(view: RunView, width: int, chart_style: ChartStyle) -> Text:
    """Each arm with its best dev score; the arm that trains now is marked."""
    palette = chart_style.palette
    line = Text.assemble(("dev ", palette.dim))
    for arm in view.arms:
        sign = chart_style.glyphs.selected if arm.name == view.current else " "
        words = f"{sign}{one_line(arm.label, 40)} {correlation(arm.best_score)} "
        if line.cell_len + cell_len(words) > width:
            line.append(chart_style.glyphs.ellipsis, palette.dim)
            break
        line.append(words, palette.run if arm.name == "main" else palette.control)
    return line


def _warning(view: RunView, width: int, chart_style: ChartStyle) -> Text:
    """The newest warning, and the number of warnings."""
    more = f" ({len(view.warnings)} in the log)" if len(view.warnings) > 1 else ""
    sign = chart_style.glyphs.warning
    words = fitted(view.warnings[-1], max(1, width - len(more) - len(sign) - 1), chart_style)
    return Text(f"{sign} {words}{more}", chart_style.palette.warn)
