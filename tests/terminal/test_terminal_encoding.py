"""Locales other than UTF-8: a lacking character takes no more cells than it should."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading

import pytest
from app_support import make_app, screen_text, until, whole_run, write_run

from nexus_tui.app.terminal.driver import _TerminalOutput
from nexus_tui.settings.app import read_ui_settings
from nexus_tui.terminal.encoding import REPLACE_BY_CELLS, draws_pictures, terminal_encoding


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
def test_a_lacking_character_takes_as_many_cells_as_before(text, encoding, shown):
    assert text.encode(encoding, REPLACE_BY_CELLS) == shown


def test_a_locale_without_the_signs_of_charts_means_ascii(home, monkeypatch):
    monkeypatch.delenv("NEXUS_ASCII", raising=False)
    monkeypatch.setattr(sys, "__stderr__", stream("latin-1"))
    settings = read_ui_settings()
    assert (settings.ascii, settings.sources["ascii"]) == (True, "the locale, iso8859-1")
    monkeypatch.setattr(sys, "__stderr__", stream("utf-8"))
    assert not read_ui_settings().ascii


@pytest.mark.parametrize(
    ("encoding", "bytes_written"),
    [("latin-1", b"\x1b[1mna\xefve ? ??\x1b[0m"), ("ascii", b"\x1b[1mna?ve ? ??\x1b[0m")],
)
def test_drawing_keeps_its_columns_and_the_terminal(encoding, bytes_written):
    ours, theirs = os.pipe()
    failures: list[str] = []
    with open(theirs, "w", encoding=encoding) as terminal, open(ours, "rb") as reader:
        written = _TerminalOutput(terminal, lambda: failures.append("lost"))
        written.write("\x1b[1mnaïve ▸ ")
        written.write("漢\x1b[0m")
        written.flush()
        assert (os.read(reader.fileno(), 100), failures) == (bytes_written, [])


def test_a_terminal_that_does_not_wait_is_not_lost_when_it_is_full():
    ours, theirs = os.pipe()
    failures: list[str] = []
    with open(theirs, "w") as terminal, open(ours, "rb") as reader:
        os.set_blocking(theirs, False)
        written = _TerminalOutput(terminal, lambda: failures.append("lost"))
        written.write("x" * 200_000)
        sender = threading.Thread(target=written.flush)
        sender.start()
        assert len(reader.read(200_000)) == 200_000
        sender.join()
    assert failures == []


SCREENS = (
    ("question_mark", "KeysHelp"), ("escape n", "NewRunScreen"),
    ("escape ctrl+p", "ClosingPalette"), ("escape d", "Question"), ("escape enter", "LiveScreen"),
    ("enter", "SwitchDetail"), ("escape f", "PlotScreen"), ("escape o", "LogScreen"),
    ("escape 3 m", "PickModel"), ("escape 4", "CompareScreen"), ("5", "SweepsScreen"),
)  # fmt: skip


def test_every_screen_in_ascii_is_ascii(home):
    asyncio.run(every_screen(home))


async def every_screen(home):
    root = home / "data" / "nexus" / "runs"
    write_run(root, "done", whole_run(str(root / "done"), "done"))
    app = make_app(ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "done" in screen_text(app))
        for keys, name in SCREENS:
            await pilot.press(*keys.split())
            app.notify("a word", timeout=60)
            await pilot.pause()
            assert type(app.screen).__name__ == name
            foreign = [line for line in screen_text(app).split("\n") if not line.isascii()]
            assert foreign == [], name
