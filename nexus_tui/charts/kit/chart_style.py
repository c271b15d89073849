"""The characters and styles of charts, in Unicode and in ASCII."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style

__all__ = ["ASCII", "UNICODE", "ChartStyle", "Palette"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The characters of charts. `levels` rise from an empty to a full cell."""

    levels: str
    bar_full: str
    bar_part: str
    bar_empty: str
    line: str
    upright: str
    tick: str
    reference: str
    broken: str
    trial: str
    kept: str
    rolled_back: str
    live: str
    dot: str
    up: str
    down: str
    same: str
    ellipsis: str
    selected: str
    best: str
    heavy: str
    arrow: str
    warning: str
    braille: bool
    """Whether curves are drawn in braille characters, two by four dots in a cell."""


UNICODE = Glyphs(
    levels=" ▁▂▃▄▅▆▇█",
    bar_full="█",
    bar_part="▏▎▍▌▋▊▉",
    bar_empty="░",
    line="─",
    upright="│",
    tick="┬",
    reference="╌",
    broken="×",
    trial="◌",
    kept="●",
    rolled_back="○",
    live="●",
    dot="·",
    up="▲",
    down="▼",
    same="=",
    ellipsis="…",
    selected="▸",
    best="★",
    heavy="━",
    arrow="→",
    warning="!",
    braille=True,
)
ASCII = Glyphs(
    levels=" _.-=+*%#",
    bar_full="#",
    bar_part="",
    bar_empty=".",
    line="-",
    upright="|",
    tick="+",
    reference="-",
    broken="x",
    trial="?",
    kept="@",
    rolled_back="o",
    live="*",
    dot=".",
    up="^",
    down="v",
    same="=",
    ellipsis="~",
    selected=">",
    best="*",
    heavy="=",
    arrow="->",
    warning="!",
    braille=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Styles by meaning. Only `selected` and `heat` set a background.

    `heat` colours the cells of a heat map from low to high; empty if the colours are unknown.
    """

    text: Style
    dim: Style
    title: Style
    run: Style
    base: Style
    control: Style
    good: Style
    warn: Style
    bad: Style
    axis: Style
    selected: Style
    heat: tuple[Style, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartStyle:
    """The characters and styles of one theme."""

    glyphs: Glyphs
    palette: Palette
