"""The app's themes, and the chart styles that belong to each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

from nexus_engine.errors import one_line
from nexus_tui.charts.kit.chart_style import ASCII, UNICODE, ChartStyle, Palette

__all__ = ["DEFAULT_THEME", "THEMES", "chart_style_of", "unknown_theme"]

DEFAULT_THEME = "nexus"

HEAT_STEPS = 7
MIN_CONTRAST = 5.0
"""The contrast ratio from which a heat map's cell takes one of the theme's own text colours."""

THEMES = (
    Theme(
        name="nexus",
        primary="#5eb3b6",
        secondary="#8f8cd8",
        accent="#e0a458",
        foreground="#d5dbe1",
        background="#11161c",
        surface="#151c24",
        panel="#1c2530",
        success="#7fbf7f",
        warning="#e0a458",
        error="#e06c75",
        dark=True,
        variables={"footer-key-foreground": "#5eb3b6", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="nexus-light",
        primary="#0f6f73",
        secondary="#4b47a8",
        accent="#9a5b00",
        foreground="#1d2329",
        background="#f7f8fa",
        surface="#eef1f4",
        panel="#e2e7ec",
        success="#2d6e2d",
        warning="#8a5200",
        error="#a8222d",
        dark=False,
        variables={"footer-key-foreground": "#0f6f73", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="nexus-contrast",
        primary="#00ffff",
        secondary="#ffff00",
        accent="#ffff00",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        success="#00ff00",
        warning="#ffff00",
        error="#ff6060",
        dark=True,
        text_alpha=1.0,
        variables={
            "footer-key-foreground": "#ffff00",
            "block-cursor-text-style": "reverse",
            "text-disabled": "#c0c0c0",  # the placeholder of an empty field
        },
    ),
)


def unknown_theme(name: str, known: Iterable[str]) -> str:
    """The warning that no theme is called `name`."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"theme {one_line(name, 40)} is unknown{hint}"


def chart_style_of(theme: Theme, *, ascii_only: bool) -> ChartStyle:
    """Glyphs and styles of charts for `theme`."""
    contrast = theme.name == "nexus-contrast"
    palette = Palette(
        text=Style(color=theme.foreground),
        dim=Style(color=theme.foreground, dim=not contrast),
        title=Style(color=theme.primary, bold=True),
        run=Style(color=theme.primary, bold=contrast),
        base=Style(color=theme.secondary),
        control=Style(color=theme.accent),
        good=Style(color=theme.success),
        warn=Style(color=theme.warning),
        bad=Style(color=theme.error, bold=True),
        axis=Style(color=theme.foreground, dim=not contrast),
        selected=Style(reverse=True),
        heat=_heat(theme),
    )
    return ChartStyle(glyphs=ASCII if ascii_only else UNICODE, palette=palette)


def _heat(theme: Theme) -> tuple[Style, ...]:
    """Backgrounds from the panel's colour to the primary one, each with a readable text colour.

    Empty where the theme leaves its colours to the terminal.
    """
    try:
        low = Color.parse(theme.panel or theme.background or "#202020")
        high = Color.parse(theme.primary)
        texts = [Color.parse(c or "#ffffff") for c in (theme.foreground, theme.background)]
    except ColorParseError:
        return ()
    if any(color.ansi is not None for color in (low, high, *texts)):
        return ()
    texts += [Color(0, 0, 0), Color(255, 255, 255)]
    styles = []
    for step in range(HEAT_STEPS):
        ground = low.blend(high, step / (HEAT_STEPS - 1))
        text = next((t for t in texts if _contrast(t, ground) >= MIN_CONTRAST), None)
        text = text or max(texts, key=lambda t: _contrast(t, ground))
        styles.append(Style(color=text.hex6, bgcolor=ground.hex6))
    return tuple(styles)


def _contrast(text: Color, ground: Color) -> float:
    """The contrast ratio by WCAG 2, from 1 to 21."""
    dark, bright = sorted((_luminance(text), _luminance(ground)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    """The relative luminance by WCAG 2, from 0 to 1."""
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
