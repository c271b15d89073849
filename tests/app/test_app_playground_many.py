"""Many pairs at once, and search in a text file: long work that shows its progress."""

from __future__ import annotations

import stat

import pytest
from app_support import on_screen, screen_text
from playground_support import (
    CANARY,
    A,
    B,
    answered,
    driven,
    focused,
    leave_weights,
    tuned_run,
    typed,
)
from textual import events as textual_events

from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.kit.lines_question import LinesQuestion
from nexus_tui.app.kit.text_input import TextInput
from nexus_tui.app.playground.many_pane import ManyPane
from nexus_tui.app.playground.search_pane import SearchPane

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run(home):
    return tuned_run(home)


# Many pairs


def test_a_file_of_pairs_is_scored_sorted_and_saved(run, home):
    file = home / "pairs.tsv"
    file.write_text(f"first\tsecond\n{A}\t{B}\n=1+1\tsome thing else\nalpha\talpha\n")

    async def act(app, pilot):
        await pilot.press("o")
        await focused(app, pilot, "many-path")
        app.screen.focused.value = str(file)
        await pilot.press("enter")
        await answered(app, pilot)
        many = app.screen.query_one(ManyPane).many
        text = screen_text(app)
        assert "3 pairs of pairs.tsv by tuned-run, epoch 1" in text
        changes = [abs(many.cosines[i].tuned - many.cosines[i].base) for i in many.order]
        assert changes == sorted(changes, reverse=True)
        for wanted in ("most alike by tuned", "most alike by base", "order of the file"):
            await pilot.press("t")
            await answered(app, pilot)
            assert wanted in screen_text(app)
        assert many.order == [0, 1, 2]
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, LinesQuestion)
        saved = home / "out.tsv"
        app.screen.focused.value = str(saved)
        await pilot.press("enter")
        await answered(app, pilot)
        lines = saved.read_text().splitlines()
        assert lines[0] == "base\ttuned\tdifference\tsentence1\tsentence2"
        assert lines[2].split("\t")[3] == "'=1+1"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        await on_screen(app, pilot, "saved as")
        await pilot.press("j", "j", "enter")  # opens the pair in the part Pair
        await answered(app, pilot)
        assert app.playground.answer.pair == ("alpha", "alpha")

    driven(act, run="tuned-run")


def test_a_file_that_is_there_is_replaced_only_when_asked(run, home):
    (home / "out.tsv").write_text("mine")

    async def save(app, pilot, answer):
        await pilot.press("s")
        await pilot.pause()
        app.screen.focused.value = str(home / "out.tsv")
        await pilot.press("enter")
        await answered(app, pilot)
        assert isinstance(app.screen, Question)
        await pilot.press(answer)
        await answered(app, pilot)

    async def act(app, pilot):
        await pilot.press("i")
        app.screen.focused.post_message(textual_events.Paste(f"{A}\t{B}\nx y\tz\n"))
        await answered(app, pilot)
        await save(app, pilot, "k")
        assert (home / "out.tsv").read_text() == "mine"
        await save(app, pilot, "r")
        assert A in (home / "out.tsv").read_text()

    driven(act, run="tuned-run")


