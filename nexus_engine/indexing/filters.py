"""Which documents of an index a search looks into, and the words of a query that say so."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from nexus_engine.indexing.text_store import Document

__all__ = ["EVERYWHERE", "Filter", "typed_query"]

FILTER_WORD = re.compile(r'(?<!\S)(?P<kind>file|folder):(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')


class Filter(NamedTuple):
    """The documents that fit both; None for any."""

    file: str | None = None
    """A pattern of `fnmatch` for the file's name, or with a slash for its path."""
    folder: str | None = None
    """A folder in which the file lies, or the corpus' own folder."""

    def fits(self, document: Document) -> bool:
        """Whether `document` is one of them."""
        if self.file is not None:
            name = document.name if "/" in self.file else PurePosixPath(document.name).name
            if not fnmatchcase(name, self.file):
                return False
        if self.folder is None:
            return True
        parts = (PurePosixPath(document.folder).name, *PurePosixPath(document.name).parts[:-1])
        wanted = PurePosixPath(self.folder).parts
        return document.folder == self.folder.rstrip("/") or any(
            parts[start : start + len(wanted)] == wanted for start in range(len(parts))
        )


EVERYWHERE = Filter()


def typed_query(typed: str) -> tuple[str, Filter]:
    """The words of `typed` to look for, and where: `file:GLOB` and `folder:NAME` are taken out.

    A name with a space stands in double quotes. Of several of a kind the last counts.
    """
    found: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        name = match["plain"] if match["quoted"] is None else match["quoted"]
        if not name:
            return match[0]
        found[match["kind"]] = name
        return " "

    rest = FILTER_WORD.sub(take, typed)
    return (" ".join(rest.split()) if found else typed), Filter(**found)
