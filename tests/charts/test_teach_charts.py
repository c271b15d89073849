"""Pictures of Teach: what fits, what is marked, and what is left out first."""

from __future__ import annotations

import pytest

from nexus_tui.charts.run.one_picture import terminal_chart_style
from nexus_tui.charts.teach.changes import (
    ChangeRow,
    PinnedPair,
    PinnedQuestion,
    change_row,
    pinned_row,
    summary_line,
)
from nexus_tui.charts.teach.differing import differing_spans
from nexus_tui.charts.teach.notes import head_line, message_lines
from nexus_tui.charts.teach.pair_card import GRADES, AnswerKey, PairCard, pair_card
from nexus_tui.charts.teach.progress import Progress, progress_line
from nexus_tui.charts.teach.search_card import (
    PassageRow,
    SearchCard,
    passage_at,
    search_card,
)

STYLE = terminal_chart_style(ascii_only=False)
SIZES = [(58, 15), (78, 19), (118, 34), (38, 6), (58, 3)]
GRADE_KEYS = [AnswerKey(str(n), name, words) for n, (name, words) in enumerate(GRADES)]
OTHERS = [AnswerKey("y", "same", chosen=True), AnswerKey("n", "not the same")]
LONG = "Turn the green key, then open valve 2 and wait until the lamp is green. " * 40


def fits(lines, width, height):
    assert len(lines) <= height
    for line in lines:
        assert line.cell_len <= width, line.plain
        assert "\n" not in line.plain
    return [line.plain for line in lines]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("first", "second"), [("short", LONG), (LONG, "x"), (LONG, LONG)])
def test_a_pair_fits_and_the_shorter_text_is_shown_whole(size, first, second):
    card = PairCard(first, second, "why", GRADE_KEYS, OTHERS)
    text = "\n".join(fits(pair_card(card, *size, STYLE), *size))
    if size[1] >= 15:
        for short in {first, second} - {LONG}:
            assert short in text
        assert text.count("…") == [first, second].count(LONG)
        assert all(f"{grade} {name}" in text for grade, (name, _) in enumerate(GRADES))


def test_wide_letters_and_control_characters_do_not_break_a_line():
    card = PairCard("日本語" * 60, "a\x1b[31m\u202eb\nc", "why", GRADE_KEYS, OTHERS)
    text = "\n".join(fits(pair_card(card, 58, 15, STYLE), 58, 15))
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("give 5 mg now", "give 50 mg now", (["5"], ["50"])),
        ("He is ill.", "He is not ill", ([], ["not"])),
        ("on 3 May, he fell", "On 4 May he fell", (["3"], ["4"])),
        ("quite other words", "nothing is alike here", ([], [])),
        ("", "x", ([], [])),
    ],
)
def test_the_words_that_differ_are_found_unless_the_texts_are_different_throughout(
    first, second, words
):
    spans = differing_spans(first, second)
    found = [
        [text[start:end].strip(".,") for start, end in side]
        for text, side in zip((first, second), spans, strict=True)
    ]
    assert found == list(words)


def rows(number, text=LONG):
    return [PassageRow(str((n + 1) % 10), text, "pump.md", "") for n in range(number)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [0, 1, 10])
def test_a_question_fits_with_its_cursor_in_view(size, number):
    for cursor in range(max(1, number)):
        card = SearchCard(LONG, rows(number), cursor, "note")
        lines = fits(search_card(card, *size, STYLE), *size)
        if number and size[1] >= 6:
            assert sum("▸" in line for line in lines) == 1
            drawn = next(row for row, line in enumerate(lines) if "▸" in line)
            assert passage_at(card, drawn, *size, STYLE) == cursor
    assert passage_at(card, 0, *size, STYLE) is None


def test_marks_are_letters_so_that_they_need_no_colour():
    marked = [row._replace(mark=mark) for row, mark in
              zip(rows(4, "text"), ("yes", "no", "unsure", ""), strict=True)]  # fmt: skip
    lines = fits(search_card(SearchCard("q", marked, 3, "note"), 60, 15, STYLE), 60, 15)
    assert [line.split()[1] for line in lines[2:5]] == ["y", "n", "?"]
    assert "pump.md: unknown" in "\n".join(lines)


def test_progress_leaves_out_what_matters_least():
    progress = Progress((3, 2, 4, 5, 6, 9), 4, 2, 12, 8, 2, 1, 9, 6.2, "advice")
    widths = {width: progress_line(progress, width, STYLE).plain for width in (200, 78, 30, 9)}
    for width, line in widths.items():
        assert len(line) <= width
    assert widths[200] == (
        "55 judged  0:3 1:2 2:4 3:5 4:6 5:9  4 same, 2 not, 12 yes, 8 no  2 unsure, 1 skipped  "
        "6 a minute  9 held out  advice"
    )
    assert "advice" in widths[30]
    assert widths[9] == "55 judged"


@pytest.mark.parametrize("width", [40, 58, 78, 120])
def test_rows_of_what_changed_keep_before_and_after_at_the_right(width):
    line = pinned_row(PinnedQuestion(LONG, 7, 1), width, STYLE)
    assert line.plain.endswith("rank 7 → 1  ▲6")
    assert "7 → -" in pinned_row(PinnedQuestion("q", 7, None), width, STYLE).plain
    pair = pinned_row(PinnedPair(LONG, LONG, 0.5, 0.25), width, STYLE)
    assert "0.5000 → 0.2500" in pair.plain
    row = ChangeRow(LONG, LONG, "answer", "rank 7", "rank 1", True, True)
    change = change_row(row, width, STYLE)
    assert change.plain.endswith("answer: rank 7 → rank 1 held out")
    for drawn in (line, pair, change):
        assert drawn.cell_len <= max(width, 42)


def test_the_summary_says_which_verdicts_it_counts():
    assert (
        "held-out verdicts: 2 of 5 right before, 4 after"
        in summary_line(2, 4, 5, held_out=True, width=80, chart_style=STYLE).plain
    )
    assert "none yet" in summary_line(0, 0, 0, held_out=True, width=80, chart_style=STYLE).plain


def test_the_head_gives_up_the_label_file_before_the_data():
    wide = head_line("pairs", ("search", "pairs"), "demo-search", "labels.jsonl", 78, STYLE).plain
    assert wide.endswith("demo-search to labels.jsonl")
    assert "▸Pairs" in wide
    narrow = head_line("pairs", ("search", "pairs"), "demo-search", "labels.jsonl", 38, STYLE).plain
    assert "demo-search" in narrow
    assert "labels" not in narrow


def test_a_message_offers_keys():
    lines = fits(message_lines("Title", ["words " * 40], {"t": "retrain"}, 58, 15, STYLE), 58, 15)
    assert any(line.strip() == "t  retrain" for line in lines)
