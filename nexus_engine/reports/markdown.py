"""A report as Markdown: its text and tables. The charts are in the HTML page alone."""

from __future__ import annotations

import re

from nexus_engine.errors import one_line
from nexus_engine.reports.parts import Document, Section, Table

__all__ = ["markdown"]

MAX_CHARACTERS = 100_000
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""However a Markdown reader treats backslashes, it finds no tag in these."""


def _plain(text: str) -> str:
    """`text` on one line, escaped so that Markdown and its HTML show it as it is, in tables too."""
    flat = re.sub(r"([\\`*_\[\]|#~!$])", r"\\\1", one_line(text, MAX_CHARACTERS))
    flat = re.sub(r"(?i)(?<=www)\.|:(?=//)", lambda sign: "\\" + sign[0], flat)  # no bare links
    return re.sub(r"[&<>]", lambda sign: ENTITIES[sign[0]], flat)


def _paragraph(text: str) -> str:
    """The same for a line whose first characters could begin a list, a rule or a heading."""
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _plain(text))


def markdown(document: Document, footer: str) -> str:
    """The report as text. A section that holds only charts is left out, heading included."""
    sections = [_section(s) for s in document.sections if s.paragraphs or s.tables]
    parts = [f"# {_plain(document.title)}", *sections, _paragraph(footer)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {_plain(section.title)}", *(_paragraph(text) for text in section.paragraphs)]
    return "\n\n".join([*parts, *(_table(table) for table in section.tables)])


def _table(table: Table) -> str:
    lines = [
        tuple(_plain(name) for name in table.header),
        tuple("---:" if right else "---" for right in table.right),
    ]
    rows = [tuple(_plain(cell) for cell in row) for row in table.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [*lines, *rows])
