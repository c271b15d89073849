"""Tables and lines that commands print for people. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.events import RunFinished
from nexus_engine.metric_words import metric_name
from nexus_tui.words.formats import (
    aligned,
    best_epoch_words,
    correlation,
    count,
    duration,
    gain,
    megabytes,
    shown,
)
from nexus_tui.words.metrics import RANKING_COLUMNS, apart_words, ranking_rows, vector_rows

__all__ = ["bar", "result_lines", "side_by_side", "switch_rows", "table"]

BAR_CELLS = 30


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]
) -> list[Text]:
    """A bold header and rows with aligned columns; `right[i]` aligns column i to the right."""
    lines = aligned([header, *rows], right)
    return [Text(lines[0], style="bold"), *(Text(line) for line in lines[1:])]


def result_lines(result: RunFinished) -> list[Text]:
    """The result of a run as a table, with its facts and the next command to type."""
    rows = [
        (
            "base",
            correlation(result.base_dev),
            correlation(result.base_test),
            correlation(1.0),
            count(0),
        ),
        (
            "tuned",
            correlation(result.best_dev),
            correlation(result.test_score),
            correlation(result.guard_spearman),
            count(result.params_trained),
        ),
    ]
    rows += [
        (
            f"control {one_line(control.name, 40)}",
            correlation(control.dev_score),
            correlation(control.test_score),
            correlation(control.guard_spearman),
            count(control.params_trained),
        )
        for control in result.controls
    ]
    right = (False, True, True, True, True)
    header = (metric_name(result.metric), "dev", "test", "guard", "trained")
    lines = table(header, rows, right)
    if result.metric != "spearman":
        numbers = tuple(True for _ in RANKING_COLUMNS)
        ranking = table(("test", *RANKING_COLUMNS), ranking_rows(result), (False, *numbers))
        lines += [Text(), *ranking, Text()]
    if result.vector_scores:
        sizes = ("numbers", "stored as", "bytes", "base nDCG@10", "tuned")
        lines += [*table(sizes, vector_rows(result), (True, False, True, True, True)), Text()]
    lines += [Text(line) for line in _gains(result)]
    lines += [Text(line) for line in _facts(result)]
    return lines


def _gains(result: RunFinished) -> list[str]:
    over_dev = gain(result.best_dev - result.base_dev)
    over_test = gain(result.test_score - result.base_test)
    lines = [f"over base: dev {over_dev}, test {over_test}{_gain_interval(result)}"]
    if result.test_low is not None and result.test_high is not None:
        low, high = correlation(result.test_low), correlation(result.test_high)
        lines[0] += f"; test lies in {low} to {high} (95 %)"
    for control in result.controls:
        interval = f"95 % {gain(control.gain_low)} to {gain(control.gain_high)}"
        lines.append(
            f"over control {one_line(control.name, 40)}: dev {gain(control.gain_dev)} ({interval})"
        )
    return lines


def _gain_interval(result: RunFinished) -> str:
    low, high = result.gain_test_low, result.gain_test_high
    return "" if low is None or high is None else f" (95 % {gain(low)} to {gain(high)})"


def _facts(result: RunFinished) -> list[str]:
    share = result.params_added / result.params_base if result.params_base else float("nan")
    return [
        f"dendrites: {result.switches_kept} of {result.switches} switches kept, "
        f"{count(result.params_added)} parameters added ({share:.4%} of the base model)",
        f"{best_epoch_words(result.best_epoch, result.epochs)}; "
        f"trained in {duration(result.train_seconds)}, {duration(result.total_seconds)} in total; "
        f"{result.pairs_per_second:.0f} pairs/s; peak memory {megabytes(result.peak_rss_mb)}",
        *_general(result),
        f"run folder: {one_line(result.run_dir, 300)}",
        'next: nexus similarity latest "one sentence" "another sentence"'
        if result.metric == "spearman"
        else 'next: nexus search latest "a question" --corpus FILE',
    ]


def _general(result: RunFinished) -> list[str]:
    """General quality, where a half of the guard was set apart to measure it."""
    words = apart_words(result)
    where = "on the guard's test half, which neither trains nor steers"
    return [f"general language: Spearman {words} {where}"] if words else []


def bar(value: float, cells: int = BAR_CELLS) -> str:
    """A cosine as a bar of `cells` cells for 0..1; empty below 0 and for NaN."""
    filled = round(min(max(value, 0.0), 1.0) * cells) if value == value else 0
    return "#" * filled + "." * (cells - filled)


def side_by_side(
    first: str, second: str, base: float, tuned: float | None, columns: int
) -> list[Text]:
    """Two sentences and their cosine by the base and the tuned model (None: base only)."""
    cells = max(5, min(BAR_CELLS, columns - 16))
    lines = [
        Text(f"1  {shown(first, columns - 3)}"),
        Text(f"2  {shown(second, columns - 3)}"),
        Text(f"base   {bar(base, cells)} {correlation(base)}"),
    ]
    if tuned is not None:
        lines.append(Text(f"tuned  {bar(tuned, cells)} {correlation(tuned)}"))
        lines.append(Text(f"difference {gain(tuned - base)}"))
    return lines


def switch_rows(
    switches: Sequence[tuple[int, int, str, float, float | None, int]],
) -> list[Text]:
    """The table of switches: number, epoch, state, dev score before and after, parameters."""
    rows = [
        (str(number), str(epoch), state, correlation(before), correlation(after), count(params))
        for number, epoch, state, before, after, params in switches
    ]
    header = ("switch", "epoch", "state", "before", "after", "parameters")
    return table(header, rows, (True, True, False, True, True, True))
