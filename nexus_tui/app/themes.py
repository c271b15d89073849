"""The app's themes, and the styles of pictures that go with each."""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme

from nexus_tui.charts.looks import ASCII, UNICODE, Looks, Palette

__all__ = ["DEFAULT_THEME", "THEMES", "looks_of"]

DEFAULT_THEME = "nexus"

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
        variables={"footer-key-foreground": "#ffff00", "block-cursor-text-style": "reverse"},
    ),
)


def looks_of(theme: Theme, *, ascii_only: bool) -> Looks:
    """Signs and styles for `theme`."""
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
    )
    return Looks(glyphs=ASCII if ascii_only else UNICODE, palette=palette)
