"""The words of a query that choose files."""

from __future__ import annotations

import pytest

from nexus_engine.indexing.filters import Filter, typed_query


@pytest.mark.parametrize(
    ("typed", "words", "within"),
    [
        ("parental leave", "parental leave", Filter()),
        ("parental  leave", "parental  leave", Filter()),
        ("parental file:*.md leave", "parental leave", Filter(file="*.md")),
        ("folder:guides file:a/*.md leave", "leave", Filter("a/*.md", "guides")),
        ('leave folder:"my documents/new"', "leave", Filter(folder="my documents/new")),
        ("file:a.md file:b.md x", "x", Filter(file="b.md")),
        ("profile:x a file: b", "profile:x a file: b", Filter()),
        ('file:"" x', 'file:"" x', Filter()),
        ("file:*.md", "", Filter(file="*.md")),
        ("FILE:*.md x", "FILE:*.md x", Filter()),
    ],
)
def test_words_that_choose_files_are_taken_out(typed, words, within):
    assert typed_query(typed) == (words, within)
