"""A live sweep on stderr, as a table on a terminal and as lines elsewhere; and its result."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Self, assert_never

from rich.console import Group
from rich.live import Live
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.scores import Metric
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
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import (
    CellView,
    PointView,
    SweepView,
    first_view,
    fold,
    points,
)
from nexus_tui.terminal import streams
from nexus_tui.words.formats import correlation, count, duration, shown_path, value_text
from nexus_tui.words.metrics import lead_name
from nexus_tui.words.render import table

__all__ = ["SweepProgress", "cell_rows", "result_table"]

REDRAW_SECONDS = 0.5
STYLES = {"live": "cyan", "finished": "green", "failed": "bold red", "lost": "yellow"}


def cell_rows(view: SweepView) -> list[Text]:
    """The table of the runs that have begun: the live ones on top, then the ended, best first."""
    order = {"live": 0, "lost": 1, "finished": 2}
    cells = sorted(
        ((_state(cell), cell) for cell in view.cells if cell.state != "waiting"),
        key=lambda row: (
            order.get(row[0], 3),
            -(row[1].best_dev or -1.0),
            row[1].cell.name,
        ),
    )
    names = [axis.name for axis in view.axes]
    header = (*names, "seed", "state", "epoch", _dev(view.metric), "test", "kept")
    rows = [
        (
            *(value_text(value) for value in cell.cell.values),
            str(cell.cell.seed),
            state,
            f"{cell.epoch}/{cell.epochs}" if cell.epochs else "-",
            correlation(cell.best_dev),
            correlation(cell.test_score),
            count(cell.switches_kept),
        )
        for state, cell in cells
    ]
    right = (*(True for _ in names), True, False, True, True, True, True)
    lines = table(header, rows, right)
    for line, (state, _) in zip(lines[1:], cells, strict=True):
        line.stylize(STYLES.get(state, ""))
    return lines


def _dev(metric: Metric | None) -> str:
    return f"dev {lead_name(metric)}".rstrip()


def _state(cell: CellView) -> str:
    return "lost" if cell.lost else cell.state


class SweepProgress:
    """Folds a sweep's events and shows them. Leaving it as a context restores the terminal."""

    def __init__(self) -> None:
        self._started: SweepStarted | None = None
        self._stopped: SweepStopped | None = None
        self._view: SweepView | None = None
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

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            if self._stopped is not None:
                streams.say(*self._lines(self._stopped))

    def show(self, event: SweepEvent) -> None:
        """Fold `event` in and draw it, into the table or as a line."""
        if isinstance(event, SweepStarted):
            self._started, self._view = event, first_view(event)
        elif self._view is not None:
            self._view = fold(self._view, event)
        if isinstance(event, SweepStopped):
            self._stopped = event
        if self._live is None:
            lines = self._lines(event)
            if lines:
                streams.say(*lines)
            return
        now = time.monotonic()
        if now - self._drawn_at >= REDRAW_SECONDS or not isinstance(event, CellEvaluated):
            self._drawn_at = now
            room = max(4, self._console.height - 3)
            lines = [self._head(), *([] if self._view is None else cell_rows(self._view))]
            more = len(lines) - room
            if more > 0:
                lines = [*lines[:room], Text(f"and {more} more", style="dim")]
            self._live.update(Group(*lines), refresh=True)

    @property
    def _done(self) -> int:
        """Number of runs that have ended, those of earlier starts included."""
        before = 0 if self._started is None else self._started.runs_done
        cells = () if self._view is None else self._view.cells
        return before + sum(cell.state in ("finished", "failed") for cell in cells)

    def _head(self) -> Text:
        elapsed = duration(time.monotonic() - self._begun)
        if self._started is None:
            return Text(f"sweep: {elapsed}")
        return Text(
            f"sweep {one_line(self._started.name, 60)}: {self._done} of {self._runs()} runs, "
            f"{self._started.jobs} at a time, {elapsed}"
        )

    def _lines(self, event: SweepEvent) -> list[Text]:
        match event:
            case SweepStarted():
                text = f"sweep {one_line(event.name, 100)}: {event.runs} runs on "
                text += f"{one_line(event.data, 60)}, --tune {event.tune}, {event.jobs} at a time"
                if event.runs_done:
                    text += f"; {event.runs_done} are already done"
                return [Text(text)]
            case CellStarted():
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                origin = ", from its checkpoint" if event.resumed else ""
                return [Text(f"{self._name(event.cell)}: begins{again}{origin}", style="dim")]
            case CellEnded(state="finished"):
                figures = f"{_dev(event.metric)} {correlation(event.best_dev)}, "
                figures += f"test {correlation(event.test_score)}, "
                figures += f"{event.switches_kept} of {event.switches} switches kept"
                took = duration(event.seconds)
                return [
                    Text(f"{self._name(event.cell)}: {figures}, {took}"),
                    Text(f"  {self._done} of {self._runs()} runs", style="dim"),
                ]
            case CellEnded():
                reason = f": {one_line(event.message)}" if event.message else ""
                return [Text(f"{self._name(event.cell)}: {event.state}{reason}", style="yellow")]
            case SweepStopped():
                left = f"{event.runs_finished} runs finished, {event.runs_left} left"
                command = "nexus sweep --resume "
                if self._started is not None:
                    command += shown_path(self._started.sweep_dir)
                return [Text(f"stopped: {left}; resume with: {command}", style="yellow")]
            case CellEvaluated() | SweepFinished() | SweepFailed():
                return []
            case _:
                assert_never(event)

    def _runs(self) -> int:
        return 0 if self._started is None else self._started.runs

    def _name(self, name: str) -> str:
        assert self._view is not None
        cell = self._view.cell(name).cell
        parts = [
            f"{axis.name} {value_text(value)}"
            for axis, value in zip(self._view.axes, cell.values, strict=True)
        ]
        return ", ".join([*parts, f"seed {cell.seed}"])


def result_table(folder: SweepFolder, ended: SweepFinished) -> list[Text]:
    """The points of a finished sweep, best first, and the folder of the best run."""
    view = read_sweep(folder.path)
    best_first = sorted(points(view.cells), key=lambda p: -(p.dev_score or -1.0))
    names = [axis.name for axis in view.axes]
    header = (*names, "runs", _dev(view.metric), "±", "test", "kept")
    right = (*(True for _ in names), True, True, True, True, True)
    lines = table(header, [_point_row(point) for point in best_first], right)
    if len(lines) > 1:
        lines[1].stylize("green")
    lines.append(
        Text(
            f"{ended.runs_finished} of {ended.runs} runs finished in "
            f"{duration(ended.total_seconds)}; {ended.points_with_two_switches_kept} of "
            f"{ended.points} configurations kept two switches or more in every run"
        )
    )
    over_base = ended.best_dev - ended.base_dev
    figure = f"{_dev(ended.metric)} {ended.best_dev:.4f}"
    best = f"best: {figure} ({over_base:+.4f} over the base model)"
    lines.append(Text(best))
    lines.append(Text(f"its best run: {shown_path(ended.best_run_dir)}"))
    return lines


def _point_row(point: PointView) -> Sequence[str]:
    deviation = "" if point.deviation is None else f"{point.deviation:.4f}"
    kept = "-" if point.switches_kept is None else f"{point.switches_kept:g}"
    return (
        *(value_text(value) for value in point.values),
        f"{point.finished}/{point.runs}",
        correlation(point.dev_score),
        deviation,
        correlation(point.test_score),
        kept,
    )
