"""Sides of a benchmark, each in a process of its own, measured by windows when asked to.

A process waits for a line on its standard input, measures one window, and answers with a line of
JSON. So no side inherits the caches, threads or heap of another, and only one works at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

AGREEMENT = 0.05
"""Three windows in a row agree if the fastest is at most this share above the slowest."""
MAX_WARM_WINDOWS = 20
LEVELS = {
    "native": {},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
}
"""Instruction sets by their name here: what oneDNN and torch's own kernels may use. MKL's level
follows `MKL_ENABLE_INSTRUCTIONS` on Intel alone and is set there too."""
MKL_LEVELS = {"avx2": "AVX2", "sse41": "SSE4_2"}


def environment_at(level: str) -> dict[str, str]:
    """This process's environment for a child kept to the instruction sets of `level`."""
    chosen = {**os.environ, **LEVELS[level]}
    if level in MKL_LEVELS:
        chosen["MKL_ENABLE_INSTRUCTIONS"] = MKL_LEVELS[level]
    return chosen


class Window(NamedTuple):
    """Pairs, their tokens and optimizer steps in `seconds`; `rate` in FLOP/s of plain products."""

    seconds: float
    pairs: int
    tokens: int
    steps: int
    rate: float

    @property
    def speed(self) -> float:
        """Pairs a second."""
        return self.pairs / self.seconds


class Side:
    """A child process that answers each line with a window.

    Args:
        arguments: the child's command line after the interpreter.
        level: a key of `LEVELS`.
    """

    def __init__(self, arguments: list[str], level: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment_at(level),
        )  # fmt: skip
        self.warm_windows: list[float] = []

    def window(self) -> Window:
        """One more window.

        Raises:
            RuntimeError: the child ended; its own message is on standard error.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write("window\n")
        self._child.stdin.flush()
        while line := self._child.stdout.readline():
            if line.startswith('{"seconds"'):
                return Window(**json.loads(line))
        raise RuntimeError(f"a side ended with code {self._child.wait()}")

    def warm(self) -> bool:
        """Measure windows until three in a row agree; False if `MAX_WARM_WINDOWS` never did."""
        while len(self.warm_windows) < MAX_WARM_WINDOWS:
            self.warm_windows.append(self.window().speed)
            last = self.warm_windows[-3:]
            if len(last) == 3 and max(last) <= (1 + AGREEMENT) * min(last):
                return True
        return False

    def close(self) -> None:
        """End the child."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


def serve(
    step: Callable[[], tuple[int, int]], rate: Callable[[float], float], steps: int, seconds: float
) -> None:
    """In the child: a window for each line of standard input, until it is closed.

    Args:
        step: makes an optimizer step; its pairs and tokens.
        rate: FLOP/s of plain products measured for that many seconds, 0 for a side without a floor.
        steps: a window has at least so many steps.
        seconds: and takes at least so long.
    """
    for _ in sys.stdin:
        before = rate(seconds / 4)
        pairs = tokens = made = 0
        begun = time.perf_counter()
        while made < steps or time.perf_counter() - begun < seconds:
            more, their_tokens = step()
            pairs, tokens, made = pairs + more, tokens + their_tokens, made + 1
        taken = time.perf_counter() - begun
        window = Window(taken, pairs, tokens, made, (before + rate(seconds / 4)) / 2)
        print(json.dumps(window._asdict()), flush=True)


def processor() -> str:
    """The processor's name and the instruction sets that matter here, from the system."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "unknown"
    facts = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    known = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return f"{facts.get('model name', 'unknown')}; {' '.join(k for k in known if k in flags)}"
