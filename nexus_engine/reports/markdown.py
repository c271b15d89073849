"""A report as Markdown: the same words and tables; the charts are the page's."""

from __future__ import annotations

import re

from nexus_engine.errors import one_line
from nexus_engine.reports.document import Document, Section, Table

__all__ = ["markdown"]

LONGEST = 100_000
HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""As entities: then no reader of Markdown, however it treats backslashes, finds a tag."""


def _plain(text: str) -> str:
    """Text that Markdown and its HTML take as it stands, in a table's cell too, on one line."""
    flat = re.sub(r"([\\`*_\[\]|#~!$])", r"\\\1", one_line(text, LONGEST))
    flat = re.sub(r"(?i)(?<=www)\.|:(?=//)", lambda sign: "\\" + sign[0], flat)  # no bare links
    return re.sub(r"[&<>]", lambda sign: HTML[sign[0]], flat)


def _paragraph(text: str) -> str:
    """The same where a line's first characters could begin a list, a rule or a heading."""
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _plain(text))


def markdown(document: Document, footer: str) -> str:
    """The whole text."""
    parts = [f"# {_plain(document.title)}", *(_section(s) for s in document.sections)]
    return "\n\n".join([*parts, _paragraph(footer)]) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {_plain(section.title)}", *(_paragraph(text) for text in section.words)]
    return "\n\n".join([*parts, *(_table(table) for table in section.tables)])


def _table(table: Table) -> str:
    lines = [
        tuple(_plain(name) for name in table.header),
        tuple("---:" if right else "---" for right in table.right),
    ]
    rows = [tuple(_plain(cell) for cell in row) for row in table.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [*lines, *rows])
