"""Whatever bytes a terminal sends, the app lives, answers, and leaves the terminal as it was."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reliability.outcome import Outcome
from reliability.terminals import OnTerminal

ENDING = b"qQ\x03\x0f\x10\x11\x12\x1a"
"""Keys that end or stop the app as they should, begin processes of their own, or open the palette,
whose first command ends the app: the noise is without them."""
KEYS = (
    b"1", b"2", b"3", b"4", b"5", b"j", b"k", b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\t", b"\r", b"i",
    b"n", b"/", b"?", b"\x1b", b"o", b"f", b"]", b"m", b" ",
)  # fmt: skip
TEXTS = (
    "le caf\xe9 est ferm\xe9 ", "gr\xfc\xdfe aus k\xf6ln", "\xa1ma\xf1ana!", "na\xefve",
)  # fmt: skip
BROKEN = (
    b"\x1b[9999999999u", b"\x1b[1:2;3u", b"\x1b[<0;9999999999;1M", b"\x1b[48;99999;99999;1;1t",
    b"\x1b[48;0;0;1;1t\x1b[<0;3;3M", b"\x1b]52;c;AAAA", b"\x9b31m", b"\xff\xfb\x01", b"\x1b[200~",
    b"\x1b[201~", b"\x1bO", b"\x1b[", b"\x1b[<35;", b"\x1bP", b"\x1b[I", b"\x1b[O",
)  # fmt: skip


def noise(chance: random.Random) -> list[bytes]:
    """What is sent next, in pieces between which the app may read."""
    kind = chance.randrange(7)
    sentence = chance.choice(TEXTS)
    match kind:
        case 0:  # line noise
            pieces = [chance.randbytes(chance.randrange(1, 200))]
        case 1:
            pieces = [chance.choice(KEYS) for _ in range(4)]
        case 2:  # a terminal in Latin-1
            pieces = [sentence.encode("latin-1")]
        case 3:  # a binary paste
            inside = chance.choice((sentence.encode("latin-1"), chance.randbytes(3000)))
            pieces = [b"\x1b[200~" + inside + b"\x1b[201~"]
        case 4:  # a character in two pieces, or half of one
            whole = "\u6f22".encode()
            pieces = [whole[:1], whole[1:]] if chance.random() < 0.5 else [whole[:2], b"j"]
        case 5:  # Alt as the eighth bit
            pieces = [bytes(chance.choice(b"bcdfjkxz") | 0x80 for _ in range(5))]
        case _:
            pieces = [chance.choice(BROKEN), chance.choice(KEYS)]
    return [piece.translate(None, ENDING) for piece in pieces]


def _one(place: Path, seed: int, bursts: int, mutation: str | None) -> list[str]:
    chance = random.Random(seed)
    app = OnTerminal(place / f"keys-{seed}", mutation, train=True)
    try:
        if not app.until(app.trains):
            return [f"seed {seed}: no run began: {app.output[-300:]!r}"]
        for _ in range(bursts):
            for piece in noise(chance):
                app.type(piece)
                time.sleep(chance.choice((0, 0.002, 0.02)))
            if app.ended():
                break
        return [f"seed {seed}: {line}" for line in _after(app, seed)]
    finally:
        app.close()


def _after(app: OnTerminal, seed: int) -> list[str]:
    """What is wrong once the noise is over."""
    if not app.shows(b"Keys in force", b"\x1b[201~\x1b\x1b", 0.1) and not _answers(app):
        code = app.process.exitcode
        return [f"ended with {code}" if app.ended() else f"is deaf: {app.output[-200:]!r}"]
    wrong = []
    stopped = any(event["event"] == "run_stopped" for event in app.log())
    if seed % 2:
        app.signal(signal.SIGTERM)
        right = {143} | ({0} if stopped else set())
    else:
        for _ in range(6):  # keys of the noise may still wait, and answer what is asked
            app.type(b"\x1b")
            app.until(app.ended, 0.15)
            app.shows(b"becomes of it", b"\x11", 4)
            app.type(b"s")
            if app.until(app.ended, 4):
                break
        right = {0}
    if not app.until(app.ended):
        return ["does not end"]
    app.process.join()
    if app.process.exitcode not in right:
        wrong.append(f"ended with {app.process.exitcode}, not {right}: {app.output[-200:]!r}")
    if not app.is_sane():
        wrong.append("the terminal is not as it was")
    if b"Traceback" in app.output or b"the screen failed" in app.output:
        wrong.append("a failure was told")
    return wrong


def _answers(app: OnTerminal) -> bool:
    """Whether the help can be opened, from wherever the noise has led.

    Thousands of single characters in a field, as a paste without its brackets gives, take Textual
    some milliseconds each: 17 s were seen beside nine other processes.
    """
    end, wait = time.monotonic() + 60, 1.0
    while time.monotonic() < end and not app.ended():
        for _ in range(4):  # out of a field, a dialog, a form
            app.type(b"\x1b")
            app.until(app.ended, 0.15)
        app.type(b"1")
        if app.shows(b"Keys in force", b"?", wait):
            return True
        wait = min(2 * wait, 8.0)
    return False


def typed(place: Path, seeds: int = 100, bursts: int = 25, mutation: str | None = None) -> Outcome:
    """So many apps, each with a live run and with so many bursts of noise of its own seed."""
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda seed: _one(place, seed, bursts, mutation), range(1, seeds + 1))
        failures = [line for lines in found for line in lines]
    return Outcome("noise on the terminal ends no app", seeds, failures)
