"""Locales that are not UTF-8: what the terminal lacks takes no more room than it should."""

from __future__ import annotations

import io

import pytest

from nexus_tui.terminal_encoding import REPLACE_BY_CELLS, draws_pictures, terminal_encoding


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "known", "pictures"),
    [
        ("utf-8", "utf-8", True),
        ("latin-1", "iso8859-1", False),
        ("ascii", "ascii", False),
        ("gb18030", "gb18030", True),
        ("utf-16", "utf-8", True),
        ("cp500", "utf-8", False),
    ],
)
def test_the_encoding_decides_what_is_drawn(encoding, known, pictures):
    assert terminal_encoding(stream(encoding)) == known
    assert draws_pictures(stream(encoding)) is pictures
    assert terminal_encoding(None) == "utf-8"


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [("naïve ▸", "latin-1", b"na\xefve ?"), ("漢字!", "ascii", b"????!"),
     ("é", "utf-8", b"\xc3\xa9"),
     ("a\ud800b", "utf-8", b"a?b"), ("e\u0301", "ascii", b"e")],
)  # fmt: skip
def test_a_character_that_is_lacking_takes_the_cells_that_it_had(text, encoding, shown):
    assert text.encode(encoding, REPLACE_BY_CELLS) == shown
