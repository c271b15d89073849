"""The forecast of a run: measured by a child process, and as text.

The probe trains for a few steps, so it runs in a process of its own that can be ended at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from nexus_engine.disk.json_text import revive
from nexus_engine.errors import one_line
from nexus_tui.words.formats import count, duration, epochs_words, megabytes
from nexus_tui.words.metrics import counts_words

__all__ = ["Forecasted", "forecast_lines", "forecast_words", "probe", "question_lines"]

POLL_SECONDS = 0.1
MAX_SECONDS = 600.0


class Forecasted(NamedTuple):
    """The result of a probe: the forecast's fields, or one line that says why there are none."""

    figures: dict[str, Any] | None
    error: str = ""


def probe(arguments: Sequence[str], cancelled: Callable[[], bool]) -> Forecasted | None:
    """Run `nexus train ARGUMENTS --forecast --json` to its end, blocking; None when cancelled."""
    with tempfile.TemporaryFile() as results, tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "nexus_tui.cli.watched", str(os.getpid())),
                *("train", *arguments, "--forecast", "--json"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=results,
            stderr=messages,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        begun = time.monotonic()
        try:
            while process.poll() is None:
                if cancelled():
                    return None
                if time.monotonic() - begun > MAX_SECONDS:
                    return Forecasted(None, f"the probe took over {MAX_SECONDS:.0f} s")
                time.sleep(POLL_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        results.seek(0)
        messages.seek(0)
        if process.returncode == 0:
            with contextlib.suppress(ValueError):
                figures = revive(json.loads(results.read()))
                if isinstance(figures, dict):
                    return Forecasted(figures)
        lines = messages.read().decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return Forecasted(None, "the probe ended without a message")
    return Forecasted(None, one_line(lines[-1].removeprefix("nexus: error: ")))


def forecast_words(figures: Mapping[str, Any]) -> str:
    """The time and memory of a run in a few words."""
    seconds = float(figures["seconds"])
    unit = "h" if seconds >= 3600 else "min"
    memory = megabytes(float(figures["peak_rss_mb"]))
    return f"about {duration(seconds)} {unit}, {memory} of memory"


def question_lines(figures: Mapping[str, Any]) -> list[str]:
    """The warnings that the run would give before its first step, one a line."""
    return [f"warning: {one_line(question)}" for question in figures.get("questions") or ()]


def forecast_lines(figures: Mapping[str, Any]) -> list[str]:
    """The forecast, the plan that it is based on, and the measurements behind it."""
    arms = int(figures["arms"])
    controls = "" if arms == 1 else f" and {arms - 1} control{'s' if arms > 2 else ''}"
    length = epochs_words(figures["epochs"], figures.get("epochs_per_pass"))
    share = float(figures["params_added"]) / max(1.0, float(figures["params_base"]))
    return [
        f"{forecast_words(figures)} at the peak",
        *(f"note: {one_line(note)}" for note in figures.get("notes") or ()),
        f"{counts_words(figures)}; {length}, batches of "
        f"{figures['batch_size']}, rate {float(figures['lr']):.3g}: "
        f"{count(figures['steps'])} steps{controls}",
        f"up to {count(figures['params_added'])} parameters grown ({share:.4%} of the base model)",
        f"measured now: {figures['probe_steps']} steps and {figures['probe_sentences']} "
        f"sentences in {float(figures['probe_seconds']):.0f} s; {figures['device']}, "
        f"{figures['precision']}, {figures['threads']} threads",
    ]
