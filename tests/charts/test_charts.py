"""Charts as tables: plots, timeline, meter, guard, head, result, row shares; also in ASCII."""

from __future__ import annotations

import math

import pytest
from app_support import (
    evaluated,
    finished,
    grown,
    settled,
    started,
    step,
    whole_run,
)

from nexus_engine import events as ev
from nexus_engine.runs.run_view import EpochPoint, RunView, reduce
from nexus_engine.runs.series import EMPTY
from nexus_tui.charts.kit import axis
from nexus_tui.charts.kit.meter import meter, spark
from nexus_tui.charts.kit.plot import Curve, Reference, Span, plot
from nexus_tui.charts.run.guard import guard_lines, meaning
from nexus_tui.charts.run.heading import Head, doing, head_lines, resumable
from nexus_tui.charts.run.log import window, wrapped
from nexus_tui.charts.run.metrics import METRICS, chart, drawing
from nexus_tui.charts.run.notes import note_lines
from nexus_tui.charts.run.one_picture import state_lines, terminal_chart_style
from nexus_tui.charts.run.result import headline, result_picture
from nexus_tui.charts.run.row_shares import split_rows
from nexus_tui.charts.run.timeline import detail, summary, switch_columns, timeline
from nexus_tui.words.formats import shown

UNICODE = terminal_chart_style(ascii_only=False)
ASCII = terminal_chart_style(ascii_only=True)
BOTH = pytest.mark.parametrize("chart_style", [UNICODE, ASCII], ids=["unicode", "ascii"])


def series(*values):
    points = EMPTY
    for x, value in enumerate(values):
        points = points.add(x, value)
    return points


def view_of(events):
    view = RunView()
    for event in events:
        view = reduce(view, event)
    return view


def plain(lines):
    return [line.plain for line in lines]


def drawn(*values, width=30, height=6, chart_style=UNICODE, **more):
    curve = Curve(points=series(*values).points, style=chart_style.palette.run)
    return plain(plot([curve], Span(low=0, high=max(1, len(values) - 1)), width=width,
                      height=height, chart_style=chart_style, **more))  # fmt: skip


# Plots


@BOTH
@pytest.mark.parametrize(
    "values",
    [(), (1.0,), (5.0, 5.0, 5.0), (math.nan,) * 3, (1e-300, 1e300), (-1.7e308, 1.7e308),
     (1e9 + 1, 1e9 + 2), (0.0, math.inf, -math.inf, 1.0), (5e-324, 1e-323), tuple(range(400))],
)  # fmt: skip
@pytest.mark.parametrize("size", [(30, 6), (78, 20), (9, 3), (3, 2), (1, 2), (0, 5), (30, 1)])
def test_any_numbers_in_any_room_are_drawn_within_it(chart_style, values, size):
    width, height = size
    for log in (False, True):
        lines = drawn(*values, width=width, height=height, chart_style=chart_style, log=log)
        assert len(lines) == (height if width and height > 1 else 0)
        assert all(len(line) <= width for line in lines)
        if chart_style is ASCII:
            assert all(line.isascii() for line in lines)


def test_a_rising_curve_rises_and_its_axis_reads():
    lines = drawn(0.0, 1.0, 2.0, 3.0, width=30, height=7)
    first = [next((i for i, c in enumerate(line) if "⠀" < c <= "⣿"), None) for line in lines[:-1]]
    rows = [row for row in first if row is not None]
    assert rows == sorted(rows, reverse=True)
    assert lines[-2].startswith("0")
    assert len(rows) >= 5


def test_a_value_that_is_not_finite_is_marked_and_never_bridged():
    unbroken = drawn(1.0, 2.0, 2.0, 1.0, width=40)
    broken = drawn(1.0, math.nan, math.nan, 1.0, width=40)
    assert "×" not in "".join(unbroken)
    assert broken[0].count("×") == 2
    between = [line[18:28] for line in broken[1:-1]]
    assert not "".join(between).strip()


def test_all_nan_is_marked_and_no_value_is_said_in_words():
    assert "×" in drawn(math.nan, math.nan)[0]
    assert "no value yet" in "\n".join(drawn())


