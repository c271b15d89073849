"""A grid of dots, two by four in a character cell, rendered as characters."""

from __future__ import annotations

from itertools import groupby

from rich.style import Style
from rich.text import Text

__all__ = ["COLUMNS", "ROWS", "Raster"]

COLUMNS, ROWS = 2, 4
"""Dots in a cell: columns and rows."""
BRAILLE = 0x2800
BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a braille character for each dot of its cell, by column and row."""
BY_ROWS = {
    0b0000: " ",
    0b0001: "'", 0b0011: "'", 0b0010: "-", 0b0110: "-", 0b0100: "-", 0b1100: ".", 0b1000: ".",
}  # fmt: skip
"""The ASCII character for the rows of a cell that hold dots; the top row is the lowest bit.

Any other combination is a bar."""


class Raster:
    """Dots on `width` by `height` cells; a cell has the style that was set last."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self._styles: list[list[Style | None]] = [[None] * width for _ in range(height)]
        self._signs: list[list[str]] = [[""] * width for _ in range(height)]

    def dot(self, x: int, y: int, style: Style) -> None:
        """Set the dot in column `x` and row `y`, in dots from the top left."""
        column, row = x // COLUMNS, y // ROWS
        if 0 <= column < self.width and 0 <= row < self.height:
            self._dots[row][column] |= BITS[x % COLUMNS][y % ROWS]
            self._styles[row][column] = style

    def column(self, x: int, first: int, last: int, style: Style) -> None:
        """Set the dots of column `x` from row `first` to row `last`."""
        for y in range(min(first, last), max(first, last) + 1):
            self.dot(x, y, style)

    def line(self, begin: tuple[int, int], end: tuple[int, int], style: Style, gap: int) -> None:
        """Set the dots between two places; with `gap`, dashes and gaps are `gap` columns wide."""
        (x0, y0), (x1, y1) = begin, end
        length = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(length + 1):
            x = round(x0 + (x1 - x0) * i / length)
            if not gap or x % (2 * gap) < gap:
                self.dot(x, round(y0 + (y1 - y0) * i / length), style)

    def sign(self, column: int, row: int, character: str, style: Style) -> None:
        """Put a character into a cell, in place of its dots."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self._signs[row][column] = character
            self._styles[row][column] = style

    def empty(self, column: int, row: int) -> bool:
        """Whether the cell holds neither dots nor a sign."""
        return not self._dots[row][column] and not self._signs[row][column]

    def lines(self, *, braille: bool) -> list[Text]:
        """The rows of cells as text."""
        lines = []
        for dots, styles, signs in zip(self._dots, self._styles, self._signs, strict=True):
            cells = [
                sign or (_braille(mask) if braille else _ascii(mask))
                for mask, sign in zip(dots, signs, strict=True)
            ]
            line = Text()
            for style, places in groupby(range(self.width), key=styles.__getitem__):
                line.append("".join(cells[i] for i in places), style)
            lines.append(line)
        return lines


def _braille(mask: int) -> str:
    return chr(BRAILLE + mask) if mask else " "


def _ascii(mask: int) -> str:
    rows = sum(1 << row for row in range(ROWS) if mask & (BITS[0][row] | BITS[1][row]))
    return BY_ROWS.get(rows, "|")
