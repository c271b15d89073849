"""The head of the live screen: the run's name, its state and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import wrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.events import RunFailed, RunFinished, RunStopped
from nexus_engine.runs.requests import Ask
from nexus_engine.runs.run_view import ArmView, RunView
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.kit.meter import meter
from nexus_tui.words.formats import count, duration, megabytes
from nexus_tui.words.lines import resume_command
from nexus_tui.words.metrics import evaluated_words

__all__ = ["Head", "doing", "head_lines", "name_line", "resumable"]

REQUESTED: dict[Ask, str] = {
    "pause": "pausing before the next step",
    "resume": "resuming",
    "stop": "stopping: saving a checkpoint",
    "grow": "asked to grow: measuring first",
    "roll_back": "asked to roll back: measuring first",
}
MESSAGE_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the head shows in addition to the view.

    `alive` is False if the process of a run without an end is gone. `requested` is the request that
    the run has not carried out yet. `starting` is True until a resumed run emits its first event.
    `keys` maps the ID of an action to its key; it is empty where no key can be pressed.
    """

    name: str
    alive: bool = True
    requested: Ask | None = None
    dropped_steps: int = 0
    starting: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)


def resumable(view: RunView, head: Head) -> bool:
    """Whether the run can resume: it had begun, and was stopped, failed or interrupted."""
    if view.started is None:
        return False
    return isinstance(view.ended, RunStopped | RunFailed) or (view.ended is None and not head.alive)


def doing(view: RunView, head: Head, chart_style: ChartStyle) -> tuple[str, Style]:
    """What the run is doing, in words, and the style of the words."""
    palette = chart_style.palette
    arm = view.arm()
    place = f"epoch {arm.epoch}/{arm.epochs}"
    texts = evaluated_words(arm)
    match view.ended:
        case RunFailed():
            return "failed", palette.bad
        case RunStopped():
            where = f" in epoch {view.ended.epoch}" if view.ended.step else ""
            reason = one_line(view.ended.reason, 40)
            return f"stopped{where}" + (f" ({reason})" if reason != "stop" else ""), palette.warn
        case None if not head.alive:
            return "interrupted: its process is gone", palette.bad
        case None:
            pass
        case _:
            return "finished", palette.good
    if head.requested is not None:
        return REQUESTED[head.requested], palette.warn
    if view.paused:
        return f"paused in {place}", palette.warn
    if head.starting:
        return "reading data and model", palette.run
    lead = "" if arm.name == "main" else f"{one_line(arm.label, 40)}: "
    match view.state:
        case "preparing":
            return "reading data and model", palette.run
        case "measuring":
            return "measuring the base model" + (f": {texts}" if texts else ""), palette.run
        case "evaluating":
            return f"{lead}evaluating {texts or place}", palette.run
        case _:
            return f"{lead}training {place}", palette.run


def name_line(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> Text:
    """The run's name, then as many facts as fit: data, regime, device, pairs, batch, seed."""
    palette = chart_style.palette
    line = Text.assemble((fitted(head.name, width, chart_style), palette.title))
    started = view.started
    if started is None:
        return line
    pieces = [
        one_line(started.data, 40),
        started.tune,
        f"{started.device} {started.precision}",
        f"{count(started.train_pairs)} pairs",
        *([f"{count(started.passages)} passages"] if started.task == "retrieval" else []),
        f"batch {started.batch_size}",
        f"seed {started.seed}",
    ]
    while pieces and cell_len("  ".join(pieces)) + 3 > width - line.cell_len:
        pieces.pop()
    words = "  ".join(pieces)
    if words:
        line.append(" " * (width - line.cell_len - cell_len(words)) + words, palette.dim)
    return line


def head_lines(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> list[Text]:
    """Name, state with figures, and progress bar; for an ended run, why it ended and what to do."""
    lines = [name_line(view, head, width, chart_style), _state_line(view, head, width, chart_style)]
    if view.ended is None and head.alive:
        return [*lines, _bar(view.arm(), width, chart_style)]
    if isinstance(view.ended, RunFailed):
        message = wrap(one_line(view.ended.message), max(10, width)) or [""]
        lines += [Text(line, chart_style.palette.text) for line in message[:MESSAGE_ROWS]]
    if not isinstance(view.ended, RunFinished):
        lines.append(Text(_resume_hint(view, head, width, chart_style), chart_style.palette.dim))
    return lines


def _state_line(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> Text:
    words, style = doing(view, head, chart_style)
    sign = (
        chart_style.glyphs.live if view.ended is None and head.alive else chart_style.glyphs.broken
    )
    if isinstance(view.ended, RunStopped):
        sign = chart_style.glyphs.dot
    line = Text.assemble((f"{sign} ", style), (fitted(words, width - 2, chart_style), style))
    figures = _figures(view, head)
    while figures and len("  ".join(figures)) + 2 > width - line.cell_len:
        figures.pop(0)
    joined = "  ".join(figures)
    if joined:
        line.append(" " * (width - line.cell_len - len(joined)) + joined, chart_style.palette.text)
    return line


def _figures(view: RunView, head: Head) -> list[str]:
    """Figures of a training run, each padded to a constant width, the least important first."""
    arm = view.arm()
    if view.ended is not None or not arm.step or view.state not in ("training", "evaluating"):
        return []
    figures = []
    if head.dropped_steps:
        figures.append(f"{head.dropped_steps} steps not shown")
    if view.rss_mb is not None:
        figures.append(f"{megabytes(view.rss_mb):>6}")
    if arm.steps_total:
        digits = len(str(arm.steps_total))
        figures.append(f"step {arm.step:>{digits}}/{arm.steps_total}")
    if arm.pairs_per_second is not None:
        figures.append(f"{arm.pairs_per_second:>4.0f} pairs/s")
    if arm.remaining_seconds is not None and head.alive:
        figures.append(f"{duration(arm.remaining_seconds):>5} left")
    return figures


def _bar(arm: ArmView, width: int, chart_style: ChartStyle) -> Text:
    percent = f" {arm.fraction:>4.0%}"
    bar = meter(arm.fraction, max(1, width - len(percent)), chart_style)
    return bar.append(percent, chart_style.palette.text)


def _resume_hint(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> str:
    """How to resume a run that ended early. The command is never cut, so that you can copy it."""
    if not resumable(view, head) or view.started is None:
        return fitted("the run had not begun; there is nothing to resume", width, chart_style)
    command = resume_command(view.started.name, view.started.run_dir)
    saved = "from its last checkpoint" if view.checkpoint is not None else "from the beginning"
    key = head.keys.get("run.resume", "")
    if not key:
        return f"resume with: {command}"
    hint = f"{key} goes on {saved}"
    with_command = f"{hint}; elsewhere: {command}"
    return with_command if cell_len(with_command) <= width else fitted(hint, width, chart_style)