def test_joined_points_keep_their_lowest_and_highest():
    flat = series(*([0.5] * 601))
    with_peak = series(*([0.5] * 300), 9.0, *([0.5] * 300))
    for curve, tall in ((flat, False), (with_peak, True)):
        lines = plain(
            plot(
                [Curve(points=curve.points, style=UNICODE.palette.run)],
                Span(low=0, high=600),
                width=40,
                height=8,
                chart_style=UNICODE,
            )
        )
        rows = sum(any("⠀" < c <= "⣿" for c in line) for line in lines)
        assert (rows > 5) is tall


@BOTH
def test_references_are_named_where_nothing_is_in_the_way(chart_style):
    curve = Curve(points=series(1.0, 2.0).points, style=chart_style.palette.run)
    low = Reference(name="base", value=1.0, style=chart_style.palette.base)
    lines = plain(plot([curve], Span(low=0, high=1), width=40, height=6, chart_style=chart_style,
                       references=[low]))  # fmt: skip
    assert lines[-2].rstrip().endswith("base")
    assert lines[-2].count(chart_style.glyphs.reference) > 5
    nan = Reference(name="base", value=math.nan, style=chart_style.palette.base)
    assert "base" not in "".join(
        plain(
            plot(
                [curve],
                Span(low=0, high=1),
                width=40,
                height=6,
                chart_style=chart_style,
                references=[nan],
            )
        )
    )


def test_a_control_is_told_from_the_run_without_colour():
    points = series(1.0, 1.0).points
    style = UNICODE.palette.run
    solid, dotted = (
        "".join(plain(plot([Curve(points=points, style=style, dotted=dots)], Span(low=0, high=1),
                           width=40, height=5, chart_style=UNICODE)))
        for dots in (False, True)
    )  # fmt: skip
    assert solid != dotted
    assert sum(bin(ord(c) - 0x2800).count("1") for c in dotted if c >= "⠀") < sum(
        bin(ord(c) - 0x2800).count("1") for c in solid if c >= "⠀"
    )


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(0.42, 0.02, "0.42"), (0.4, 0.025, "0.400"), (1.0, 0.5, "1.0"), (0.0, 0.02, "0.00"),
     (1e-12, 0.02, "0.00"), (1200.0, 200.0, "1200"), (math.nan, 0.1, "nan"),
     (-math.inf, 0.1, "-inf"), (1e-7, 1e-7, "1e-7"), (2.5e9, 5e8, "2.5e9"), (0.0017, 0.0, "0.0017"),
     (1e9 + 1, 0.5, "1.000000001e9")],
)  # fmt: skip
def test_numbers_on_an_axis_are_short_and_exact(value, step, text):
    assert axis.number(value, step) == text


@pytest.mark.parametrize(
    ("now", "planned", "floor", "end"),
    [(0, 800, 100, 100), (99, 800, 100, 100), (101, 800, 100, 200), (500, 800, 100, 800),
     (900, 800, 100, 900), (1, 3, 3, 3)],
)  # fmt: skip
def test_a_growing_axis_doubles(now, planned, floor, end):
    assert axis.shown_end(now, planned, floor) == end


@BOTH
def test_words_on_the_axis_never_overlap(chart_style):
    ticks = [axis.Tick(n / 40, str(n)) for n in range(41)]
    line = axis.x_axis(ticks, 50, chart_style, "epoch 40").plain
    assert len(line) == 50
    assert line.endswith("epoch 40")
    words = line.replace(chart_style.glyphs.line, " ").replace(chart_style.glyphs.tick, " ").split()
    numbers = [int(word) for word in words[:-2]]
    assert numbers == sorted(set(numbers))


@BOTH
def test_every_metric_is_drawn_from_nothing_to_the_end(chart_style):
    run = whole_run()
    for events in ([], run[:1], run[:6], run[:30], run):
        view = view_of(events)
        for metric in METRICS:
            for large in (False, True):
                lines = chart(
                    metric, view, width=50, height=9, chart_style=chart_style, large=large
                )
                assert len(lines) == 9
                assert all(line.cell_len <= 50 for line in lines)


