"""The app reads on after terminal bytes that are not text or that no terminal sends."""

from __future__ import annotations

import random

import pytest
from textual import events

from nexus_tui.app.terminal.key_reader import PASTE_SECONDS, KeyReader


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def read(*chunks: bytes, encoding: str = "utf-8") -> list[object]:
    """The keys as their characters or names, pastes as tuples."""
    reader = KeyReader(encoding)
    return [shown(message) for chunk in chunks for message in reader.feed(chunk)]


def shown(message: object) -> object:
    match message:
        case events.Key():
            return message.character if message.is_printable else message.key
        case events.Paste():
            return (message.text,)
        case events.MouseEvent():
            return (int(message.x), int(message.y))
    return type(message).__name__


@pytest.mark.parametrize(
    ("chunks", "encoding", "keys"),
    [
        ((b"caf\xe9 au",), "utf-8", [*"caf\ufffd au"]),
        ((b"\xff\xfe\x80q",), "utf-8", [*"\ufffd\ufffd\ufffdq"]),
        (("é".encode()[:1], "é".encode()[1:]), "utf-8", ["é"]),
        (("漢".encode()[:2], b"q"), "utf-8", ["\ufffd", "q"]),
        ((b"\xed\xa0\x80q",), "utf-8", [*"\ufffd\ufffd\ufffdq"]),
        ((b"caf\xe9",), "latin-1", [*"café"]),
    ],
)
def test_bytes_that_are_not_text_become_replacement_characters(chunks, encoding, keys):
    assert read(*chunks, encoding=encoding) == keys


@pytest.mark.parametrize("cut", range(1, 18))
def test_a_paste_keeps_its_text_wherever_it_is_cut(cut):
    paste = b"\x1b[200~caf\xe9 \xc3\xa9\n\x00\x1b[201~q"
    assert read(paste[:cut], paste[cut:]) == [("caf\ufffd é\n",), "q"]


def test_control_sequences_in_a_paste_press_no_key_and_resize_no_window():
    inside = b"\x1b" + b"q" * 60 + b"\x1b[48;9999;9999;1;1t\x1b[<0;1;1M"
    assert read(b"\x1b[200~" + inside + b"\x1b[201~") == [(inside.decode(),)]


@pytest.mark.parametrize(
    "broken",
    [b"\x1b[9999999999u", b"\x1b[1:2;3u", b"\x1b[1;2:3u", b"\x1b[55296;1;55296u"],
)
def test_a_sequence_with_an_impossible_number_is_left_out(broken):
    assert read(broken, b"q")[-1] == "q"
    assert read(broken + b"\x1b[<0;5;6M")[-1] == (4, 5)


def test_a_paste_without_an_end_is_taken_after_a_while_and_keys_are_read_again():
    clock = Clock()
    reader = KeyReader(clock=clock)
    assert list(reader.feed(b"\x1b[200~left open")) == []
    clock.now += PASTE_SECONDS / 2
    assert list(reader.tick()) == []
    clock.now += PASTE_SECONDS
    assert [shown(message) for message in reader.tick()] == [("left open",)]
    assert [shown(message) for message in reader.feed(b"q")] == ["q"]


def test_a_terminal_of_random_bytes_is_read_to_its_end():
    clock = Clock()
    chance = random.Random(7)
    parts = [b"\x1b[", b"\x1b[200~", b"\x1b[201~", b"\x1b[<0;3;4M", b";", b"u", b"t", b"99999"]
    for _ in range(200):
        reader = KeyReader(clock=clock)
        for _ in range(20):
            noise = chance.randbytes(chance.randrange(12)) + chance.choice(parts)
            list(reader.feed(noise))
        clock.now += PASTE_SECONDS
        list(reader.tick())
        typed = list(reader.feed(b"?" * 40))  # more than any open sequence takes
        assert shown(typed[-1]) == "?"
