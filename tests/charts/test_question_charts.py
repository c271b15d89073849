"""Pictures of a run on questions: its metric has its name, its units are right, and it fits."""

from __future__ import annotations

import re
from functools import reduce

import pytest
from app_support import evaluated, finished, started, whole_run
from live_support import STOPPED
from question_events import answered, checked, evaluating, judged, question_run

from nexus_engine.runs import run_view
from nexus_engine.runs.run_view import RunView
from nexus_tui.charts.run.guard import guard_lines
from nexus_tui.charts.run.heading import Head, doing, name_line
from nexus_tui.charts.run.metrics import METRICS, chart, drawing, metrics_of
from nexus_tui.charts.run.one_picture import state_lines, terminal_chart_style
from nexus_tui.charts.run.result import result_picture
from nexus_tui.charts.run.row_shares import split_rows

STYLE = terminal_chart_style(ascii_only=False)
HEAD = Head(name="scripted")
RUN = question_run()
TRAINING = RUN[:50]
FIRST_EVALUATION = next(i for i, e in enumerate(RUN) if e == evaluating(4_000))


def view_of(events) -> RunView:
    return reduce(run_view.reduce, events, RunView())


def words(lines) -> str:
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("end", [3, 50, len(RUN) - 1, len(RUN)])
def test_the_state_of_a_run_on_questions_names_ndcg_and_fits(width, end):
    lines = state_lines(view_of(RUN[:end]), HEAD, width, STYLE)
    assert "nDCG@10" in words(lines)
    assert "Spearman" not in words(lines)
    assert max(line.cell_len for line in lines) <= width


def test_the_state_of_a_run_on_pairs_names_spearman():
    picture = words(state_lines(view_of(whole_run()), HEAD, 100, STYLE))
    assert "dev Spearman" in picture
    assert "nDCG" not in picture


def test_an_evaluation_says_how_far_it_is_until_it_ends():
    view = view_of(RUN[: FIRST_EVALUATION + 1])
    assert doing(view, HEAD, STYLE)[0] == "evaluating 4,000 of 17,261 texts"
    measuring = view_of(RUN[:2])
    assert doing(measuring, HEAD, STYLE)[0] == "measuring the base model: 4,000 of 17,261 texts"
    after = run_view.reduce(view, judged(1, 0.75))
    assert after.arm().evaluated is None
    resumed = started(task="retrieval", resumed=True)
    assert run_view.reduce(view_of([*RUN[: FIRST_EVALUATION + 1], STOPPED]), resumed).arm(
        "main").evaluated is None  # fmt: skip
    pairs = view_of([started(), evaluated(0, 0.4)])
    assert doing(pairs, HEAD, STYLE)[0] == "measuring the base model"


def test_the_head_counts_passages_where_there_are_any():
    questions = name_line(view_of(RUN[:1]), HEAD, 120, STYLE).plain
    assert "11,035 pairs  15,691 passages" in questions
    assert "passages" not in name_line(view_of(whole_run()[:1]), HEAD, 120, STYLE).plain


def test_the_result_shows_the_ranking_its_interval_and_small_vectors():
    view = view_of(RUN)
    picture = words(result_picture(view, HEAD, 120, STYLE))
    assert re.search(r"nDCG@10 +dev +test", picture)
    assert "dev nDCG@10 0.8000, +0.1000 over base" in picture
    assert "on test +0.1000 over base (95 % +0.0822 to +0.1188)" in picture
    assert "MRR@10 0.6400 to 0.7321, recall@1 0.5500 to 0.6432" in picture
    assert "small vectors: 48 int8 0.7654 (base 0.6123)" in picture
    assert "on the guard's test half 0.9043 to 0.9012 (-0.0031)" in picture
    for width in (60, 80):
        lines = result_picture(view, HEAD, width, STYLE)
        assert max(line.cell_len for line in lines) <= width


def test_the_result_of_pairs_has_no_line_of_a_ranking():
    view = view_of([*whole_run()[:-1], finished()])
    picture = words(result_picture(view, HEAD, 120, STYLE))
    assert not re.search(r"MRR|recall|small vectors|on test|test half", picture)


def test_rehearsal_shows_in_the_guards_words_while_its_weight_is_above_zero():
    arm = view_of(TRAINING).arm("main")
    assert arm.keep_weight == 0.3
    for width in (60, 78, 120):
        line = guard_lines(arm, width=width, height=1, chart_style=STYLE)[0]
        assert "rehearsal 0.3" in line.plain
        assert line.cell_len <= width
    assert "rehearsal 0.3" in guard_lines(arm, width=60, height=4, chart_style=STYLE)[0].plain
    idle = view_of([*TRAINING, checked(45, 0.0)]).arm("main")
    assert "rehearsal" not in words(guard_lines(idle, width=120, height=4, chart_style=STYLE))
    assert "rehearsal" not in guard_lines(idle, width=78, height=1, chart_style=STYLE)[0].plain


def test_the_weight_of_the_rehearsal_has_a_plot_where_a_run_rehearses():
    rehearsing, plain = view_of(RUN), view_of(whole_run())
    assert metrics_of(plain) == METRICS
    *others, last = metrics_of(rehearsing)
    assert tuple(others) == METRICS
    assert last.title_in(rehearsing) == "rehearsal"
    (curve,) = [c for c in drawing(last, rehearsing, STYLE, large=True).curves if c.points]
    assert [(p.x, p.mean) for p in curve.points] == [(29, 0.3), (69, 0.6), (138, 0.6)]
    guard = METRICS[2]
    assert "rehearsal 0.6" in drawing(guard, rehearsing, STYLE).figures
    assert "rehearsal" not in drawing(guard, plain, STYLE).figures
    title = chart(METRICS[1], rehearsing, width=60, height=6, chart_style=STYLE)[0].plain
    assert title.startswith("dev nDCG@10")


def test_a_chart_with_no_room_for_its_plot_is_left_out():
    assert split_rows(18, 17, ended=True).charts == 0
    assert split_rows(24, 13, ended=True).charts >= 3


def test_test_scores_leave_the_weight_of_the_rehearsal_alone():
    before = view_of(RUN[:-4]).arm("main").keep_weight
    after = run_view.reduce(view_of(RUN[:-4]), judged(2, 0.79, split="test"))
    assert (before, after.arm("main").keep_weight) == (0.6, 0.6)


def test_a_result_without_intervals_or_vectors_has_fewer_lines():
    bare = answered(test_low=None, test_high=None, gain_test_low=None, gain_test_high=None,
                    vector_scores=(), guard_apart_spearman=None)  # fmt: skip
    picture = words(result_picture(view_of([*RUN[:-1], bare]), HEAD, 100, STYLE))
    assert not re.search(r"on test|small vectors|test half", picture)
    assert "MRR@10" in picture