def test_figures_tell_last_best_and_broken_values():
    view = view_of([*whole_run()[:30], step(120, math.nan)])
    loss, dev = (drawing(metric, view, UNICODE) for metric in METRICS[:2])
    assert "last nan" in loss.figures
    assert "1 not finite" in loss.figures
    assert "best 0.4533 +0.0333" in dev.figures
    assert [reference.name for reference in dev.references] == ["base"]


def test_controls_are_curves_and_the_best_is_a_reference():
    events = whole_run()[:-1]
    events += [evaluated(0, 0.42, arm="control:a"), evaluated(1, 0.45, arm="control:a"),
               evaluated(1, 0.47, arm="control:b")]  # fmt: skip
    dev = drawing(METRICS[1], view_of(events), UNICODE, large=True)
    assert len(dev.curves) == 3
    assert [curve.dotted for curve in dev.curves] == [True, True, False]
    assert [(r.name, r.value) for r in dev.references] == [("base", 0.42), ("control b", 0.47)]


# Timeline


def test_the_timeline_shows_the_outcome_of_each_set():
    events = whole_run()
    at = next(i for i, event in enumerate(events) if isinstance(event, ev.SwitchSettled))
    arm = view_of(events[: at + 2]).arm("main")
    signs, _, phases = plain(timeline(arm, width=78, chart_style=UNICODE))
    assert signs.split() == ["●", "+0.0333", "◌", "on", "trial"]
    assert phases.split("│")[1].strip() == "0.4200 → 0.4533"
    assert phases.index("│", 1) == switch_columns(arm, 78)[2]
    assert summary(arm) == "1 of 1 kept, 32,292 parameters, 32,292 on trial"
    rolled_back = view_of([*events[: at + 2], settled(2, 2, 0.4533, 0.45, kept=False)]).arm("main")
    signs, _, phases = plain(timeline(rolled_back, width=78, chart_style=ASCII))
    assert "o -0.0033" in signs
    assert "0.4533 -> 0.4500 rolled back" in phases
    assert "rolled back" in detail(rolled_back.switches[1], ASCII)


@BOTH
@pytest.mark.parametrize("width", [0, 1, 2, 8, 20, 58, 118])
@pytest.mark.parametrize("count", [0, 1, 2, 32])
def test_any_number_of_switches_fits_any_width(chart_style, width, count):
    events = [started(epochs=40), evaluated(0, 0.4)]
    events += [ev.EpochStarted(epoch=40, epochs=40, steps=10, sets=1, params_trained=1)]
    events += [grown(n + 1, n, 0.4) for n in range(count)]
    arm = view_of(events).arm("main")
    lines = timeline(arm, width=width, chart_style=chart_style, selected=1)
    assert len(lines) == 3
    assert all(line.cell_len <= width for line in lines)
    if chart_style is ASCII:
        assert all(line.plain.isascii() for line in lines)


def test_switches_in_one_cell_are_counted_and_the_selected_one_is_shown():
    events = [started(epochs=1000), evaluated(0, 0.4)]
    events += [ev.EpochStarted(epoch=900, epochs=1000, steps=10, sets=1, params_trained=1)]
    events += [grown(n + 1, n, 0.4) for n in range(3)]
    arm = view_of(events).arm("main")
    assert timeline(arm, width=60, chart_style=UNICODE)[0].plain.startswith("3")
    assert timeline(arm, width=60, chart_style=UNICODE, selected=2)[0].plain.startswith("◌")


# Meter, spark, guard


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "...."), (0.5, "##.."), (1.0, "####"), (7.0, "####"), (-1.0, "...."),
     (math.nan, "...."), (math.inf, "....")],
)  # fmt: skip
def test_a_meter_is_filled_by_its_share(share, text):
    assert meter(share, 4, ASCII).plain == text
    assert len(meter(share, 4, UNICODE).plain) == 4


@pytest.mark.parametrize(
    ("values", "text"),
    [((), ""), ((1.0, 2.0, 3.0), "▁▅█"), ((1.0, 1.0), "▅▅"), ((1.0, math.nan, 2.0), "▁×█"),
     ((math.inf,), "×")],
)  # fmt: skip
def test_a_spark_shows_each_value(values, text):
    assert spark(values, 8, UNICODE) == text


