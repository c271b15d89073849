"""The app in a child on a pseudo-terminal of its own, with a small run of its own or without."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from reliability import children, tiny_runs

PATIENCE = 60.0
MODES = (
    (b"\x1b[?1049h", b"\x1b[?1049l"),
    (b"\x1b[?25l", b"\x1b[?25h"),
    (b"\x1b[?1000h", b"\x1b[?1000l"),
    (b"\x1b[?2004h", b"\x1b[?2004l"),
)
"""Alternate screen, hidden cursor, mouse, bracketed paste: how each is begun and ended."""


def _app(folder: Path, *, terminal: str, train: bool) -> None:
    """In a child: the app as `nexus` opens it, on `terminal`."""
    os.setsid()
    handle = os.open(terminal, os.O_RDWR)
    fcntl.ioctl(handle, termios.TIOCSCTTY, 0)
    for stream in (0, 1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    sys.__stdin__ = os.fdopen(0, closefd=False)  # type: ignore[misc]
    sys.__stderr__ = os.fdopen(2, "w", closefd=False)  # type: ignore[misc]
    os.chdir(folder)
    os.environ["TERM"] = "xterm-256color"
    tiny_runs.make_tiny()
    from nexus_engine.training.arm import loop as arm_loop
    from nexus_tui.app.application import NexusApp
    from nexus_tui.app.opening import open_app
    from nexus_tui.settings.app import UiSettings

    made = arm_loop.Arm.make_step

    def make_step(*given: Any) -> Any:
        time.sleep(0.02)  # a run that leaves the processor to the other children
        return made(*given)

    arm_loop.Arm.make_step = make_step  # type: ignore[method-assign]
    begun = NexusApp.on_mount

    def on_mount(app: NexusApp) -> None:
        app.may_probe = False  # a process of its own that nobody waits for here
        begun(app)

    NexusApp.on_mount = on_mount  # type: ignore[method-assign]
    settings = None
    if train:
        settings = tiny_runs.settings_of(folder, "adapter", epochs=1000)
    os._exit(open_app(UiSettings(), None, settings))


class OnTerminal:
    """`type` and `signal` act on the app; `until` reads what it draws while it waits."""

    def __init__(self, folder: Path, mutation: str | None = None, *, train: bool) -> None:
        tiny_runs.write_data(folder / "pairs")
        self.folder = folder
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        terminal = os.ttyname(self.theirs)
        self.process = children.start(_app, folder, mutation, terminal=terminal, train=train)
        self.output = b""

    def type(self, keys: bytes) -> None:
        """Send bytes as a keyboard does; what the app draws meanwhile is read."""
        while keys:
            ready = select.select([self.ours], [self.ours], [], 5)
            if ready[0]:
                self.read(0)
            if not ready[1]:
                return
            keys = keys[os.write(self.ours, keys[:200]) :]

    def signal(self, number: int) -> None:
        """To the app's process alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid or 0, number)

    def hang_up(self) -> None:
        """The connection drops: nobody holds the other end any more."""
        for end in (self.theirs, self.ours):
            os.close(end)
        self.ours = self.theirs = -1

    def read(self, seconds: float = 0.02) -> None:
        """Take in what was drawn; waits at most so long for the first of it."""
        if self.ours < 0:
            time.sleep(seconds)
            return
        while select.select([self.ours], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.output += os.read(self.ours, 65536)
            seconds = 0

    def until(self, happened: Callable[[], object], seconds: float = PATIENCE) -> bool:
        """Whether it happened in time and before the app ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = not self.process.is_alive()
            self.read()
            if happened():
                return True
            if ended:
                return False
        return False

    def shows(self, words: bytes, keys: bytes = b"", seconds: float = 10) -> bool:
        """Whether the app draws `words` anew; `keys` are typed until it does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.is_alive():
            before = len(self.output)
            self.type(keys)
            drawn = partial(self._drawn, words, before)
            if self.until(drawn, 1.5 if keys else seconds):
                return True
        return False

    def _drawn(self, words: bytes, since: int) -> bool:
        return words in self.output[since:]

    def ended(self) -> bool:
        """Whether the process is gone."""
        return not self.process.is_alive()

    def log(self) -> list[dict[str, Any]]:
        """The events of the newest run of this app."""
        logs = sorted(self.folder.glob("data/nexus/runs/*-adapter*/events.jsonl"))
        lines = logs[-1].read_text().split("\n")[1:-1] if logs else []
        return [json.loads(line) for line in lines]

    def trains(self) -> bool:
        """Whether the run has left its first checkpoint."""
        return any(event["event"] == "checkpoint_saved" for event in self.log())

    def is_sane(self) -> bool:
        """Whether the terminal is as it was: its modes, the alternate screen, cursor, mouse."""
        self.read()
        same = termios.tcgetattr(self.theirs) == self.before
        return same and all(self.output.rfind(o) > self.output.rfind(on) >= 0 for on, o in MODES)

    def close(self) -> None:
        """Whatever is left ends."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        for end in (self.ours, self.theirs):
            with contextlib.suppress(OSError):
                os.close(end)
