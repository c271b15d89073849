"""Charts as inline SVG, drawn from numbers alone. Colours are CSS classes, set by the page's style.

Numbers that are not finite are not drawn; a line chart says how many were left out. A chart with
nothing to draw is an empty text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from nexus_engine.reports.scales import Scale, as_float, linear, logarithmic

__all__ = ["COLOURS", "Dot", "Line", "Mark", "heat_map", "line_chart", "scatter"]

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 44
COLOURS = 7
"""Number of colours; further series repeat them, and the legend names each series."""


class Line(NamedTuple):
    """A named series of (x, y). A `dashed` line is one to compare with."""

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False
    colour: int | None = None


class Mark(NamedTuple):
    """A vertical line with a text at `x`, for a switch; `good` chooses its colour."""

    x: float
    text: str
    good: bool


class Dot(NamedTuple):
    """A point with the bounds of its interval, which are None without one."""

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    kind: int = 0


def _apart(low: float, high: float) -> bool:
    """Whether the two differ enough for shades between them."""
    return high / 2 - low / 2 > 0


def number(value: float) -> str:
    """The text of a tick, with no more digits than needed."""
    if value and (abs(value) >= 10_000 or abs(value) < 1e-3):
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(body: Sequence[str], title: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    """The image, with `title` as its name for screen readers."""
    name = escape(title)
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{name}">'
    return head + f"<title>{name}</title>" + "".join(body) + "</svg>"


def _axes(x: Scale, y: Scale, x_name: str, y_name: str) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in y.ticks:
        at = y.place(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(_text(LEFT - 8, at + 4, number(tick), anchor="end"))
    for tick in x.ticks:
        at = x.place(tick)
        parts.append(f'<path class="tick" d="M{at:.1f} {bottom}v5"/>')
        parts.append(_text(at, bottom + 19, number(tick)))
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 6, x_name, "name"))
    turn = f'transform="rotate(-90 14 {(TOP + bottom) / 2:.0f})"'
    parts.append(
        f'<text x="14" y="{(TOP + bottom) / 2:.0f}" text-anchor="middle" class="name" {turn}>'
        f"{escape(y_name)}</text>"
    )
    return parts


def _legend(lines: Sequence[Line]) -> tuple[list[str], float]:
    """The legend below a chart, and its height."""
    if len(lines) < 2:
        return [], 0.0
    parts, x, y = [], float(LEFT), HEIGHT + 14.0
    for i, line in enumerate(lines):
        width = 34 + 6.6 * len(line.name)
        if x > LEFT and x + width > WIDTH - RIGHT:
            x, y = float(LEFT), y + 18
        dashed = " dashed" if line.dashed else ""
        colour = (i if line.colour is None else line.colour) % COLOURS
        parts.append(f'<path class="line c{colour}{dashed}" d="M{x:.0f} {y - 4:.0f}h20"/>')
        parts.append(_text(x + 26, y, line.name, anchor="start"))
        x += width
    return parts, y - HEIGHT + 8


def line_chart(
    lines: Sequence[Line],
    title: str,
    x_name: str,
    y_name: str,
    marks: Sequence[Mark] = (),
    *,
    dots: bool = True,
) -> str:
    """Series over whole numbers (epochs, steps), with switches as vertical lines."""
    drawn = [line for line in lines if any(math.isfinite(y) for _, y in line.points)]
    if not drawn:
        return ""
    xs = [x for line in drawn for x, _ in line.points]
    ys = [y for line in drawn for _, y in line.points]
    x = linear(xs, LEFT, WIDTH - RIGHT, ticks=10, whole=True)
    y = linear(ys, HEIGHT - BOTTOM, TOP)
    parts = _axes(x, y, x_name, y_name)
    for mark in marks:
        at, kind = x.place(mark.x), "kept" if mark.good else "dropped"
        parts.append(f'<path class="mark {kind}" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(_text(at + 4, TOP + 10, mark.text, kind, "start"))
    for i, line in enumerate(drawn):
        finite = [(x.place(a), y.place(b)) for a, b in line.points if math.isfinite(b)]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in finite)
        colour = (i if line.colour is None else line.colour) % COLOURS
        dashed = " dashed" if line.dashed else ""
        parts.append(f'<path class="line c{colour}{dashed}" d="M{path}"/>')
        if dots:
            parts += [
                f'<circle class="c{colour}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in finite
            ]
    left_out = sum(not math.isfinite(value) for value in ys)
    if left_out:
        parts.append(_text(WIDTH - RIGHT, TOP, f"{left_out} not finite", "dropped", "end"))
    legend, legend_height = _legend(drawn)
    return _svg([*parts, *legend], title, HEIGHT + legend_height)


def scatter(
    dots: Sequence[Dot],
    title: str,
    x_name: str,
    y_name: str,
    base: float,
    base_name: str = "base model",
) -> str:
    """Points over a logarithmic axis with their intervals, and a horizontal line at `base`."""
    drawn = [dot for dot in dots if dot.x > 0 and math.isfinite(as_float(dot.y))]
    if not drawn:
        return ""
    bounds = [v for d in drawn for v in (d.y, d.low, d.high) if v is not None]
    x = logarithmic([dot.x for dot in drawn], LEFT, WIDTH - RIGHT)
    y = linear([*bounds, base], HEIGHT - BOTTOM, TOP)
    parts = _axes(x, y, x_name, y_name)
    at = y.place(base)
    parts.append(f'<path class="mark plain" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
    parts.append(_text(WIDTH - RIGHT, at - 5, base_name, anchor="end"))
    for dot in drawn:
        a, b, colour = x.place(dot.x), y.place(dot.y), dot.kind % COLOURS
        if dot.low is not None and dot.high is not None:
            low, high = y.place(dot.low), y.place(dot.high)
            parts.append(f'<path class="line c{colour}" d="M{a:.1f} {low:.1f}V{high:.1f}"/>')
        tooltip = f"{dot.name}: {dot.x:,.0f} parameters, {dot.y:.4f}"
        parts.append(
            f'<circle class="c{colour}" cx="{a:.1f}" cy="{b:.1f}" r="4.5">'
            f"<title>{escape(tooltip)}</title></circle>"
        )
    return _svg(parts, title)


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    title: str,
    row_name: str,
    column_name: str,
) -> str:
    """A table of numbers as shades, each with its number; the best is outlined, None is a gap."""
    finite = [v for row in values for v in row if v is not None and math.isfinite(v)]
    best = max(finite, default=None)
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    left = 40 + 7.0 * max((len(name) for name in rows), default=0)
    cell_width = min(150.0, (WIDTH - left - RIGHT) / max(1, len(columns)))
    cell_height, top = 40.0, 42.0
    parts = [
        _text(left + cell_width * len(columns) / 2, 12, column_name, "name"),
        _text(8, 12, row_name, "name", "start"),
    ]
    for j, name in enumerate(columns):
        parts.append(_text(left + (j + 0.5) * cell_width, 32, name))
    for i, (name, row) in enumerate(zip(rows, values, strict=True)):
        y = top + i * cell_height
        parts.append(_text(left - 10, y + cell_height / 2 + 4, name, anchor="end"))
        for j, value in enumerate(row):
            x = left + j * cell_width
            shade, text = "empty", "-"
            if value is not None:
                # Halved first: the difference of two large floats would overflow.
                share = (value / 2 - low / 2) / (high / 2 - low / 2) if _apart(low, high) else 1.0
                shade = f"h{min(4, int(share * 5))}" if math.isfinite(value) else "empty"
                text = f"{value:.4f}"
            edge = " best" if best is not None and value == best else ""
            parts.append(
                f'<rect class="cell {shade}{edge}" x="{x + 1.5:.1f}" y="{y + 1.5:.1f}" '
                f'width="{cell_width - 3:.1f}" height="{cell_height - 3:.1f}" rx="3"/>'
            )
            parts.append(_text(x + cell_width / 2, y + cell_height / 2 + 4, text, f"on {shade}"))
    return _svg(parts, title, top + cell_height * len(rows) + 8)