def point(epoch, agreement, scored):
    return EpochPoint(epoch=epoch, score=0.5, pearson=0.5, guard_spearman=agreement,
                      guard_scored_spearman=scored, is_best=False)  # fmt: skip


@pytest.mark.parametrize(
    ("agreement", "scored", "words", "severity"),
    [(0.99, 0.914, "is kept", "good"), (0.9, 0.93, "better", "good"),
     (0.9, 0.90, "a little", "good"), (0.9, 0.88, "forgets", "warn"),
     (0.5, 0.5, "much", "bad"), (math.nan, 0.9, "not a number", "bad"),
     (0.9, math.nan, "not a number", "bad")],
)  # fmt: skip
def test_the_guard_is_put_into_words(agreement, scored, words, severity):
    verdict, verdict_severity = meaning(point(0, 1.0, 0.914), point(2, agreement, scored))
    assert words in verdict
    assert verdict_severity == severity


def test_the_guard_fits_its_room():
    arm = view_of(whole_run()).arm("main")
    for width in (20, 40, 58, 78, 120):
        line = guard_lines(arm, width=width, height=1, chart_style=UNICODE)[0]
        assert line.cell_len <= width
    assert "agreement 0.9700" in guard_lines(arm, width=78, height=1, chart_style=UNICODE)[0].plain
    assert len(guard_lines(arm, width=40, height=4, chart_style=UNICODE)) == 4
    empty = RunView().arm("main")
    assert (
        "after each epoch" in guard_lines(empty, width=78, height=1, chart_style=UNICODE)[0].plain
    )


# Head and result

STOPPED = ev.RunStopped(reason="stop", exit_code=143, epoch=2, step=99, checkpoint="c")
FAILED = ev.RunFailed(message="disk is full", kind="OSError", exit_code=4)


@pytest.mark.parametrize(
    ("upto", "more", "head", "words"),
    [
        (0, (), {}, "reading data and model"),
        (1, (), {}, "measuring the base model"),
        (12, (), {}, "training epoch 1/3"),
        (12, (), {"requested": "pause"}, "pausing before the next step"),
        (12, (), {"starting": True}, "reading data and model"),
        (12, (), {"alive": False}, "interrupted"),
        (12, (ev.PauseChanged(paused=True),), {}, "paused in epoch 1/3"),
        (12, (step(69),), {}, "evaluating epoch 1/3"),
        (12, (STOPPED,), {}, "stopped in epoch 2"),
        (12, (FAILED,), {}, "failed"),
        (12, (finished(),), {}, "finished"),
        (12, (evaluated(0, 0.4, arm="control:a"), ev.EpochStarted(
            epoch=1, epochs=3, steps=9, sets=0, params_trained=1, arm="control:a")), {},
         "control a: training epoch 1/3"),
    ],
)  # fmt: skip
def test_the_state_is_told_in_words(upto, more, head, words):
    view = view_of([*whole_run()[:upto], *more])
    assert words in doing(view, Head(name="n", **head), UNICODE)[0]
    for width in (20, 38, 58, 78, 118):
        lines = head_lines(view, Head(name="n" * 80, **head), width, UNICODE)
        assert all(line.cell_len <= width or "nexus train" in line.plain for line in lines)


def test_figures_of_progress_and_dropped_steps():
    view = view_of(whole_run()[:12])
    line = head_lines(view, Head(name="n", dropped_steps=7), 110, UNICODE)[1].plain
    for words in ("7 steps not shown", "140 pairs/s", "/207", "left", "MB"):
        assert words in line


def test_the_head_says_how_to_resume():
    keyed = Head(name="n", keys={"run.resume": "F5"})
    for end in (STOPPED, FAILED):
        view = view_of([*whole_run()[:12], end])
        assert resumable(view, keyed)
        assert "F5 goes on" in head_lines(view, keyed, 78, UNICODE)[-1].plain
        bare = head_lines(view, Head(name="n"), 78, UNICODE)[-1].plain
        assert bare.startswith("resume with: nexus train --resume")
    assert "disk is full" in "\n".join(plain(head_lines(view, keyed, 78, UNICODE)))
    assert not resumable(view_of([STOPPED]), keyed)
    assert not resumable(view_of(whole_run()), keyed)
    assert resumable(view_of(whole_run()[:12]), Head(name="n", alive=False))


