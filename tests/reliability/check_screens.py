"""TERM, HUP and a terminal that goes, whatever is open in the app: run and terminal are safe."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from app_support import whole_run, write_run
from sweep_support import BATCH, LR, finish, make_sweep

from reliability.outcome import Outcome
from reliability.terminals import OnTerminal


class Opened(NamedTuple):
    """What is open when the signal comes: the keys that lead there, and the words that tell."""

    keys: tuple[bytes, ...]
    words: bytes


QUIT = "the question of what becomes of the run"
PLACES = {
    "a dialog": Opened((b"1", b"j", b"d"), b"Remove "),
    "the palette": Opened((b"1", b"\x10"), b"arch for commands"),
    "the form": Opened((b"1", b"n"), b"starts it; blank keeps"),
    "the form with a dialog over it": Opened((b"1", b"n", b"\x10"), b"arch for commands"),
    "a sweep": Opened((b"5", b"\r"), b"lr"),
    "the sweeps": Opened((b"5",), b"kept in"),
    "the playground": Opened((b"3", b"i"), b"sentence"),
    "the choice of a model": Opened((b"3", b"m"), b"Choose a model"),
    "the keys": Opened((b"?",), b"Keys in force"),
    "the comparison": Opened((b"4",), b"space marks a run"),
    "the log": Opened((b"2", b"o"), b"run"),
    QUIT: Opened((b"q",), b"What becomes of it?"),
}
SIGNALS = ("TERM", "HUP", "gone")
SHORT = [
    ("a dialog", "HUP", False), ("the form", "TERM", True), ("the palette", "HUP", True),
    ("a sweep", "gone", False),
]  # fmt: skip
KEY_SECONDS = 0.3
MORE_EVENTS = 15


def _one(place: Path, name: str, sign: str, live: bool, mutation: str | None) -> list[str]:
    title = f"{name}, {sign}, {'live' if live else 'no run'}"
    folder = place / title.replace(" ", "-")
    root = folder / "data" / "nexus"
    write_run(root / "runs", "done", whole_run(str(root / "runs" / "done"), "done"))
    finish(make_sweep(root / "sweeps", "grid", [LR, BATCH]), 0, 0.5)
    app = OnTerminal(folder, mutation, train=live)
    try:
        return [f"{title}: {line}" for line in _met(app, PLACES[name], sign, live)]
    finally:
        app.close()


def _met(app: OnTerminal, opened: Opened, sign: str, live: bool) -> list[str]:
    """Open it, send the signal, and see what became of app, run and terminal."""
    ready = app.trains if live else (lambda: b"done" in app.output)
    if not app.until(ready):
        return [f"the app did not begin: {app.output[-300:]!r}"]
    *before, last = opened.keys
    for key in before:
        app.type(key)
        app.until(app.ended, KEY_SECONDS)
    seen = len(app.output)
    app.type(last)
    if not app.until(lambda: opened.words in app.output[seen:], 15):
        return [f"it did not open: {app.output[-300:]!r}"]
    if sign == "gone":
        app.hang_up()
    else:
        app.signal(signal.SIGTERM if sign == "TERM" else signal.SIGHUP)
    wrong = []
    if live and sign != "TERM":
        wrong += _goes_on(app, shown=sign == "HUP")
        app.signal(signal.SIGTERM)
    code = 143 if live or sign == "TERM" else 129
    if not app.until(app.ended, 30):
        return [*wrong, "the app does not end"]
    app.process.join()
    if app.process.exitcode != code:
        wrong.append(f"ended with {app.process.exitcode}, not {code}: {app.output[-200:]!r}")
    last = app.log()[-1] if live else {}
    if live and (last["event"], last.get("exit_code")) != ("run_stopped", 143):
        wrong.append(f"the run's last event is {last['event']}")
    if sign != "gone" and not app.is_sane():
        wrong.append("the terminal is not as it was")
    if b"Traceback" in app.output or b"the screen failed" in app.output:
        wrong.append("a failure was told")
    return wrong


def _goes_on(app: OnTerminal, *, shown: bool) -> list[str]:
    """The screen goes, and the training goes on in the same process."""
    if shown and not app.until(app.is_sane, 15):
        return ["the screen did not go"]
    made, begun = len(app.log()), time.monotonic()
    while len(app.log()) < made + MORE_EVENTS and not app.ended():
        if time.monotonic() - begun > 30:
            return ["the training does not go on"]
        time.sleep(0.05)
    return [f"the app ended with {app.process.exitcode}"] if app.ended() else []


def screens(
    place: Path,
    cases: list[tuple[str, str, bool]] | None = None,
    mutation: str | None = None,
) -> Outcome:
    """Each place with each signal, with a live run and without one, or the `cases` alone."""
    if cases is None:
        cases = [
            (name, sign, live)
            for name in PLACES
            for sign in SIGNALS
            for live in (True, False)
            if live or name not in (QUIT, "the log")
        ]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda case: _one(place, *case, mutation), cases)
        failures = [line for lines in found for line in lines]
    return Outcome("signals while a screen or dialog is open", len(cases), failures)
