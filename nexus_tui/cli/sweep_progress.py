"""A live sweep on stderr: a table on a terminal, lines elsewhere; and its result."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self, assert_never

from rich.console import Group
from rich.live import Live
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.sweeps.events import (
    CellEnded,
    CellEvaluated,
    CellStarted,
    SweepEvent,
    SweepFailed,
    SweepFinished,
    SweepStarted,
    SweepStopped,
)
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.view import PointView, points, read_sweep
from nexus_tui.terminal import streams
from nexus_tui.words.formats import correlation, count, duration, shown_path, value_text
from nexus_tui.words.render import table

__all__ = ["CellLine", "SweepLines", "SweepProgress", "reduce_sweep", "result_table"]

REDRAW_SECONDS = 0.5
STYLES = {"live": "cyan", "finished": "green", "failed": "bold red", "lost": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """What is to be seen of one run."""

    name: str
    values: tuple[Any, ...]
    seed: int
    state: str = "live"
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    test: float | None = None
    kept: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepLines:
    """What is to be seen of a sweep: a pure fold over its events."""

    started: SweepStarted | None = None
    cells: dict[str, CellLine] = field(default_factory=dict)
    ended: SweepFinished | SweepStopped | SweepFailed | None = None

    @property
    def done(self) -> int:
        """Runs that have ended, those of earlier starts included."""
        before = 0 if self.started is None else self.started.runs_done
        return before + sum(c.state in ("finished", "failed") for c in self.cells.values())


def reduce_sweep(view: SweepLines, event: SweepEvent) -> SweepLines:
    """The view after `event`."""
    match event:
        case SweepStarted():
            return replace(view, started=event)
        case CellStarted():
            return _with(view, CellLine(name=event.cell, values=event.values, seed=event.seed))
        case CellEvaluated():
            return _with(
                view,
                replace(
                    view.cells[event.cell],
                    epoch=event.epoch,
                    epochs=event.epochs,
                    best=event.best_spearman,
                ),
            )
        case CellEnded():
            old = view.cells[event.cell]
            best = old.best if event.best_dev_spearman is None else event.best_dev_spearman
            return _with(
                view,
                replace(
                    old,
                    state=event.state,
                    best=best,
                    test=event.test_spearman,
                    kept=event.switches_kept,
                    message=event.message,
                ),
            )
        case SweepFinished() | SweepStopped() | SweepFailed():
            return replace(view, ended=event)
        case _:
            assert_never(event)


def _with(view: SweepLines, cell: CellLine) -> SweepLines:
    return replace(view, cells={**view.cells, cell.name: cell})


def cell_rows(view: SweepLines) -> list[Text]:
    """The table of the runs so far, best first among the ended, the live ones on top."""
    assert view.started is not None
    order = {"live": 0, "lost": 1, "finished": 2}
    cells = sorted(
        view.cells.values(), key=lambda c: (order.get(c.state, 3), -(c.best or -1.0), c.name)
    )
    names = [axis.name for axis in view.started.axes]
    header = (*names, "seed", "state", "epoch", "dev", "test", "kept")
    rows = [
        (
            *(value_text(value) for value in cell.values),
            str(cell.seed),
            cell.state,
            f"{cell.epoch}/{cell.epochs}" if cell.epochs else "-",
            correlation(cell.best),
            correlation(cell.test),
            count(cell.kept),
        )
        for cell in cells
    ]
    right = (*(True for _ in names), True, False, True, True, True, True)
    lines = table(header, rows, right)
    for line, cell in zip(lines[1:], cells, strict=True):
        line.stylize(STYLES.get(cell.state, ""))
    return lines


class SweepProgress:
    """Folds a sweep's events and shows them; a context manager: the terminal is left as it was."""

    def __init__(self) -> None:
        self.view = SweepLines()
        self._console = streams.console(sys.stderr)
        self._live: Live | None = None
        self._drawn_at = 0.0
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        if streams.is_live(sys.stderr):
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            if isinstance(self.view.ended, SweepStopped):
                streams.say(*self._lines(self.view.ended))

    def show(self, event: SweepEvent) -> None:
        """Fold `event` in and draw it: into the table, or as a line."""
        self.view = reduce_sweep(self.view, event)
        if self._live is None:
            lines = self._lines(event)
            if lines:
                streams.say(*lines)
            return
        now = time.monotonic()
        if now - self._drawn_at >= REDRAW_SECONDS or not isinstance(event, CellEvaluated):
            self._drawn_at = now
            room = max(4, self._console.height - 3)
            lines = [self._head(), *cell_rows(self.view)]
            more = len(lines) - room
            if more > 0:
                lines = [*lines[:room], Text(f"and {more} more", style="dim")]
            self._live.update(Group(*lines), refresh=True)

    def _head(self) -> Text:
        started = self.view.started
        assert started is not None
        passed = duration(time.monotonic() - self._begun)
        return Text(
            f"sweep {one_line(started.name, 60)}: {self.view.done} of {started.runs} runs, "
            f"{started.jobs} at a time, {passed}"
        )

    def _lines(self, event: SweepEvent) -> list[Text]:
        match event:
            case SweepStarted():
                text = f"sweep {one_line(event.name, 100)}: {event.runs} runs on "
                text += f"{one_line(event.data, 60)}, --tune {event.tune}, {event.jobs} at a time"
                if event.runs_done:
                    text += f"; {event.runs_done} are done already"
                return [Text(text)]
            case CellStarted():
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                going = ", from its checkpoint" if event.resumed else ""
                return [Text(f"{self._name(event.cell)}: begins{again}{going}", style="dim")]
            case CellEnded(state="finished"):
                figures = f"dev {correlation(event.best_dev_spearman)}, "
                figures += f"test {correlation(event.test_spearman)}, "
                figures += f"{event.switches_kept} of {event.switches} switches kept"
                took = duration(event.seconds)
                return [
                    Text(f"{self._name(event.cell)}: {figures}, {took}"),
                    Text(f"  {self.view.done} of {self._runs()} runs", style="dim"),
                ]
            case CellEnded():
                why = f": {one_line(event.message)}" if event.message else ""
                return [Text(f"{self._name(event.cell)}: {event.state}{why}", style="yellow")]
            case SweepStopped():
                left = f"{event.runs_finished} runs finished, {event.runs_left} left"
                command = "nexus sweep --resume "
                if self.view.started is not None:
                    command += shown_path(self.view.started.sweep_dir)
                return [Text(f"stopped: {left}; go on with: {command}", style="yellow")]
            case CellEvaluated() | SweepFinished() | SweepFailed():
                return []
            case _:
                assert_never(event)

    def _runs(self) -> int:
        return 0 if self.view.started is None else self.view.started.runs

    def _name(self, cell: str) -> str:
        line, started = self.view.cells[cell], self.view.started
        assert started is not None
        parts = [
            f"{axis.name} {value_text(value)}"
            for axis, value in zip(started.axes, line.values, strict=True)
        ]
        return ", ".join([*parts, f"seed {line.seed}"])


