"""The table of runs side by side: results, costs, and the settings that differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.metric_words import RANKING_NAMES, metric_name
from nexus_engine.runs.summary import RunRecord
from nexus_engine.scores import Metric
from nexus_engine.settings.shown import shown_settings
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.words.formats import correlation, count, duration, gain, megabytes
from nexus_tui.words.metrics import different_metrics

__all__ = ["Judged", "columns_that_fit", "comparison"]

LABEL_WIDTH = 17
COLUMN_WIDTH = 13
"""Cells for the names of the rows, and for each run."""
MAX_LEGEND = 6
"""Runs named above the table; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Score of a run on the first run's test split, by its metric, and the difference to the first.

    `low` and `high` bound the 95 % confidence interval of the difference.
    """

    score: float
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Better or worse where the interval excludes 0, else undecided."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "undecided"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row; `best` is max or min if the best value is marked."""

    label: str
    values: Sequence[str]
    numbers: Sequence[float | None] = ()
    best: Callable[[Sequence[float]], float] | None = None
    differs: bool = False


def columns_that_fit(width: int) -> int:
    """Number of runs that fit side by side in `width` cells."""
    return max(1, (width - LABEL_WIDTH) // COLUMN_WIDTH)


def comparison(
    records: Sequence[RunRecord],
    letters: Sequence[str],
    *,
    first: int,
    width: int,
    chart_style: ChartStyle,
    judged: Sequence[Judged | None] = (),
    judged_on: str = "",
) -> list[Text]:
    """A legend, then the table of the runs from `first` on that fit into `width` cells."""
    palette = chart_style.palette
    seen = range(first, min(len(records), first + columns_that_fit(width)))
    lines = _legend(records, letters, width, chart_style)
    head = Text().append(" " * LABEL_WIDTH)
    for place in seen:
        head.append(letters[place].rjust(COLUMN_WIDTH), palette.title)
    if len(seen) < len(records):
        head.append(f"  {first + 1}-{seen.stop} of {len(records)}"[: max(0, width - head.cell_len)])
    lines.append(head)
    if judged:  # at the top, so that it shows without scrolling
        lines.append(Text(fitted(judged_on, width, chart_style), style=palette.dim))
        lines += [_line(row, seen, chart_style) for row in _judged_rows(judged)]
    for row in _result_rows(records):
        lines.append(_line(row, seen, chart_style))
    settings = _setting_rows(records)
    words = "settings that differ" if settings else "all settings are the same"
    lines += [Text(words, style=palette.dim), *(_line(row, seen, chart_style) for row in settings)]
    return lines


def _legend(
    records: Sequence[RunRecord], letters: Sequence[str], width: int, chart_style: ChartStyle
) -> list[Text]:
    lines = []
    for letter, record in list(zip(letters, records, strict=True))[:MAX_LEGEND]:
        run = record.summary
        line = Text().append(f"{letter} ", chart_style.palette.title)
        words = f"{run.name}  {run.state}"
        if record.facts.get("data_fingerprint") != records[0].facts.get("data_fingerprint"):
            pairs = records[0].summary.metric == "spearman"
            words += f"  other {'pairs or splits' if pairs else 'questions'} than {letters[0]}"
        lines.append(line.append(fitted(words, width - 2, chart_style), chart_style.palette.text))
    apart = different_metrics([record.summary.metric for record in records])
    if apart:
        lines.append(Text(fitted(apart, width, chart_style), chart_style.palette.warn))
    if len(records) > MAX_LEGEND:
        lines.append(Text(f"and {len(records) - MAX_LEGEND} more", style=chart_style.palette.dim))
    return lines


def _line(row: _Row, seen: range, chart_style: ChartStyle) -> Text:
    palette = chart_style.palette
    line = Text().append(row.label[: LABEL_WIDTH - 1].ljust(LABEL_WIDTH), palette.dim)
    finite = [n for n in row.numbers if n is not None and math.isfinite(n)]
    top = row.best(finite) if row.best is not None and len(finite) > 1 else None
    if top is not None and all(number == top for number in finite):
        top = None
    for place in seen:
        number = row.numbers[place] if row.numbers else None
        is_top = top is not None and number == top
        words = fitted(row.values[place], COLUMN_WIDTH - 2, chart_style)
        if is_top:
            words = f"{chart_style.glyphs.best} {words}"
        style = palette.good if is_top else (palette.control if row.differs else palette.text)
        line.append(words.rjust(COLUMN_WIDTH), style)
    return line


def _result_rows(records: Sequence[RunRecord]) -> list[_Row]:
    def row(
        label: str,
        get: Callable[[RunRecord], float | None],
        words: Callable[[Any], str],
        best: Callable[[Sequence[float]], float] | None = None,
    ) -> _Row:
        values = [get(record) for record in records]
        return _Row(label, ["-" if n is None else words(n) for n in values], values, best)

    def result(name: str) -> Callable[[RunRecord], float | None]:
        return lambda record: _number(record.last.get(name))

    def integer(value: float) -> str:
        return count(round(value)) if math.isfinite(value) else str(value)

    # Scores on different examples cannot be ranked.
    same_data = len({record.facts.get("data_fingerprint") for record in records}) == 1
    highest = max if same_data else None
    partial_epochs = any(_per_pass(record) > 1 for record in records)
    passes = [row("passes", _passes, lambda n: f"{n:g}")] if partial_epochs else []
    metrics = dict.fromkeys(record.summary.metric for record in records)
    scores = []
    for metric in metrics:
        # Where graded pairs are alone, their rows keep the short names that they always had.
        name = "" if list(metrics) == ["spearman"] else f" {metric_name(metric)}"

        def of(
            get: Callable[[RunRecord], float | None], metric: Metric = metric
        ) -> Callable[[RunRecord], float | None]:
            """`get` for the runs that `metric` judges, None for the others."""
            return lambda record: get(record) if record.summary.metric == metric else None

        scores += [
            row(f"dev{name}" if name else "dev, best", of(_best_dev), correlation, highest),
            row("  over base", of(lambda r: r.summary.gain), gain, highest),
            row("  over control", of(_over_control), gain, highest),
            row(f"test{name}", of(_test), correlation, highest),
            row("  over base", of(_test_gain), gain, highest),
        ]
    if "ndcg_at_10" in metrics:
        scores += [
            row(f"test {RANKING_NAMES[field]}", result(f"test_{field}"), correlation, highest)
            for field in ("mrr_at_10", "recall_at_1", "recall_at_10")
        ]
    rows = [
        *scores,
        row("guard", result("guard_spearman"), correlation, max),
        row("best epoch", lambda r: _number(r.summary.best_epoch), integer),
        row("epochs", result("epochs"), integer),
        *passes,
        _Row(
            "switches kept",
            [
                "-" if s.switches_kept is None else f"{s.switches_kept}/{s.switches_tried}"
                for s in (record.summary for record in records)
            ],
        ),
        row("added", lambda r: _number(r.summary.params_added), integer, min),
        row("trained", result("params_trained"), integer, min),
        row("time, training", result("train_seconds"), duration, min),
        row("time, in all", result("total_seconds"), duration, min),
        row("pairs/s", result("pairs_per_second"), lambda n: f"{n:.0f}", max),
        row("memory, peak", result("peak_rss_mb"), megabytes, min),
    ]
    return [shown for shown in rows if any(value != "-" for value in shown.values)]


def _per_pass(record: RunRecord) -> float:
    """Epochs in a pass over the train pairs."""
    return _number(record.settings.get("epochs_per_pass")) or 1.0


def _passes(record: RunRecord) -> float | None:
    """Passes over the train pairs in all epochs of the run."""
    epochs = _number(record.last.get("epochs"))
    return None if epochs is None else round(epochs / _per_pass(record), 2)


def _best_dev(record: RunRecord) -> float | None:
    return record.summary.best_dev


def _over_control(record: RunRecord) -> float | None:
    """The gain on dev over the strictest control."""
    controls = record.last.get("controls")
    gains = [
        _number(control.get(f"gain_dev_{record.summary.metric}"))
        for control in (controls if isinstance(controls, list) else [])
        if isinstance(control, dict)
    ]
    return min((value for value in gains if value is not None), default=None)


def _test(record: RunRecord) -> float | None:
    return _number(record.last.get(f"test_{record.summary.metric}"))


def _test_gain(record: RunRecord) -> float | None:
    test = _test(record)
    base = _number(record.last.get(f"base_test_{record.summary.metric}"))
    return None if test is None or base is None else test - base


def _judged_rows(judged: Sequence[Judged | None]) -> list[_Row]:
    scores = [None if run is None else run.score for run in judged]
    others = judged[1:]
    return [
        _Row("test", ["-" if n is None else correlation(n) for n in scores], scores, max),
        _Row("  to the first", ["", *(_words(j, lambda j: gain(j.difference)) for j in others)]),
        _Row("  95 % from", ["", *(_words(j, lambda j: gain(j.low)) for j in others)]),
        _Row("  95 % to", ["", *(_words(j, lambda j: gain(j.high)) for j in others)]),
        _Row("  is", ["", *(_words(j, lambda j: j.verdict) for j in others)]),
    ]


def _words(judged: Judged | None, words: Callable[[Judged], str]) -> str:
    return "no weights" if judged is None else words(judged)


def _setting_rows(records: Sequence[RunRecord]) -> list[_Row]:
    """A row for each setting in which the runs differ."""
    settings = [shown_settings(record.settings) for record in records]
    names = dict.fromkeys(name for of_run in settings for name in of_run)
    rows = []
    for name in names:
        values = [_plain(of_run.get(name)) for of_run in settings]
        if name == "data":
            values = [record.summary.data for record in records]
        if len(set(values)) > 1:
            rows.append(_Row(one_line(name, 40), values, differs=True))
    return rows


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(",".join(map(str, value)) if isinstance(value, list | tuple) else value, 60)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
