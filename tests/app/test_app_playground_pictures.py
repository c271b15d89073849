"""Pictures of pairs, and the work queue, without an app."""

from __future__ import annotations

import math
import threading
import time

import pytest
from app_support import (
    make_app,
)
from playground_support import (
    CANARY,
    A,
    B,
)

from nexus_engine.errors import DataError
from nexus_tui.app.kit.text_input import plain_text
from nexus_tui.app.kit.work_queue import WorkQueue
from nexus_tui.charts.pairs.bars import (
    PairValues,
    bar,
    change,
    clipped,
    pair_picture,
    path,
    two_sides,
)
from nexus_tui.charts.pairs.tables import answers_line, match_row, pin_row

pytestmark = pytest.mark.usefixtures("home")


CHART_STYLE = make_app().chart_style
PLAIN = make_app(ascii=True).chart_style


@pytest.mark.parametrize(
    ("value", "mark", "wanted"),
    [
        (0.0, None, ".........."),
        (0.5, None, "#####....."),
        (1.5, None, "##########"),
        (-0.5, None, ".........."),
        (0.3, 0.6, "###---...."),
        (0.6, 0.3, "######...."),
        (math.nan, None, "xxxxxxxxxx"),
        (math.inf, 0.5, "xxxxxxxxxx"),
        (0.5, math.nan, "#####....."),
    ],
)
def test_bars(value, mark, wanted):
    assert bar(value, 10, PLAIN, PLAIN.palette.run, mark).plain == wanted
    assert bar(value, 10, CHART_STYLE, CHART_STYLE.palette.run, mark).cell_len == 10


@pytest.mark.parametrize(
    ("difference", "wanted"),
    [
        (None, ""), (0.00001, "= +0.0000"), (0.1, "^ +0.1000"), (-0.1, "v -0.1000"),
        (math.nan, "x nan"),
    ],
)  # fmt: skip
def test_changes(difference, wanted):
    assert change(difference, PLAIN)[0] == wanted


def test_the_answer_in_words_for_every_case():
    for base, tuned, words in (
        (0.5, 0.6, "closer"),
        (0.5, 0.4, "apart"),
        (0.5, 0.5, "did not change"),
        (0.5, math.nan, "not a finite number"),
        (0.5, None, "base model alone"),
    ):
        lines = pair_picture(PairValues(base, tuned), 78, CHART_STYLE)
        assert len(lines) == 3
        assert words in lines[2].plain
        assert all(line.cell_len <= 78 for line in lines)


def test_paths_show_every_value_and_what_is_not_finite():
    drawn = path([0.0, 1.0, math.nan, 0.5], 8, CHART_STYLE).plain
    assert (drawn[0], drawn[1], drawn[2]) == ("▁", "█", "×")
    assert path([0.0, 1.0, math.inf], 8, PLAIN).plain == "_#x"
    assert set(path([0.5, 0.5001, 0.4999], 8, CHART_STYLE).plain) <= set(
        "▄▅"
    )  # noise is not magnified
    assert len(path([0.1] * 50, 8, CHART_STYLE)) == 8
    assert path([math.nan], 8, CHART_STYLE).plain == "×"
    assert path([], 8, CHART_STYLE).plain == ""


def test_known_answers_tell_their_ranks_and_say_how_many_are_left_out():
    one = answers_line(3, 110, "test", [(14, 2)], 80, CHART_STYLE).plain
    assert one == "question 3 of 110, test  answer: rank 14 → 2"
    assert answers_line(3, 110, "test", [(14, None)], 80, CHART_STYLE).plain.endswith("rank 14")
    alone = answers_line(3, 110, "test", [(None, 2)], 80, CHART_STYLE).plain
    assert alone == "question 3 of 110, test  answer: rank 2"
    none = answers_line(3, 110, "test", [], 80, CHART_STYLE).plain
    assert none == "question 3 of 110, test  no known answer in these files"
    many = [(10_000 + n, n) for n in range(1, 40)]
    for width in (20, 40, 58, 80, 118):
        line = answers_line(3, 110, "test", many, width, CHART_STYLE)
        assert line.cell_len <= width
        if width >= 40:
            shown = line.plain.count("→")
            assert line.plain.endswith(f"and {39 - shown} more")
    styles = {span.style for span in answers_line(1, 2, "dev", [(2, 9)], 80, CHART_STYLE).spans}
    assert CHART_STYLE.palette.warn in styles
    assert CHART_STYLE.palette.good not in styles
    assert answers_line(1, 2, "dev", [(2, 1)], 80, PLAIN).plain.isascii()


def test_rows_are_as_wide_as_they_may_be():
    wide = "日本語の文 " * 20
    for width in (30, 58, 80, 118):
        assert pin_row((wide, A), 0.5, 0.6, [0.4, 0.6], width, CHART_STYLE).cell_len == width
        assert match_row(3, 0.5, -12, wide, width, CHART_STYLE).cell_len <= width
        answer = match_row(3, 0.5, -12, wide, width, CHART_STYLE, is_answer=True)
        assert answer.cell_len <= width
        assert CHART_STYLE.glyphs.best in answer.plain
        assert len(two_sides(A, B, width, CHART_STYLE)) <= width
    assert clipped("one two three four five six", 20, CHART_STYLE) == "one two three four…"
    assert clipped("\x1b[31mred", 20, CHART_STYLE) == "[31mred"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a\tb", "a b"), ("a\x1bb\x9bc", "abc"), ("\u202eab\u2066", "ab"), ("é日本", "é日本"),
     ("a\u00a0b", "a b"), ("\ud800x", "x")],
)  # fmt: skip
def test_plain_text(text, wanted):
    assert plain_text(text) == wanted


# The work queue


def test_a_queue_works_in_its_own_thread_and_rests_when_there_is_nothing():
    results, threads = [], []
    queue = WorkQueue(lambda call: call(), "t")

    def work(_):
        threads.append(threading.current_thread().name)
        return 7

    queue.submit("a", work, results.append, results.append)
    until = time.monotonic() + 5
    while queue._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert results == [7]
    assert threads == ["t"]
    assert queue._thread is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(CANARY), "this could not be done (ValueError)"),
        (DataError("f.csv:3: empty"), "f.csv:3: empty"),
        (MemoryError(), "out of memory"),
        (PermissionError(13, "Permission denied", "x.tsv"), "x.tsv: Permission denied"),
    ],
)
def test_a_queue_tells_what_went_wrong_in_a_line(error, words):
    messages = []
    queue = WorkQueue(lambda call: call(), "t")

    def work(_):
        raise error

    queue.submit("a", work, messages.append, messages.append)
    until = time.monotonic() + 5
    while queue._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert words in messages[0]
    assert CANARY not in messages[0]
