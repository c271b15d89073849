"""A sweep in words: the head of its screen, and the details of one combination."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.sweeps.following import summary_of
from nexus_engine.sweeps.view import CellView, PointView, SweepView, best_point, points
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.sweep.rows import state_sign, sweep_state_words
from nexus_tui.words.formats import aligned, correlation, count, duration, gain, settings_words
from nexus_tui.words.metrics import lead_name

__all__ = ["combination_lines", "run_words", "seed_order", "sweep_head"]

MIN_TABLE = 7
"""From this height, each seed has a line of its own."""
GAP = 3
SHORT_SECONDS = 60
MIN_COST, MIN_TALL = 5, 16
"""Heights in lines. Below the first, the reason of a failure replaces the cost; from the second,
each fact has a line of its own."""
MAX_REASON_LINES = 4
ONLY = "the only combination"


def sweep_head(
    view: SweepView, width: int, chart_style: ChartStyle, command: str = ""
) -> list[Text]:
    """Name and data; state and best combination; `command`, with which to resume the sweep."""
    palette = chart_style.palette
    summary = summary_of(view)
    seeds = f"{len(view.seeds)} seeds" if len(view.seeds) > 1 else f"seed {view.seeds[0]}"
    where = f"{one_line(view.data, 40)}, {one_line(view.tune, 20)}"
    name = Text().append(fitted(view.name, width, chart_style), palette.title)
    lines = [_two_sides(name, [f"{where}, {seeds}", where], width, palette.dim)]
    sign, style = state_sign(summary.state, chart_style)
    words = fitted(f"{sign} {sweep_state_words(summary)}".strip(), width, chart_style)
    left = Text().append(words, style)
    best = best_point(points(view.cells))
    best_words = []
    if best is not None:
        figure = f"best {lead_name(view.metric)}{correlation(best.dev_score)}"
        best_words = [f"{figure}  {settings_words(summary.best_values)}", figure]
    lines.append(_two_sides(left, best_words, width, palette.text))
    if command:
        hint = f"resume with: {command}"
        lines.append(Text(hint if cell_len(hint) <= width else command, palette.dim))
    return lines


def _two_sides(left: Text, right: Sequence[str], width: int, style: Style) -> Text:
    """`left`, and at the right edge the first of `right` that fits."""
    for words in right:
        gap = width - left.cell_len - cell_len(words)
        if gap >= GAP:
            return left.append(" " * gap).append(words, style)
    return left


def seed_order(runs: Sequence[CellView]) -> list[CellView]:
    """The runs of a combination that have begun, the best finished run first."""
    order = {"finished": 0, "live": 1, "stopped": 2, "failed": 3}
    begun = [run for run in runs if run.state != "waiting"]
    return sorted(begun, key=lambda r: (order[r.state], -(r.best_dev or -2.0), r.cell.seed))


def run_words(run: CellView) -> str:
    """One run in a few words."""
    words = f"seed {run.cell.seed} "
    match run.state:
        case "finished":
            return words + correlation(run.best_dev)
        case "live" if run.epochs:
            return f"{words}epoch {run.epoch}/{run.epochs}"
        case "live":
            return f"{words}begun"
        case _:
            return words + run.state


def combination_lines(
    view: SweepView, point: PointView, *, width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """At most `height` lines: settings, scores, seeds, cost, and the reason of a failure."""
    palette = chart_style.palette
    runs = [cell for cell in view.cells if cell.cell.point == point.point]
    names = [axis.name for axis in view.axes]
    settings = list(zip(names, point.values, strict=True))
    failed = next((run for run in runs if run.state == "failed" and run.message), None)
    reason = ""
    if failed is not None:
        reason = f"seed {failed.cell.seed} failed: {one_line(failed.message)}"
    if height >= MIN_TALL:
        return _tall(settings, point, runs, reason, width, height, chart_style)
    words = settings_words(settings) or ONLY
    lines = [Text(fitted(words, width, chart_style), palette.title)]
    lines.append(Text(_joined(_figures(point, runs), width, chart_style), palette.text))
    cost = ", ".join(_cost(runs))
    if len(runs) > 1 and height >= MIN_TABLE:
        if cost:
            lines.append(Text(fitted(cost, width, chart_style), palette.dim))
        lines += _table(runs, width, height - len(lines) - bool(reason), chart_style)
    else:
        lines.append(
            Text(_joined([run_words(run) for run in runs], width, chart_style), palette.text)
        )
        if cost and not (reason and height < MIN_COST):
            lines.append(Text(fitted(cost, width, chart_style), palette.dim))
    if reason:
        lines.append(Text(fitted(reason, width, chart_style), palette.bad))
    return lines[:height]


def _tall(
    settings: Sequence[tuple[str, object]],
    point: PointView,
    runs: Sequence[CellView],
    reason: str,
    width: int,
    height: int,
    chart_style: ChartStyle,
) -> list[Text]:
    """The same, with a line for each fact."""
    palette = chart_style.palette
    words = [settings_words([setting]) for setting in settings] or [ONLY]
    lines = [Text(fitted(line, width, chart_style), palette.title) for line in words]
    figures = [*_figures(point, runs), *_cost(runs)]
    lines += [Text(), *(Text(fitted(line, width, chart_style), palette.text) for line in figures)]
    if reason:
        reason_lines = wrap(reason, max(10, width))[:MAX_REASON_LINES]
        lines += [Text(), *(Text(line, palette.bad) for line in reason_lines)]
    lines.append(Text())
    return [*lines, *_table(runs, width, height - len(lines), chart_style)][:height]


def _figures(point: PointView, runs: Sequence[CellView]) -> list[str]:
    metric = next((run.metric for run in runs if run.metric is not None), None)
    if point.dev_score is None:
        if point.runs > 1:
            return [f"none of {point.runs} runs has finished"]
        return ["its run has not finished"]
    pieces = [f"dev {lead_name(metric)}{correlation(point.dev_score)}"]
    if point.deviation is not None:
        pieces[0] += f" sd {point.deviation:.4f}"
    if point.finished < point.runs:
        pieces[0] += f", {point.finished} of {point.runs} seeds"
    base = next((r.base_dev for r in runs if r.base_dev is not None), None)
    if base is not None:
        pieces.append(f"{gain(point.dev_score - base)} over base")
    if point.test_score is not None:
        pieces.append(f"test {correlation(point.test_score)}")
    return pieces


def _cost(runs: Sequence[CellView]) -> list[str]:
    """Parameters, switches and mean training time of the finished runs."""
    done = [run for run in runs if run.state == "finished"]
    trained = sorted({run.params_trained for run in done if run.params_trained is not None})
    words = []
    if trained:
        span = count(trained[0])
        span += f" to {count(trained[-1])}" if len(trained) > 1 else ""
        words.append(f"{span} parameters trained")
    kept = [run.switches_kept for run in done if run.switches_kept is not None]
    if kept:
        low, high = min(kept), max(kept)
        span = str(low) if low == high else f"{low} to {high}"
        words.append(f"{span} switch{'' if span == '1' else 'es'} kept")
    seconds = [run.train_seconds for run in done if run.train_seconds is not None]
    if seconds:
        each = " each" if len(seconds) > 1 else ""
        words.append(f"{_time(sum(seconds) / len(seconds))}{each}")
    return words


def _time(seconds: float) -> str:
    """A time below a minute is shown with tenths."""
    return f"{seconds:.1f} s" if seconds < SHORT_SECONDS else duration(seconds)


def _table(
    runs: Sequence[CellView], width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """A line for each seed."""
    header = ("seed", "state", "dev", "test", "kept", "time")
    rows = []
    for run in runs:
        live = run.state == "live" and run.epochs
        seconds = "-" if run.train_seconds is None else _time(run.train_seconds)
        rows.append((
            str(run.cell.seed),
            f"epoch {run.epoch}/{run.epochs}" if live else run.state,
            correlation(run.best_dev),
            correlation(run.test_score),
            count(run.switches_kept),
            seconds,
        ))  # fmt: skip
    right = (True, False, True, True, True, True)
    lines = aligned([header, *rows], right)
    rows_left = max(0, height)
    if len(lines) > rows_left > 0:
        more = len(lines) - rows_left + 1
        lines = [*lines[: rows_left - 1], f"and {more} more seeds"]
    styles = [chart_style.palette.dim] + [chart_style.palette.text] * len(lines)
    return [
        Text(line[:width], style) for line, style in zip(lines[:rows_left], styles, strict=False)
    ]


def _joined(pieces: Sequence[str], width: int, chart_style: ChartStyle) -> str:
    """As many pieces as fit, and the number of those that do not."""
    for shown in range(len(pieces), 0, -1):
        more = len(pieces) - shown
        words = "   ".join(pieces[:shown]) + (f"   and {more} more" if more else "")
        if cell_len(words) <= width:
            return words
    return fitted(pieces[0], width, chart_style) if pieces else ""
