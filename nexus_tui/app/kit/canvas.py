"""A widget of lines that sends only the cells that changed, which keeps SSH traffic low."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from nexus_tui.app.kit.host import host_of
from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["Canvas", "DrawnLines"]

ELLIPSIS = "…"
"""The sign with which `formats.shown` ends a text that it cuts."""


class Canvas(Widget):
    """Draws the lines that `picture` returns: override it, and call `redraw` after each change.

    `redraw` compares the new lines with those on the screen. In each line it refreshes the span
    from the first cell that differs to the last, and nothing where no cell differs.
    """

    DEFAULT_CSS = "Canvas { height: 1; }"

    _drawn: list[Strip]
    _drawn_size = Size(0, 0)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines to show: at most `height`, each at most `width` cells wide."""
        raise NotImplementedError

    @property
    def chart_style(self) -> ChartStyle:
        """The glyphs and styles of the app's theme."""
        return host_of(self).chart_style

    def _strips(self) -> list[Strip]:
        width, height = self.size
        if not width or not height:
            return []
        base = self.rich_style
        lines = list(self.picture(width, height))[:height]
        lines += [Text()] * (height - len(lines))
        strips = [_strip(line, width, base) for line in lines]
        ellipsis = self.chart_style.glyphs.ellipsis
        if ellipsis == ELLIPSIS:
            return strips
        return [_replace_ellipsis(strip, ellipsis) for strip in strips]

    def redraw(self) -> None:
        """Draw anew; only the cells that differ reach the terminal."""
        if not self.is_attached:
            return
        if not self.size.area:  # hidden: draw anew when it is shown again
            self._drawn_size = Size(0, 0)
            return
        before = getattr(self, "_drawn", [])
        after = self._strips()
        same_size = self._drawn_size == self.size and len(before) == len(after)
        self._drawn, self._drawn_size = after, self.size
        if not same_size:
            self.refresh()
            return
        regions = []
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            span = _difference(old, new)
            if span is not None:
                regions.append(Region(span[0], y, span[1] - span[0], 1))
        if regions:
            self.refresh(*regions)

    def on_show(self) -> None:
        """Draw what changed while the widget was hidden: it has no size then, and did not draw."""
        self.redraw()

    def notify_style_update(self) -> None:
        """Draw everything anew in a new theme."""
        super().notify_style_update()
        self._drawn_size = Size(0, 0)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the widget; Textual calls this."""
        if self._drawn_size != self.size:
            self._drawn, self._drawn_size = self._strips(), self.size
        if y < len(self._drawn):
            return self._drawn[y]
        return Strip.blank(self.size.width, self.rich_style)


class DrawnLines(Canvas):
    """Shows the lines that `draw(width, height)` returns; call `redraw` when they change."""

    def __init__(
        self,
        draw: Callable[[int, int], Sequence[Text]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._draw = draw

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines that `draw` returns."""
        return self._draw(width, height)


def _replace_ellipsis(strip: Strip, ellipsis: str) -> Strip:
    """`strip` with another sign for the ellipsis, for terminals that lack it."""
    segments = [Segment(s.text.replace(ELLIPSIS, ellipsis), s.style) for s in strip]
    return Strip(segments, strip.cell_length)


def _strip(line: Text, width: int, base: Style) -> Strip:
    """`line` as exactly `width` cells on the widget's own background."""
    cropped = line.copy()
    cropped.truncate(width, overflow="crop")
    segments: list[Segment] = []
    plain, spans = cropped.plain, cropped.spans
    edges = sorted({0, len(plain), *(s.start for s in spans), *(s.end for s in spans)})
    line_style = cropped.style
    if not isinstance(line_style, Style):
        line_style = Style.parse(line_style or "")
    for start, end in pairwise(edges):
        if not 0 <= start < end <= len(plain):
            continue
        style = base + line_style
        for span in spans:
            if span.start <= start and span.end >= end:
                style += span.style if isinstance(span.style, Style) else Style.parse(span.style)
        segments.append(Segment(plain[start:end], style))
    return Strip(segments).adjust_cell_length(width, base).simplify()


def _difference(old: Strip, new: Strip) -> tuple[int, int] | None:
    """The span of cells that differ, its end exclusive; None where the lines are equal."""
    if old == new:
        return None
    before, after = _cells(old), _cells(new)
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    if len(before) != len(after):
        return (changed[0] if changed else 0, max(len(before), len(after)))
    return (changed[0], changed[-1] + 1) if changed else None


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    """One entry for each cell; the second cell of a wide character holds the empty string."""
    from rich.cells import cell_len

    cells: list[tuple[str, Style | None]] = []
    for text, style, _ in strip:
        for character in text:
            cells.append((character, style))
            cells += [("", style)] * (cell_len(character) - 1)
    return cells
