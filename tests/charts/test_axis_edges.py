"""Scales and axes at every edge of the floating-point numbers: finite, complete, and legible."""

from __future__ import annotations

import itertools
import math
import sys
import time

import pytest
from rich.style import Style

from nexus_engine.runs.series import EMPTY, MAX_POINTS
from nexus_tui.charts.kit.axis import nice_scale, number, shown_end, tick_labels, whole_ticks
from nexus_tui.charts.kit.plot import Curve, Reference, Span, plot
from nexus_tui.charts.run.one_picture import terminal_chart_style

LARGEST = sys.float_info.max
POSITIVE = (
    5e-324, 1e-310, sys.float_info.min, 1e-300, 1e-5, math.nextafter(0.5, 0), 0.5,
    math.nextafter(0.5, 1), 1.0, 1e6, 2.0**53, 2.0**62, 1e300, 1e308,
    math.nextafter(LARGEST, 0), LARGEST,
)  # fmt: skip
EDGES = (0.0, *POSITIVE, *(-value for value in POSITIVE), math.inf, -math.inf, math.nan)
MAX_TICKS = 700
"""A logarithmic axis has a tick for each power of ten."""


@pytest.fixture(autouse=True)
def seconds():
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("log", [False, True])
def test_a_scale_around_any_two_numbers_has_few_ticks_and_places_all_on_it(log):
    for pair in itertools.combinations_with_replacement(EDGES, 2):
        scale = nice_scale(pair, 8, log=log)
        if scale is None:
            assert not any(math.isfinite(value) and (value > 0 or not log) for value in pair)
            continue
        ticks = scale.ticks()
        assert 0 < len(ticks) <= MAX_TICKS
        for value in (*pair, ticks[0], ticks[-1]):
            assert 0 <= scale.place(value) <= 1
            assert len(number(value, scale.step or scale.high / 2 - scale.low / 2)) < 40


@pytest.mark.parametrize("log", [False, True])
def test_ticks_of_different_values_have_different_labels(log):
    near = [(1.0, 1.0 + 10.0**-power) for power in range(1, 16)]
    pairs = [*itertools.combinations(EDGES, 2), *near, (1e9, 1e9 + 3), (0.001, 1000.0)]
    for pair in pairs:
        scale = nice_scale(pair, 8, log=log)
        if scale is not None:
            ticks = scale.ticks()
            labels = tick_labels(ticks, 0.0 if log else scale.step)
            assert len(set(labels)) == len(set(ticks)), pair
            assert max(map(len, labels)) < 40


@pytest.mark.parametrize("low", [0.99999995, 0.9999998, 1 - 1e-12])
def test_a_curve_just_below_one_has_no_label_twice(low):
    curve = Curve(points=EMPTY.add(0, 1.0).add(1, low).points, style=Style())
    chart_style = terminal_chart_style(ascii_only=True)
    lines = plot([curve], Span(low=0, high=1), width=60, height=9, chart_style=chart_style)
    labels = [line.plain.split()[0] for line in lines[:-1] if line.plain[0] != " "]
    assert len(labels) > 1
    assert len(set(labels)) == len(labels)


def test_a_growing_axis_ends_at_a_finite_number_above_zero_with_few_ticks():
    assert shown_end(3, 100, 8) == 12.5
    for now, planned in itertools.product(EDGES, EDGES):
        for floor in (0.0, 8.0, -1.0, 1e308, math.inf, math.nan):
            end = shown_end(now, planned, floor)
            assert 0 < end <= LARGEST
            assert 1 <= len(whole_ticks(end)) <= 2002


def test_ticks_stand_at_every_whole_number_while_there_is_room():
    assert list(whole_ticks(5.5)) == [0, 1, 2, 3, 4, 5]
    assert list(whole_ticks(20, every=7)) == [0, 7, 14]
    assert list(whole_ticks(2.0**62, max_ticks=4))[:1] == [0]
    assert len(whole_ticks(2**62, every=3, max_ticks=4)) <= 6
    assert list(whole_ticks(math.nan)) == list(whole_ticks(-1.0)) == [0]


@pytest.mark.parametrize("log", [False, True])
def test_any_two_values_are_plotted(log):
    chart_style = terminal_chart_style(ascii_only=False)
    for first, second in itertools.combinations_with_replacement(EDGES[::2], 2):
        curve = Curve(points=EMPTY.add(0, first).add(1, second).points, style=Style())
        level = Reference(name="base", value=first, style=Style())
        lines = plot(
            [curve],
            Span(low=0, high=1),
            width=24,
            height=5,
            chart_style=chart_style,
            references=[level],
            log=log,
        )
        assert len(lines) == 5


def test_huge_values_that_are_joined_keep_a_finite_mean():
    series = EMPTY
    for x in range(MAX_POINTS + 1):
        series = series.add(x, LARGEST)
    assert series.points[0].mean == pytest.approx(LARGEST)
