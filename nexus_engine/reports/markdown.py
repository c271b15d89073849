"""A report as Markdown: the same words and tables; the charts are the page's."""

from __future__ import annotations

import re

from nexus_engine.reports.document import Document, Section, Table

__all__ = ["markdown"]


def _plain(text: str) -> str:
    """Text that Markdown and its HTML take as it stands, in a table's cell too."""
    return re.sub(r"([\\`*_\[\]<>|#~&!])", r"\\\1", text)


def markdown(document: Document, footer: str) -> str:
    """The whole text."""
    parts = [f"# {_plain(document.title)}", *(_section(s) for s in document.sections)]
    return "\n\n".join([*parts, _plain(footer)]) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {_plain(section.title)}", *(_plain(text) for text in section.words)]
    return "\n\n".join([*parts, *(_table(table) for table in section.tables)])


def _table(table: Table) -> str:
    lines = [table.header, tuple("---:" if right else "---" for right in table.right)]
    rows = [tuple(_plain(cell) for cell in row) for row in table.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [*lines, *rows])
