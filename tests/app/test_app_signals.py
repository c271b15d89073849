"""The live app on a real pseudo-terminal: signals, a terminal that goes away, a screen that breaks.

Each case is a real process that trains a real run; all of them live side by side.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT

DRIVER = """
import sys
import time
from pathlib import Path
import numpy as np
from nexus_engine.training.arm import loop as arm_loop
from nexus_engine.training import inputs
whole = inputs.load_guard  # the whole guard takes most of a small run's time
inputs.load_guard = lambda: whole().take(np.arange(20))
made = arm_loop.Arm.make_step

def make_step(*given):
    time.sleep(0.02)  # the other processes start meanwhile
    return made(*given)

arm_loop.Arm.make_step = make_step
from nexus_engine.config import TrainConfig, resolve
from nexus_tui.app import application
from nexus_tui.app.opening import open_app
from nexus_tui.settings.app import UiSettings

def break_later(self):
    def broken():
        if Path(sys.argv[2]).exists():
            sentence = "CANARY the patient denies chest pain"
            raise RuntimeError(sentence)
    self.set_interval(0.05, broken)

if len(sys.argv) > 2:
    application.NexusApp._check_keys = break_later
config = TrainConfig(data=sys.argv[1], tune="adapter", epochs=1000, switch_epochs=(1,), threads=1)
sys.exit(open_app(UiSettings(), None, resolve(config)))
"""
PATIENCE = 90.0
MODES = (
    (b"\x1b[?1049h", b"\x1b[?1049l"),
    (b"\x1b[?25l", b"\x1b[?25h"),
    (b"\x1b[?1000h", b"\x1b[?1000l"),
    (b"\x1b[?2004h", b"\x1b[?2004l"),
)
"""Alternate screen, hidden cursor, mouse, bracketed paste: how each is begun and ended."""


class OnScreen:
    """The app in a process of its own session, on a pseudo-terminal of 80x24."""

    def __init__(self, world: Path, *more: str) -> None:
        world.mkdir()
        rows = ["sentence1,sentence2,score"]
        rows += [f"door {i} is open,door {i} stands open,{i * 7 % 11 / 2}" for i in range(60)]
        (world / "p.csv").write_text("\n".join(rows) + "\n")
        self.world = world
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(world / "p.csv"), *more],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=world,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "XDG_DATA_HOME": str(world / "data"),
                "XDG_CONFIG_HOME": str(world / "config"),
                "TERM": "xterm-256color",
            },
        )  # fmt: skip
        self.theirs: int | None = theirs
        self.output = b""

    def close_terminal(self) -> None:
        """The connection drops: nobody holds the other end any more."""
        for end in (self.theirs, self.ours):
            if end is not None:
                os.close(end)
        self.theirs, self.ours = None, -1

    def read(self, seconds: float = 0.05) -> None:
        if self.ours < 0:
            time.sleep(seconds)
            return
        while select.select([self.ours], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                found = os.read(self.ours, 65536)
                self.output += found
                if found:
                    continue
            return

    def lines(self) -> list[dict[str, object]]:
        logs = list(self.world.glob("data/nexus/runs/2*/events.jsonl"))
        whole = logs[0].read_text().split("\n")[1:-1] if logs else []
        return [json.loads(line) for line in whole]

    def until(self, true: Callable[[], object], what: str) -> None:
        begun = time.monotonic()
        while not true():
            assert time.monotonic() - begun < PATIENCE, f"waited for {what}: {self.output[-500:]}"
            self.read()

    def saved(self) -> bool:
        return any(line["event"] == "checkpoint_saved" for line in self.lines())

    def ended(self) -> bool:
        return self.process.poll() is not None

    def is_sane(self) -> bool:
        """Whether the terminal is as it was: its modes, the alternate screen, cursor, mouse."""
        self.read()
        assert self.theirs is not None
        same = termios.tcgetattr(self.theirs) == self.before
        off = all(self.output.rfind(o) > self.output.rfind(on) >= 0 for on, o in MODES)
        return same and off

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.close_terminal()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, OnScreen]]:
    """Apps with a run that has its first checkpoint."""
    world = tmp_path_factory.mktemp("screens")
    found = {name: OnScreen(world / name) for name in ("term", "int", "hup", "close")}
    found["crash"] = OnScreen(world / "crash", "break")
    yield found
    for screen in found.values():
        screen.kill()


@pytest.mark.parametrize(("name", "number", "code"), [("term", 15, 143), ("int", 2, 130)])
def test_a_stop_signal_saves_and_leaves_the_terminal_sane(shown, name, number, code):
    screen = shown[name]
    screen.until(screen.saved, "a checkpoint")
    screen.process.send_signal(number)
    screen.until(screen.ended, "the end")
    assert screen.process.returncode == code
    last = screen.lines()[-1]
    assert (last["event"], last["exit_code"]) == ("run_stopped", code)
    assert screen.is_sane()
    assert b"nexus train --resume" in screen.output
    assert b"Traceback" not in screen.output


@pytest.mark.parametrize("name", ["hup", "close"])
def test_without_its_terminal_the_training_goes_on_in_the_same_process(shown, name):
    screen = shown[name]
    screen.until(screen.saved, "a checkpoint")
    if name == "close":
        screen.close_terminal()
    else:
        screen.process.send_signal(signal.SIGHUP)
        screen.until(lambda: b"\x1b[?1049l" in screen.output, "the screen to go")
        assert screen.is_sane()
    made = len(screen.lines())
    screen.until(lambda: len(screen.lines()) > made + 20, "the training to go on")
    assert screen.process.poll() is None
    screen.process.terminate()
    screen.until(screen.ended, "the end")
    last = screen.lines()[-1]
    assert (last["event"], last["exit_code"]) == ("run_stopped", 143)


def test_a_broken_screen_tells_no_sentence_and_the_training_goes_on(shown):
    screen = shown["crash"]
    screen.until(screen.saved, "a checkpoint")
    (screen.world / "break").touch()
    screen.until(lambda: b"the screen failed: RuntimeError" in screen.output, "the crash")
    assert screen.is_sane()
    made = len(screen.lines())
    screen.until(lambda: len(screen.lines()) > made + 20, "the training to go on")
    screen.process.send_signal(signal.SIGINT)
    screen.until(screen.ended, "the end")
    assert screen.process.returncode == 1
    assert b"CANARY" not in screen.output
    assert screen.lines()[-1]["event"] == "run_stopped"
