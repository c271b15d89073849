"""Runs side by side: what they came to, what they cost, which settings differ. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.runs.summary import RunRecord
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.words.formats import correlation, count, duration, gain, megabytes

__all__ = ["Judged", "columns_that_fit", "comparison"]

LABEL = 17
COLUMN = 13
"""Cells of the names of the rows, and of the column of each run."""
DERIVED = ("fit",)
"""What a run's settings hold for the run itself."""
LEGEND = 6
"""Runs named above the table; further ones are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run's weights on the first run's test pairs, against the first: a 95 % interval."""

    spearman: float
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "undecided"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row: `best` is max or min where the best value is to be marked."""

    label: str
    values: Sequence[str]
    numbers: Sequence[float | None] = ()
    best: Callable[[Sequence[float]], float] | None = None
    differs: bool = False


def columns_that_fit(width: int) -> int:
    """How many runs stand side by side in `width` cells."""
    return max(1, (width - LABEL) // COLUMN)


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
    """All lines: a legend, then the table of the runs from `first` on that fit into `width`."""
    palette = chart_style.palette
    seen = range(first, min(len(records), first + columns_that_fit(width)))
    lines = _legend(records, letters, width, chart_style)
    head = Text().append(" " * LABEL)
    for place in seen:
        head.append(letters[place].rjust(COLUMN), palette.title)
    if len(seen) < len(records):
        head.append(f"  {first + 1}-{seen.stop} of {len(records)}"[: max(0, width - head.cell_len)])
    lines.append(head)
    if judged:  # first, so that who asked for it sees it without scrolling
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
    for letter, record in list(zip(letters, records, strict=True))[:LEGEND]:
        run = record.summary
        line = Text().append(f"{letter} ", chart_style.palette.title)
        words = f"{run.name}  {run.state}"
        if record.facts.get("data_fingerprint") != records[0].facts.get("data_fingerprint"):
            words += f"  other pairs or splits than {letters[0]}"
        lines.append(line.append(fitted(words, width - 2, chart_style), chart_style.palette.text))
    if len(records) > LEGEND:
        lines.append(Text(f"and {len(records) - LEGEND} more", style=chart_style.palette.dim))
    return lines


def _line(row: _Row, seen: range, chart_style: ChartStyle) -> Text:
    palette = chart_style.palette
    line = Text().append(row.label[: LABEL - 1].ljust(LABEL), palette.dim)
    finite = [n for n in row.numbers if n is not None and math.isfinite(n)]
    top = row.best(finite) if row.best is not None and len(finite) > 1 else None
    if top is not None and all(number == top for number in finite):
        top = None
    for place in seen:
        number = row.numbers[place] if row.numbers else None
        is_top = top is not None and number == top
        words = fitted(row.values[place], COLUMN - 2, chart_style)
        if is_top:
            words = f"{chart_style.glyphs.best} {words}"
        style = palette.good if is_top else (palette.control if row.differs else palette.text)
        line.append(words.rjust(COLUMN), style)
    return line


def _result_rows(records: Sequence[RunRecord]) -> list[_Row]:
    def numbers(get: Callable[[RunRecord], float | None]) -> list[float | None]:
        return [get(record) for record in records]

    def row(
        label: str,
        get: Callable[[RunRecord], float | None],
        words: Callable[[Any], str],
        best: Callable[[Sequence[float]], float] | None = None,
    ) -> _Row:
        found = numbers(get)
        return _Row(label, ["-" if n is None else words(n) for n in found], found, best)

    def result(name: str) -> Callable[[RunRecord], float | None]:
        return lambda record: _number(record.last.get(name))

    def whole(value: float) -> str:
        return count(round(value)) if math.isfinite(value) else str(value)

    def over_control(record: RunRecord) -> float | None:
        controls = record.last.get("controls")
        gains = [
            _number(control.get("gain_dev_spearman"))
            for control in (controls if isinstance(controls, list) else [])
            if isinstance(control, dict)
        ]
        return min((one for one in gains if one is not None), default=None)

    # Scores on different pairs cannot be put in an order.
    alike = len({record.facts.get("data_fingerprint") for record in records}) == 1
    highest = max if alike else None
    cut = any(_per_pass(record) > 1 for record in records)  # else epochs are passes
    passes = [row("passes", _passes, lambda n: f"{n:g}")] if cut else []
    rows = [
        row("dev, best", lambda r: r.summary.best_dev_spearman, correlation, highest),
        row("  over base", lambda r: r.summary.gain, gain, highest),
        row("  over control", over_control, gain, highest),
        row("test", result("test_spearman"), correlation, highest),
        row("  over base", _test_gain, gain, highest),
        row("guard", result("guard_spearman"), correlation, max),
        row("best epoch", lambda r: _number(r.summary.best_epoch), whole),
        row("epochs", result("epochs"), whole),
        *passes,
        _Row(
            "switches kept",
            [
                "-" if s.switches_kept is None else f"{s.switches_kept}/{s.switches_tried}"
                for s in (record.summary for record in records)
            ],
        ),
        row("added", lambda r: _number(r.summary.params_added), whole, min),
        row("trained", result("params_trained"), whole, min),
        row("time, training", result("train_seconds"), duration, min),
        row("time, in all", result("total_seconds"), duration, min),
        row("pairs/s", result("pairs_per_second"), lambda n: f"{n:.0f}", max),
        row("memory, peak", result("peak_rss_mb"), megabytes, min),
    ]
    return [one for one in rows if any(value != "-" for value in one.values)]


def _per_pass(record: RunRecord) -> float:
    """Epochs in a pass over the train pairs."""
    return _number(record.settings.get("epochs_per_pass")) or 1.0


def _passes(record: RunRecord) -> float | None:
    """Over the train pairs, in all the run's epochs."""
    epochs = _number(record.last.get("epochs"))
    return None if epochs is None else round(epochs / _per_pass(record), 2)


def _test_gain(record: RunRecord) -> float | None:
    test = _number(record.last.get("test_spearman"))
    base = _number(record.last.get("base_test_spearman"))
    return None if test is None or base is None else test - base


def _judged_rows(judged: Sequence[Judged | None]) -> list[_Row]:
    found = [None if one is None else one.spearman for one in judged]
    others = judged[1:]
    return [
        _Row("test", ["-" if n is None else correlation(n) for n in found], found, max),
        _Row("  to the first", ["", *(_words(j, lambda j: gain(j.difference)) for j in others)]),
        _Row("  95 % from", ["", *(_words(j, lambda j: gain(j.low)) for j in others)]),
        _Row("  95 % to", ["", *(_words(j, lambda j: gain(j.high)) for j in others)]),
        _Row("  is", ["", *(_words(j, lambda j: j.verdict) for j in others)]),
    ]


def _words(judged: Judged | None, words: Callable[[Judged], str]) -> str:
    return "no weights" if judged is None else words(judged)


def _setting_rows(records: Sequence[RunRecord]) -> list[_Row]:
    """The settings in which the runs are not all alike."""
    names = dict.fromkeys(name for record in records for name in record.settings)
    rows = []
    for name in names:
        if name in DERIVED:
            continue
        values = [_plain(record.settings.get(name)) for record in records]
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