def control(low):
    return ev.ControlResult(
        name="no-dendrites", description="d", params_trained=1, dev_spearman=0.5,
        test_spearman=0.5, guard_spearman=0.9, best_epoch=1, gain_dev_spearman=0.02,
        gain_low=low, gain_high=0.03,
    )  # fmt: skip


def test_the_result_counts_a_gain_against_the_control_only_when_its_interval_does():
    assert headline(finished()) == (("dev 0.5200", "+0.1000 over base"), True)
    pieces, good = headline(finished(controls=(control(0.01),)))
    assert good
    assert pieces[-1] == "+0.0200 over control"
    for low in (-0.01, math.nan):
        pieces, good = headline(finished(controls=(control(low),)))
        assert not good
        assert "not proven" in pieces[-1]


@pytest.mark.parametrize("width", [40, 58, 78, 118])
def test_the_result_fits_and_names_what_comes_next(width):
    keys = {"run.playground": "t", "run.export": "e", "run.compare": "c", "run.new": "n"}
    view = view_of([*whole_run()[:-1], finished(controls=(control(0.01),))])
    lines = plain(result_picture(view, Head(name="r", keys=keys), width, UNICODE))
    text = "\n".join(lines)
    assert "base" in text
    assert "0.5200" in text
    assert "control no-dendrites" in text
    if width >= 58:
        assert "+0.0100 to +0.0300" in text
        assert "2 of 2 switches kept" in text
        assert "t try it on sentences   e export it" in lines[-1]
        assert ("c compare runs" in lines[-1]) == (width >= 78)  # what does not fit is left out
        assert all(len(line) <= width for line in lines)
    assert result_picture(view_of(whole_run()[:9]), Head(name="r"), width, UNICODE) == []


def test_warnings_and_arms_are_shown():
    bad = "two \x1b[31m\u202eend"
    events = [*whole_run()[:-1], evaluated(1, 0.45, arm="control:a")]
    view = view_of([*events, ev.Warned(message="one"), ev.Warned(message=bad)])
    arms, warning = plain(note_lines(view, 78, UNICODE))
    assert arms.split("▸")[1].startswith("control a 0.4500")
    assert warning == "! two [31mend (2 in the log)"


# Log, row shares, one screen


def test_the_log_wraps_at_words_and_keeps_its_place():
    from rich.text import Text

    rows = wrapped([Text("one two three four five", style="green")], 12, UNICODE)
    assert plain(rows) == ["one two", "  three four", "  five"]
    assert rows[0].style == UNICODE.palette.good
    assert plain(window(rows, 2, 0)[0]) == ["  three four", "  five"]
    assert plain(window(rows, 2, 99)[0]) == ["one two", "  three four"]
    assert window(rows, 2, 99)[1] == 1
    assert window(rows, 2, -5)[1] == 0


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("head", [3, 5, 12])
def test_rows_are_all_given_out_and_no_more(head, ended):
    for height in range(1, 90):
        shares = split_rows(height, head, ended=ended)
        assert min(shares) >= 0
        assert sum(shares) <= max(0, height - head)
        if height >= 22 and not ended and head == 3:
            assert shares.timeline == 4
            assert shares.guard == 1
            assert shares.log >= 3
            assert sum(shares) == height - head


@BOTH
@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_one_screen_of_state_is_plain_and_fits(chart_style, width):
    for events in ([], whole_run()[:1], whole_run()[:20], whole_run()):
        lines = state_lines(view_of(events), Head(name="run"), width, chart_style)
        limit = max(20, min(width, 120))
        assert all(line.cell_len <= limit or "nexus train" in line.plain for line in lines)
        if chart_style is ASCII:
            assert all(line.plain.isascii() for line in lines)


def test_foreign_text_holds_no_control_characters():
    bad = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A),
           0x200E, 0x200F, 0x061C, 0xFEFF]  # fmt: skip
    for code in bad:
        assert shown(f"a{chr(code)}b", 20) in ("ab", "a b"), hex(code)
