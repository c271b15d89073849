"""The live app on a real pseudo-terminal: signals, a lost terminal, a screen that fails.

Each case is a real process that trains a tiny base model; all of them run at the same time.
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
load_guard = inputs.load_guard  # the full guard takes most of a small run's time
inputs.load_guard = lambda: load_guard().take(np.arange(20))
real_make_step = arm_loop.Arm.make_step

def make_step(*arguments):
    time.sleep(0.02)  # the other processes start meanwhile
    return real_make_step(*arguments)

arm_loop.Arm.make_step = make_step
from nexus_engine.config import TrainConfig
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_tui.app import application
from nexus_tui.app.opening import open_app
from nexus_tui.settings.app import UiSettings

def break_later(self):
    def broken():
        if Path(sys.argv[3]).exists():
            sentence = "CANARY the patient denies chest pain"
            raise RuntimeError(sentence)
    self.set_interval(0.05, broken)

if len(sys.argv) > 3:
    application.NexusApp._check_keys = break_later
config = TrainConfig(data=sys.argv[1], base=sys.argv[2], tune="adapter", epochs=1000,
                     switch_epochs=(1,), threads=1)
sys.exit(open_app(UiSettings(), None, resolve_for_base(config)))
"""
PATIENCE = 300.0
MODES = (
    (b"\x1b[?1049h", b"\x1b[?1049l"),
    (b"\x1b[?25l", b"\x1b[?25h"),
    (b"\x1b[?1000h", b"\x1b[?1000l"),
    (b"\x1b[?2004h", b"\x1b[?2004l"),
)
"""The sequences that start and end: alternate screen, hidden cursor, mouse, bracketed paste."""


class AppInTerminal:
    """The app in a process of its own session, on a pseudo-terminal of 80x24."""

    def __init__(self, folder: Path, base: Path, *arguments: str) -> None:
        folder.mkdir()
        rows = ["sentence1,sentence2,score"]
        rows += [f"door {i} is open,door {i} stands open,{i * 7 % 11 / 2}" for i in range(60)]
        (folder / "p.csv").write_text("\n".join(rows) + "\n")
        self.folder = folder
        self.controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes_before = termios.tcgetattr(terminal)
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(folder / "p.csv"), str(base), *arguments],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "XDG_DATA_HOME": str(folder / "data"),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "TERM": "xterm-256color",
            },
        )  # fmt: skip
        self.terminal: int | None = terminal
        self.output = b""

    def close_terminal(self) -> None:
        """Drop the connection: close both ends of the terminal."""
        for end in (self.terminal, self.controller):
            if end is not None:
                os.close(end)
        self.terminal, self.controller = None, -1

    def read(self, seconds: float = 0.05) -> None:
        if self.controller < 0:
            time.sleep(seconds)
            return
        while select.select([self.controller], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                data = os.read(self.controller, 65536)
                self.output += data
                if data:
                    continue
            return

    def lines(self) -> list[dict[str, object]]:
        logs = list(self.folder.glob("data/nexus/runs/2*/events.jsonl"))
        complete = logs[0].read_text().split("\n")[1:-1] if logs else []
        return [json.loads(line) for line in complete]

    def until(self, happened: Callable[[], object], what: str) -> None:
        begun = time.monotonic()
        while not happened():
            assert time.monotonic() - begun < PATIENCE, f"waited for {what}: {self.output[-500:]}"
            self.read()

    def saved(self) -> bool:
        return any(line["event"] == "checkpoint_saved" for line in self.lines())

    def ended(self) -> bool:
        return self.process.poll() is not None

    def is_sane(self) -> bool:
        """Whether the terminal is as before: its modes, the alternate screen, cursor, mouse."""
        self.read()
        assert self.terminal is not None
        same = termios.tcgetattr(self.terminal) == self.modes_before
        off = all(self.output.rfind(o) > self.output.rfind(on) >= 0 for on, o in MODES)
        return same and off

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.close_terminal()


@pytest.fixture(scope="module")
def apps(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path
) -> Iterator[dict[str, AppInTerminal]]:
    """Apps that train a run, one for each case."""
    folder = tmp_path_factory.mktemp("screens")
    by_case = {
        case: AppInTerminal(folder / case, tiny_base) for case in ("term", "int", "hup", "close")
    }
    by_case["crash"] = AppInTerminal(folder / "crash", tiny_base, "break")
    yield by_case
    for app in by_case.values():
        app.kill()


@pytest.mark.parametrize(("name", "number", "code"), [("term", 15, 143), ("int", 2, 130)])
def test_a_stop_signal_saves_and_leaves_the_terminal_sane(apps, name, number, code):
    app = apps[name]
    app.until(app.saved, "a checkpoint")
    app.process.send_signal(number)
    app.until(app.ended, "the end")
    assert app.process.returncode == code
    last = app.lines()[-1]
    assert (last["event"], last["exit_code"]) == ("run_stopped", code)
    assert app.is_sane()
    assert b"nexus train --resume" in app.output
    assert b"Traceback" not in app.output


@pytest.mark.parametrize("name", ["hup", "close"])
def test_without_its_terminal_the_training_goes_on_in_the_same_process(apps, name):
    app = apps[name]
    app.until(app.saved, "a checkpoint")
    if name == "close":
        app.close_terminal()
    else:
        app.process.send_signal(signal.SIGHUP)
        app.until(lambda: b"\x1b[?1049l" in app.output, "the screen to go")
        assert app.is_sane()
    lines = len(app.lines())
    app.until(lambda: len(app.lines()) > lines + 20, "the training to go on")
    assert app.process.poll() is None
    app.process.terminate()
    app.until(app.ended, "the end")
    last = app.lines()[-1]
    assert (last["event"], last["exit_code"]) == ("run_stopped", 143)


def test_a_broken_screen_prints_no_sentence_and_the_training_goes_on(apps):
    app = apps["crash"]
    app.until(app.saved, "a checkpoint")
    (app.folder / "break").touch()
    app.until(lambda: b"the screen failed: RuntimeError" in app.output, "the crash")
    assert app.is_sane()
    lines = len(app.lines())
    app.until(lambda: len(app.lines()) > lines + 20, "the training to go on")
    app.process.send_signal(signal.SIGINT)
    app.until(app.ended, "the end")
    assert app.process.returncode == 1
    assert b"CANARY" not in app.output
    assert app.lines()[-1]["event"] == "run_stopped"
