"""A widget of lines that sends only the cells that changed: what keeps SSH traffic low."""

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


CUT = "…"
"""What `formats.shown` ends a text with that it had to cut."""


class Canvas(Widget):
    """Draws `picture(width, height)`, a list of lines; override that, and call `redraw`.

    `redraw` compares the new lines with those on the screen and refreshes, in each line, the span
    from the first cell that differs to the last. Nothing is sent when nothing changed.
    """

    DEFAULT_CSS = "Canvas { height: 1; }"

    _shown: list[Strip]
    _size_shown = Size(0, 0)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines to show, at most `height`, each cut to `width`. Text is taken as text."""
        raise NotImplementedError

    @property
    def chart_style(self) -> ChartStyle:
        """The signs and styles of the app's theme."""
        return host_of(self).chart_style

    def _strips(self) -> list[Strip]:
        width, height = self.size
        if not width or not height:
            return []
        base = self.rich_style
        lines = list(self.picture(width, height))[:height]
        lines += [Text()] * (height - len(lines))
        strips = [_strip(line, width, base) for line in lines]
        dots = self.chart_style.glyphs.ellipsis
        return strips if dots == CUT else [_with_dots(strip, dots) for strip in strips]

    def redraw(self) -> None:
        """Draw anew; only what differs reaches the terminal."""
        if not self.is_attached or not self.size.area:
            return
        before = getattr(self, "_shown", [])
        after = self._strips()
        same_size = self._size_shown == self.size and len(before) == len(after)
        self._shown, self._size_shown = after, self.size
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

    def notify_style_update(self) -> None:
        """A new theme: everything is drawn anew."""
        super().notify_style_update()
        self._size_shown = Size(0, 0)

    def render_line(self, y: int) -> Strip:
        """Textual's own call for a line."""
        if self._size_shown != self.size:
            self._shown, self._size_shown = self._strips(), self.size
        if y < len(self._shown):
            return self._shown[y]
        return Strip.blank(self.size.width, self.rich_style)


class DrawnLines(Canvas):
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


def _with_dots(strip: Strip, dots: str) -> Strip:
    """The line with the sign that a cut text ends in replaced, for terminals that lack it."""
    return Strip([Segment(s.text.replace(CUT, dots), s.style) for s in strip], strip.cell_length)


def _strip(line: Text, width: int, base: Style) -> Strip:
    """`line` as exactly `width` cells on the widget's own background."""
    flat = line.copy()
    flat.truncate(width, overflow="crop")
    pieces: list[Segment] = []
    plain, spans = flat.plain, flat.spans
    edges = sorted({0, len(plain), *(s.start for s in spans), *(s.end for s in spans)})
    whole = flat.style if isinstance(flat.style, Style) else Style.parse(flat.style or "")
    for start, end in pairwise(edges):
        if not 0 <= start < end <= len(plain):
            continue
        style = base + whole
        for span in spans:
            if span.start <= start and span.end >= end:
                own = span.style if isinstance(span.style, Style) else Style.parse(span.style)
                style += own
        pieces.append(Segment(plain[start:end], style))
    return Strip(pieces).adjust_cell_length(width, base).simplify()


def _difference(old: Strip, new: Strip) -> tuple[int, int] | None:
    """First and last cell (exclusive) that differ; None when the lines are the same."""
    if old == new:
        return None
    before, after = _cells(old), _cells(new)
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    if len(before) != len(after):
        return (changed[0] if changed else 0, max(len(before), len(after)))
    return (changed[0], changed[-1] + 1) if changed else None


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    """One entry a cell; a wide character's second cell holds the empty string."""
    from rich.cells import cell_len

    found: list[tuple[str, Style | None]] = []
    for text, style, _ in strip:
        for character in text:
            found.append((character, style))
            found += [("", style)] * (cell_len(character) - 1)
    return found
