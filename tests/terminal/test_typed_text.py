"""Sentences on the command line: UTF-8 in every locale, anything else is refused."""

import pytest

from nexus_engine.errors import DataError
from nexus_tui.cli import main as cli
from nexus_tui.terminal.typed_text import typed_text

TEXT = "木门 café \u0085"


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_the_bytes_are_read_as_utf_8_whatever_the_locale_made_of_them(monkeypatch, encoding):
    argument = TEXT.encode().decode(encoding, "surrogateescape")
    monkeypatch.setattr("os.fsencode", lambda text: text.encode(encoding, "surrogateescape"))
    assert typed_text(argument, "it") == TEXT


@pytest.mark.parametrize("argument", ["caf\udce9", "\ud800", "a\udcff b"])
def test_other_bytes_are_refused(argument):
    with pytest.raises(DataError, match="sentence 2 is not UTF-8 text; set the terminal"):
        typed_text(argument, "sentence 2")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["similarity", "base", "one", "caf\udce9"], "sentence 2"),
        (["search", "base", "caf\udce9", "--corpus", "nowhere.txt"], "the query"),
    ],
)
def test_commands_refuse_other_bytes_in_one_line_before_they_load_anything(capfd, arguments, name):
    assert cli.main(arguments) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"nexus: error: {name} is not UTF-8 text" in err
