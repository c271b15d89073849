"""Signals, closed pipes and terminals around a live run, in real processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from test_cli_view import STARTED, evaluated, step

from nexus_engine.events import EpochStarted
from nexus_tui.cli.progress import RunProgress

SMALL_GUARD = """
import os
import sys
import time
import numpy as np
from nexus_engine.training.arm import loop as arm_loop
from nexus_engine.training import inputs
load_guard = inputs.load_guard
inputs.load_guard = lambda: load_guard().take(np.arange(20))
original_step = arm_loop.Arm.make_step

def make_step(*arguments):
    time.sleep(float(os.environ.get("STEP_SECONDS", 0)))
    return original_step(*arguments)

arm_loop.Arm.make_step = make_step
from nexus_tui.cli.main import main
sys.exit(main())
"""
"""`nexus` with a guard of 20 pairs; encoding all of it takes most of a small run's time.

With STEP_SECONDS each step first sleeps, to leave the cores to other processes.
"""

STARTED_HERE: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    """No process and no open pipe outlives its test."""
    yield
    while STARTED_HERE:
        process = STARTED_HERE.pop()
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def world(tmp_path: Path, tiny_base: Path) -> Path:
    (tmp_path / "base").symlink_to(tiny_base)
    rows = ["sentence1,sentence2,score"]
    rows += [f"door number {i} is open,door {i} stands open,{i * 7 % 11 / 2}" for i in range(60)]
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def start(
    world: Path, *arguments: str, stderr: int = subprocess.PIPE, **variables: str
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_GUARD, *arguments],
        cwd=world,
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_DATA_HOME": str(world / "data"),
            "XDG_CONFIG_HOME": str(world / "config"),
            **variables,
        },
    )
    STARTED_HERE.append(process)
    return process


def train(world: Path, epochs: int, *options: str, **variables: int | str) -> subprocess.Popen[str]:
    arguments = ["train", "--data", "p.csv", "--base", "base", "--epochs", str(epochs)]
    arguments += ["--tune", "adapter", "--switch-epochs", "1", "--threads", "1", "--json", *options]
    return start(world, *arguments, **variables)  # type: ignore[arg-type]


def until(process: subprocess.Popen[str], kind: str) -> list[dict[str, object]]:
    """The events up to the first of `kind`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == kind:
            return seen
    raise AssertionError(f"ended without {kind}: {process.stderr and process.stderr.read()}")


def test_signals_and_a_reader_that_goes_away(world: Path) -> None:
    """Each ends its run with a checkpoint and its own exit code; the runs train side by side."""
    codes = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGPIPE: 1}
    epochs = 60
    screen = Screen()
    on_a_terminal = train(
        world, epochs, "--out", "shown", stderr=screen.theirs, TERM="xterm-256color",
        STEP_SECONDS="0.02",
    )  # fmt: skip
    live = {
        number: train(world, 1000, "--out", number.name, STEP_SECONDS="0.02") for number in codes
    }
    for number, process in live.items():
        until(process, "checkpoint_saved")
        if number == signal.SIGPIPE:
            assert process.stdout is not None
            process.stdout.close()
        else:
            process.send_signal(number)
    _interrupted_and_resumed(world, on_a_terminal, screen, epochs)
    for number, process in live.items():
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(timeout=60) == codes[number]
        assert f"nexus train --resume {world / number.name}" in err
        assert "Traceback" not in err
        last = json.loads((world / number.name / "events.jsonl").read_text().splitlines()[-1])
        assert (last["event"], last["exit_code"]) == ("run_stopped", codes[number])
        assert (world / number.name / last["checkpoint"] / "manifest.json").is_file()


def _interrupted_and_resumed(
    world: Path, process: subprocess.Popen[str], screen: Screen, epochs: int
) -> None:
    """An interrupt leaves the terminal usable, and the resumed run finishes."""
    until(process, "checkpoint_saved")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.wait(timeout=60) == 130
    assert (last["event"], last["exit_code"]) == ("run_stopped", 130)
    text = screen.text()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") >= 1
    assert "nexus train --resume" in text

    resumed = start(world, "train", "--resume", "shown", "--json")
    out, err = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["event"] == "run_finished"
    assert lines[-1]["epochs"] == epochs
    assert next(e for e in lines if e["event"] == "epoch_started")["epoch"] >= last["epoch"]


class Screen:
    """A terminal of 80 columns that records what is written to it."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._seen: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while chunk := os.read(self._ours, 65536):
                self._seen.append(chunk)

    def text(self) -> str:
        os.close(self.theirs)
        self._reader.join(5)
        os.close(self._ours)
        return b"".join(self._seen).decode()


def test_little_goes_to_the_terminal_and_nothing_when_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    screen = Screen()
    shown = os.fdopen(os.dup(screen.theirs), "w")
    monkeypatch.setattr("sys.stderr", shown)
    seconds = 1.5
    with RunProgress() as progress:
        for event in (STARTED, evaluated(0, 0.8)):
            progress.show(event)
        begun, steps = time.monotonic(), 0
        while time.monotonic() < begun + seconds:  # ten steps and two epochs a second
            steps += 1
            progress.show(EpochStarted(epoch=1, epochs=6, steps=23, sets=1, params_trained=9))
            progress.show(step(steps, loss=1 / steps))
            if steps % 5 == 0:
                progress.show(evaluated(steps // 5, 0.8))
            for _ in range(5):
                progress.draw()
                time.sleep(0.02)
        time.sleep(0.35)
        progress.draw()
        shown.flush()
        time.sleep(0.1)
        before = len(screen._seen)
        for _ in range(10):
            progress.draw()
            time.sleep(0.04)
        assert len(screen._seen) == before
    shown.close()
    text = screen.text()
    assert "pairs/s" in text
    assert len(text.encode()) <= seconds * 2048


def test_a_second_interrupt_ends_at_once(world: Path) -> None:
    process = start(world, "train", "--tune", "full", "--epochs", "3", "--json")
    until(process, "run_started")
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_pipe_closed_early_is_quiet() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nexus_tui", "doctor", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    STARTED_HERE.append(process)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == 1
    assert err == ""