def result_table(folder: SweepFolder, ended: SweepFinished) -> list[Text]:
    """The points of a finished sweep, best first, and where the best run is."""
    view = read_sweep(folder.path)
    found = sorted(points(view.cells), key=lambda p: -(p.dev_spearman or -1.0))
    names = [axis.name for axis in view.axes]
    header = (*names, "runs", "dev", "±", "test", "kept")
    right = (*(True for _ in names), True, True, True, True, True)
    lines = table(header, [_point_row(point) for point in found], right)
    if len(lines) > 1:
        lines[1].stylize("green")
    lines.append(
        Text(
            f"{ended.runs_finished} of {ended.runs} runs finished in "
            f"{duration(ended.total_seconds)}; {ended.points_with_two_switches_kept} of "
            f"{ended.points} configurations kept two switches or more in every run"
        )
    )
    over = ended.best_dev_spearman - ended.base_dev_spearman
    lines.append(Text(f"best: dev {ended.best_dev_spearman:.4f} ({over:+.4f} over the base model)"))
    lines.append(Text(f"its best run: {shown_path(ended.best_run_dir)}"))
    return lines


def _point_row(point: PointView) -> Sequence[str]:
    deviation = "" if point.deviation is None else f"{point.deviation:.4f}"
    kept = "-" if point.switches_kept is None else f"{point.switches_kept:g}"
    return (
        *(value_text(value) for value in point.values),
        f"{point.finished}/{point.runs}",
        correlation(point.dev_spearman),
        deviation,
        correlation(point.test_spearman),
        kept,
    )
