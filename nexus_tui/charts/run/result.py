"""The result of a finished run, compared with the base model and its controls."""

from __future__ import annotations

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.events import RunFinished
from nexus_engine.metric_words import metric_name
from nexus_engine.runs.run_view import RunView
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.run.heading import Head, name_line
from nexus_tui.words.formats import (
    aligned,
    best_epoch_words,
    correlation,
    count,
    duration,
    gain,
    megabytes,
)
from nexus_tui.words.metrics import (
    RANKING_COLUMNS,
    apart_words,
    lead_name,
    ranking_rows,
    vector_rows,
)

__all__ = ["headline", "result_picture"]

NEXT_ACTIONS = (
    ("run.playground", "try it on sentences"),
    ("run.export", "export it"),
    ("run.compare", "compare runs"),
    ("run.new", "new run"),
)
"""Actions offered next: their IDs, and words."""

SHORTEN_HEADER = -1
"""In place of a column to drop: shorten the header."""


def headline(result: RunFinished) -> tuple[tuple[str, ...], bool]:
    """The result in words, most important first, and whether the gain counts.

    With controls, a gain counts if its 95 % interval over the strongest control is above zero.
    """
    over = result.best_dev - result.base_dev
    words = [
        f"dev {lead_name(result.metric)}{correlation(result.best_dev)}",
        f"{gain(over)} over base",
    ]
    strongest = max(result.controls, key=lambda c: c.dev_score, default=None)
    if strongest is None:
        return tuple(words), over > 0
    words.append(f"{gain(strongest.gain_dev)} over control")
    if not strongest.gain_low > 0:
        words[-1] += " (not proven)"
    return tuple(words), strongest.gain_low > 0


def result_picture(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> list[Text]:
    """The result of a finished run; no lines for any other."""
    result = view.ended
    if not isinstance(result, RunFinished):
        return []
    palette = chart_style.palette
    pieces, good = headline(result)
    style = palette.good if good else palette.warn
    words = ", ".join(pieces)
    while len(words) + len("* finished  ") > width and len(pieces) > 1:
        pieces = pieces[:-1] if len(pieces) < 3 else (pieces[0], pieces[-1])
        words = ", ".join(pieces)
    lines = [
        name_line(view, head, width, chart_style),
        Text.assemble((f"{chart_style.glyphs.best} finished  ", style), (words, palette.text)),
        Text(),
        *_table(result, width, chart_style),
        *(Text(fitted(line, width, chart_style), palette.text) for line in _ranking(result, width)),
        *(Text(fitted(line, width, chart_style), palette.dim) for line in _facts(result, width)),
        Text(fitted(result.run_dir, width, chart_style), palette.dim),
    ]
    steps = [(head.keys[name], words) for name, words in NEXT_ACTIONS if name in head.keys]
    if steps:
        line = Text.assemble(("next:", palette.text))
        for key, action in steps:
            step = Text.assemble((f"  {key} ", palette.title), (f"{action} ", palette.text))
            if line.cell_len + step.cell_len <= width + 1:  # the last space is dropped
                line.append_text(step)
        line.rstrip()
        lines.append(line)
    return lines


def _table(result: RunFinished, width: int, chart_style: ChartStyle) -> list[Text]:
    """A row for base, run and each control; "ahead" is the run's dev score minus the row's."""
    over = result.best_dev - result.base_dev
    header = [metric_name(result.metric), "dev", "test", "trained", "run ahead by", "95 % interval"]
    rows = [
        ["base", correlation(result.base_dev), correlation(result.base_test),
         count(0), gain(over), ""],
        ["this run", correlation(result.best_dev), correlation(result.test_score),
         count(result.params_trained), "", ""],
    ]  # fmt: skip
    rows += [
        [f"control {one_line(control.name, 24)}", correlation(control.dev_score),
         correlation(control.test_score), count(control.params_trained),
         gain(control.gain_dev),
         f"{gain(control.gain_low)} to {gain(control.gain_high)}"]
        for control in result.controls
    ]  # fmt: skip
    columns = list(range(len(header) if result.controls else len(header) - 1))
    right = [False, True, True, True, True, True]
    for dropped in (None, 3, 2, SHORTEN_HEADER, 5):
        if dropped == SHORTEN_HEADER:
            header[4:] = ["ahead", "95 %"]
        if dropped in columns:
            columns.remove(dropped)
        table = aligned([[row[i] for i in columns] for row in [header, *rows]],
                        [right[i] for i in columns])  # fmt: skip
        if max(len(line) for line in table) <= width:
            break
    palette = chart_style.palette
    styles = [palette.dim, palette.base, palette.run, *[palette.control] * len(result.controls)]
    return [Text(line, style) for line, style in zip(table, styles, strict=True)]


def _ranking(result: RunFinished, width: int) -> list[str]:
    """With questions: intervals, the other figures of the ranking, and small vectors on test."""
    if result.metric == "spearman":
        return []
    lines = []
    low, high = result.gain_test_low, result.gain_test_high
    if low is not None and high is not None:
        over = gain(result.test_score - result.base_test)
        lines.append(f"on test {over} over base (95 % {gain(low)} to {gain(high)})")
    base, tuned = ranking_rows(result)
    names = RANKING_COLUMNS[1:]
    figures = [
        f"{name} {before} to {after}"
        for name, before, after in zip(names, base[2:], tuned[2:], strict=True)
        if after != "-"
    ]
    lines += _filled(figures, width)
    if result.vector_scores:
        sizes = [
            f"{numbers} {dtype} {after} (base {before})"
            for numbers, dtype, _, before, after in vector_rows(result)
        ]
        lines += _filled([f"small vectors: {sizes[0]}", *sizes[1:]], width)
    return lines


def _filled(pieces: list[str], width: int) -> list[str]:
    """The pieces on as few lines as they need, with a comma between two."""
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}, {piece}" if lines else piece
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _facts(result: RunFinished, width: int) -> list[str]:
    share = result.params_added / result.params_base if result.params_base else float("nan")
    apart = apart_words(result)
    facts = [
        f"{result.switches_kept} of {result.switches} switches kept",
        f"{count(result.params_added)} parameters added ({share:.2%})",
        best_epoch_words(result.best_epoch, result.epochs),
        f"guard {correlation(result.guard_spearman)}",
        f"general {correlation(result.base_guard_scored_spearman)} to "
        f"{correlation(result.guard_scored_spearman)}",
        *([f"on the guard's test half {apart}"] if apart else []),
        f"{duration(result.train_seconds)} training, {duration(result.total_seconds)} in all",
        f"{result.pairs_per_second:.0f} pairs/s",
        f"peak {megabytes(result.peak_rss_mb)}",
    ]
    return _filled(facts, width)
