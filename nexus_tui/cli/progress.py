"""A live run on stderr: one moving line on a terminal, and the lines that stay."""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from nexus_engine.events import Event
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.terminal import streams
from nexus_tui.words.formats import correlation, duration
from nexus_tui.words.lines import lines_of
from nexus_tui.words.metrics import evaluated_words

__all__ = ["RunProgress", "bar_texts"]

REDRAW_SECONDS = 0.3
"""Between two drawings. It stays below 2 KB/s at 80 columns even with ten epochs a second (measured
on a pty by tests/cli/test_cli_signals.py)."""

BAR_COLUMNS = 10

PHASE_WORDS = {
    "preparing": "reading data and model",
    "measuring": "measuring the base model",
    "finished": "done",
    "failed": "failed",
    "stopped": "stopped",
}


def bar_texts(view: RunView, columns: int) -> tuple[str, str]:
    """The texts before and after the bar; with the bar at most `columns` wide.

    A narrow screen drops the least important parts first.
    """
    arm = view.arm()
    texts = evaluated_words(arm)
    if view.state in PHASE_WORDS:
        return PHASE_WORDS[view.state], texts if view.state == "measuring" else ""
    before = f"{arm.label} epoch {arm.epoch}/{arm.epochs}"
    parts = [f"best {correlation(arm.best_score)}"]
    if arm.loss is not None:
        parts.insert(0, f"loss {arm.loss:.4f}")
    if view.state == "evaluating":
        parts.append(f"evaluating {texts}".rstrip())
    elif arm.remaining_seconds is not None:
        parts.append(f"{duration(arm.remaining_seconds)} left")
    if arm.pairs_per_second is not None:
        parts.append(f"{arm.pairs_per_second:.0f} pairs/s")
    room = columns - len(before) - BAR_COLUMNS - 8  # the bar, a percentage, and the gaps
    while parts and len(" ".join(parts)) > room:
        parts.pop()
    return before, " ".join(parts)


class RunProgress:
    """Folds events and shows them. Leaving it as a context restores the terminal."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.view = RunView()
        self._verbose = verbose
        self._live = streams.is_live(sys.stderr)
        self._console = streams.console(sys.stderr)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._drawn: tuple[object, ...] = ()
        self._waiting: list[Text] = []
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=BAR_COLUMNS),
                TextColumn("{task.percentage:>3.0f}%", markup=False),
                TextColumn("{task.fields[rest]}", markup=False),
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task(bar_texts(self.view, 80)[0], total=1.0, rest="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._print_waiting()

    def show(self, event: Event) -> None:
        """Fold `event` in. Its lines that stay are printed at the next drawing."""
        self.view = reduce(self.view, event)
        self._waiting += lines_of(self.view, event, verbose=self._verbose)
        if self._bar is None:
            self._print_waiting()

    def note(self, text: str) -> None:
        """Print `text` as a line that stays."""
        self._waiting.append(Text(text, style="yellow"))
        self._drawn_at = 0.0
        self.draw()

    def draw(self) -> None:
        """Draw what has changed, at most every `REDRAW_SECONDS`: lines that stay, then the bar."""
        now = time.monotonic()
        if self._bar is None:
            self._print_waiting()
        elif now - self._drawn_at >= REDRAW_SECONDS:
            before, after = bar_texts(self.view, self._console.width)
            fraction = round(self.view.arm().fraction, 2)
            content = (before, after, fraction)
            if content == self._drawn and not self._waiting:
                return
            self._drawn, self._drawn_at = content, now
            self._bar.update(self._task, description=before, completed=fraction, rest=after)
            self._print_waiting()
            self._bar.refresh()

    def _print_waiting(self) -> None:
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._console.print(Text("\n").join(lines), soft_wrap=True)
