"""Numbers, times and the user's text as text for people. Pure functions.

A number that is not finite is shown as nan, inf or -inf.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from nexus_engine.errors import one_line

__all__ = [
    "aligned",
    "best_epoch_words",
    "cell",
    "correlation",
    "count",
    "duration",
    "epochs_words",
    "gain",
    "megabytes",
    "settings_words",
    "shown",
    "shown_path",
    "size",
    "value_text",
]


def correlation(value: float | None) -> str:
    """A score or cosine with four decimals; "-" for None."""
    return "-" if value is None else f"{value:.4f}"


def best_epoch_words(best: int, epochs: int) -> str:
    """Which of `epochs` was best; epoch 0 is the base model."""
    if best:
        return f"best epoch {best} of {epochs}"
    return "no epoch beat the base model, so its weights are the result"


def gain(value: float | None) -> str:
    """A difference with its sign and four decimals; "-" for None."""
    return "-" if value is None else f"{value:+.4f}"


def count(value: int | None) -> str:
    """A whole number with thousands separators; "-" for None."""
    return "-" if value is None else f"{value:,}"


def epochs_words(epochs: object, per_pass: object = 1) -> str:
    """The length of a run: "3 epochs", or "3 epochs in 1 pass" if an epoch is part of a pass.

    A pass sees each train pair once. Other values, as a run folder may hold, give "? epochs".
    """
    if not isinstance(epochs, int):
        return "? epochs"
    words = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    if not isinstance(per_pass, int) or per_pass <= 1:
        return words
    passes = round(epochs / per_pass, 2)
    return f"{words} in {passes:g} pass{'' if passes == 1 else 'es'}"


def duration(seconds: float) -> str:
    """Seconds as H:MM:SS or M:SS."""
    if not math.isfinite(seconds):
        return str(seconds)
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def megabytes(value: float) -> str:
    """A number of megabytes as MB or GB (10^6 or 10^9 bytes)."""
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"


def size(value: float) -> str:
    """A number of bytes as B, kB, MB or GB."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def value_text(value: object) -> str:
    """A setting as one would type it: 1e-05, or 0,2 for a list. Floats have six digits."""
    if isinstance(value, list | tuple):
        return ",".join(value_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else one_line(value, 40)


def settings_words(settings: Sequence[tuple[str, object]]) -> str:
    """Settings with their values: lr 0.001, place v,up."""
    return ", ".join(f"{one_line(name, 40)} {value_text(value)}" for name, value in settings)


def shown(text: str, columns: int) -> str:
    """Foreign text for the screen: one line, no control characters, cut to `columns` cells."""
    clean = one_line(text, max(columns, 1) + 1)
    if cell_len(clean) <= columns:
        return clean
    return set_cell_size(clean, columns - 1).rstrip() + "…" if columns > 1 else ""


def shown_path(path: object) -> str:
    """A path that can be pasted into a shell."""
    return shlex.quote(one_line(path, 300))


def cell(text: str) -> str:
    """Foreign text as a cell of TSV: one line, with an apostrophe before a leading = + - @.

    A spreadsheet runs a cell that begins with one of them as a formula; the apostrophe makes it
    text.
    """
    flat = " ".join(text.split())
    clean = "".join(c for c in flat if c.isprintable())
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool], gap: int = 2) -> list[str]:
    """Rows as lines with aligned columns; `right[i]` aligns column i to the right."""
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(right))]
    lines: list[str] = []
    for row in rows:
        parts = []
        for text, width, to_right in zip(row, widths, right, strict=True):
            padding = " " * (width - cell_len(text))
            parts.append(padding + text if to_right else text + padding)
        lines.append((" " * gap).join(parts).rstrip())
    return lines