def test_pasted_pairs_are_scored_and_a_wrapped_sentence_is_one_line(run):
    async def act(app, pilot):
        await pilot.press("i")
        await focused(app, pilot, "pair-first")
        app.screen.focused.post_message(textual_events.Paste("the patient\r\n  went \x1b[1mhome"))
        await pilot.pause()
        assert app.screen.query_one("#pair-first", TextInput).value == "the patient went [1mhome"
        app.screen.focused.post_message(textual_events.Paste("a b,c d\ne f,g h\n"))
        await answered(app, pilot)
        await on_screen(app, pilot, "2 pairs of pasted pairs")
        await pilot.press("r")
        await answered(app, pilot)
        await on_screen(app, pilot, "2 pairs of pasted pairs")

    driven(act, run="tuned-run")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.csv", None, "does not exist"),
        ("one.csv", f"{CANARY}\n", "one.csv"),
        ("x.doc", "a,b", "not a known kind of file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_line(home, name, content, reason):
    if content is not None:
        (home / name).write_text(content)

    async def act(app, pilot):
        await pilot.press("o")
        await focused(app, pilot, "many-path")
        app.screen.focused.value = str(home / name)
        await pilot.press("enter")
        await answered(app, pilot)
        many = app.screen.query_one(ManyPane).many
        assert reason in many.error
        assert CANARY not in many.error
        assert many.error[:40] in screen_text(app)

    driven(act)


def test_long_work_shows_how_far_it_is_and_can_be_given_up(run, home):
    async def act(app, pilot):
        side = app.playground._querier.base
        side.gate.clear()
        await pilot.press("i")
        app.screen.focused.post_message(textual_events.Paste(f"{A}\t{B}\nx y\tz\n"))
        await pilot.pause(0.3)
        app.screen.query_one(ManyPane).tick()
        await pilot.pause()
        await on_screen(app, pilot, "scoring pasted pairs")
        await on_screen(app, pilot, "Esc gives it up")
        await pilot.press("escape")
        await answered(app, pilot)
        await on_screen(app, pilot, "given up")
        assert app.screen.query_one(ManyPane).many.order == []
        side.gate.set()
        await pilot.press("left_square_bracket")
        await typed(app, pilot, A, B)
        assert app.playground.answer.pair == (A, B)

    driven(act, run="tuned-run")


# Search


def test_a_text_file_is_searched_by_both_models(run, home):
    file = home / "notes.txt"
    file.write_text(
        "stocks fell\n\nthe patient went home\nhome\nthe patient was ill\nstocks fell\n"
    )

    async def act(app, pilot):
        await pilot.press("slash")
        await focused(app, pilot, "search-path")
        app.screen.focused.value = str(file)
        await pilot.press("enter")
        await focused(app, pilot, "search-query")
        app.screen.focused.value = "the patient home"
        await pilot.press("enter")
        await answered(app, pilot)
        matches = app.screen.query_one(SearchPane).work.matches
        text = screen_text(app)
        assert "4 sentences by tuned-run, epoch 1" in text
        assert "by base" in text
        assert "by tuned" in text
        best = matches.by_tuned[0]
        row = next(line for line in text.splitlines() if line.lstrip().startswith("1 "))
        assert f"1 {matches.by_base[0].base:.4f}" in row
        assert f"1 {best.tuned:.4f}" in row
        assert f"line {best.line}" in text
        await pilot.press("escape", "h", "j")
        await pilot.pause()
        await on_screen(app, pilot, f"line {matches.by_base[1].line}")
        embedded = len(app.playground._querier.base.asked)
        await pilot.press("r")
        await answered(app, pilot)
        assert len(app.playground._querier.base.asked) == embedded + 1  # the query alone
        await pilot.press("enter")
        await answered(app, pilot)
        assert app.playground.answer.pair == ("the patient home", matches.by_base[1].sentence)

    driven(act, run="tuned-run")


def test_results_of_older_weights_say_so(run, home):
    (home / "notes.txt").write_text("one\ntwo\n")

    async def act(app, pilot):
        await pilot.press("slash")
        await focused(app, pilot, "search-path")
        pane = app.screen.query_one(SearchPane)
        pane.path.value, pane.query_line.value = str(home / "notes.txt"), "one"
        await pilot.press("enter")
        await answered(app, pilot)
        assert "r asks again" not in screen_text(app)
        leave_weights(run, 2)
        app.playground.tick()
        await answered(app, pilot)
        await on_screen(app, pilot, "the model changed: r asks again")
        await pilot.press("escape", "r")
        await answered(app, pilot)
        await on_screen(app, pilot, "epoch 2")
        assert "r asks again" not in screen_text(app)

    driven(act, run="tuned-run")
