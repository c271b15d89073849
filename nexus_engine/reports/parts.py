"""The parts of a report, and the figures in them as text."""

from __future__ import annotations

from typing import NamedTuple

from nexus_engine.reports.figures import Estimate

__all__ = ["NO_SECTION", "Document", "Section", "Table", "figure", "interval", "signed"]


class Table(NamedTuple):
    """A header and rows of text; `right` marks the columns of numbers, aligned to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]


class Section(NamedTuple):
    """A part of the report: paragraphs, then charts (SVG), then tables."""

    title: str
    paragraphs: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


class Document(NamedTuple):
    """A whole report."""

    title: str
    sections: tuple[Section, ...]


NO_SECTION = Section("")
"""Stands for a section without content; `document` leaves it out."""


def figure(value: float | None) -> str:
    """A score with four decimals."""
    return "-" if value is None else f"{value:.4f}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.4f}"


def interval(estimate: Estimate | None, *, sign: bool = False) -> str:
    """A mean with its 95 % interval, if it has one."""
    if estimate is None:
        return "-"
    show = signed if sign else figure
    if estimate.low is None or estimate.high is None:
        return show(estimate.mean)
    return f"{show(estimate.mean)} [{show(estimate.low)}, {show(estimate.high)}]"
