"""The playground: every action by keys, on models that answer at once; pictures and pins alone."""

from __future__ import annotations

import asyncio
import json
import math
import stat
import threading
import time

import pytest
from app_support import (
    ScriptedRun,
    evaluated,
    make_app,
    screen_text,
    started,
    until,
    write_run,
)
from playground_support import WordQuerier, leave_weights
from textual import events as textual_events

from nexus_engine.errors import DataError
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.kit.text_input import TextInput, plain_text
from nexus_tui.app.playground.many_pane import ManyPane
from nexus_tui.app.playground.pair_pane import HistoryRows, PairPane, PinRows
from nexus_tui.app.playground.path_question import PathQuestion
from nexus_tui.app.playground.pick_model import PickModel
from nexus_tui.app.playground.pinned import Pin, PinBook, pins_file, read_pins, write_pins
from nexus_tui.app.playground.search_pane import SearchPane
from nexus_tui.app.playground.work_queue import WorkQueue
from nexus_tui.charts.pairs.bars import (
    PairValues,
    bar,
    change,
    clipped,
    pair_picture,
    path,
    two_sides,
)
from nexus_tui.charts.pairs.tables import match_row, pin_row

pytestmark = pytest.mark.usefixtures("home")

A, B = "the patient went home", "the patient was sent home"
CANARY = "kanarienvogel"


def driven(act, *, size=(80, 24), run=None, **settings):
    """Run `act(app, pilot)` with the playground in front; `run` is what Runs points at."""

    async def whole():
        app = make_app(**settings)
        app.playground._querier = WordQuerier()
        app.pointed_run = run
        async with app.run_test(size=size) as pilot:
            await pilot.press("3")
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(whole())


async def answered(app, pilot):
    """Wait until both desks are idle and their answers shown."""
    await pilot.pause(0.06)  # what is typed rests
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if app.playground.quick._thread is None and app.playground.long._thread is None:
            break
        await pilot.pause(0.02)
    await pilot.pause()
    await pilot.pause()


async def focused(app, pilot, wanted):
    """Wait until `wanted` (an ID) has the keys."""
    for _ in range(200):
        if app.screen.focused is not None and app.screen.focused.id == wanted:
            return
        await pilot.pause(0.01)
    raise AssertionError(f"{app.screen.focused} has the keys, not {wanted}")


async def typed(app, pilot, first, second):
    """Two sentences by the keyboard, answered."""
    if not isinstance(app.screen.focused, TextInput):
        await pilot.press("i")
    await focused(app, pilot, "pair-first")
    app.screen.query_one(PairPane).first.value = first
    app.screen.query_one(PairPane).second.value = second
    await answered(app, pilot)


@pytest.fixture(autouse=True)
def short_rest(monkeypatch):
    """What is typed rests for a shorter while before it is asked about."""
    monkeypatch.setattr("nexus_tui.app.playground.pair_pane.DEBOUNCE_SECONDS", 0.03)


@pytest.fixture
def run(home):
    """A run with weights of epoch 1."""
    folder = write_run(home / "data" / "nexus" / "runs", "tuned-run", [started("tuned-run")])
    leave_weights(folder, 1)
    return folder


# Pairs


def test_a_pair_is_answered_by_both_models_as_it_is_typed(run):
    async def act(app, pilot):
        assert "i begins" in screen_text(app)
        await pilot.press("i")
        await focused(app, pilot, "pair-first")
        await pilot.press(*"went home", "enter")
        await focused(app, pilot, "pair-second")
        await pilot.press(*"home sent")
        await answered(app, pilot)
        text = screen_text(app)
        answer = app.playground.answer
        assert answer.pair == ("went home", "home sent")
        assert f"{answer.base:.4f}" in text
        assert f"{answer.tuned:.4f}" in text
        assert f"{answer.tuned - answer.base:+.4f}  training brought them closer" in text
        assert "tuned-run, epoch 1, dev 0.5100" in text

    driven(act, run="tuned-run")


def test_the_base_model_alone_answers_too():
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        assert app.playground.answer.tuned is None
        assert "nothing is tuned here" in screen_text(app)
        assert "base alone" in screen_text(app)

    driven(act)


def test_the_latest_question_wins_and_no_half_word_is_asked(run):
    async def act(app, pilot):
        side = app.playground._querier.base
        side.gate.clear()
        await pilot.press("i")
        app.playground.score_pair("one", "two")
        await pilot.pause(0.05)
        app.playground.score_pair("three", "four")
        app.playground.score_pair(A, B)
        side.gate.set()
        await answered(app, pilot)
        assert app.playground.answer.pair == (A, B)
        assert "three" not in side.asked

    driven(act, run="tuned-run")


def test_keys_typed_in_a_line_stay_there_and_escape_gives_them_back():
    async def act(app, pilot):
        await pilot.press("i")
        await focused(app, pilot, "pair-first")
        await pilot.press(*"14q", "question_mark", *"pmu")
        assert app.screen.query_one("#pair-first", TextInput).value == "14q?pmu"
        assert app.current_mode == "playground"
        await until(pilot, lambda: "Esc Leave the line" in screen_text(app).splitlines()[-1])
        await pilot.press("escape")
        await focused(app, pilot, "pair-history")
        await until(pilot, lambda: "Esc" not in screen_text(app).splitlines()[-1])
        await pilot.press("4")
        await pilot.pause()
        assert app.current_mode == "compare"

    driven(act)


def test_enter_keeps_a_pair_and_it_comes_back(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter")
        await typed(app, pilot, "alpha", "beta")
        await pilot.press("enter")
        await pilot.pause()
        assert [one.pair for one in app.playground.history] == [("alpha", "beta"), (A, B)]
        pane = app.screen.query_one(PairPane)
        await pilot.press("up", "up")
        assert pane.pair == (A, B)
        await pilot.press("down")
        assert pane.pair == ("alpha", "beta")
        await pilot.press("down")
        assert pane.pair is None
        await pilot.press("escape")
        await focused(app, pilot, "pair-history")
        await pilot.press("j", "enter")
        await pilot.pause()
        assert pane.pair == (A, B)

    driven(act, run="tuned-run")


def test_a_pair_kept_before_its_answer_is_stored_when_it_comes(run):
    async def act(app, pilot):
        side = app.playground._querier.base
        side.gate.clear()
        await pilot.press("i")
        await focused(app, pilot, "pair-first")
        pane = app.screen.query_one(PairPane)
        pane.first.value, pane.second.value = A, B
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert not app.playground.history
        assert "loading the model" in screen_text(app)
        side.gate.set()
        await answered(app, pilot)
        assert [one.pair for one in app.playground.history] == [(A, B)]

    driven(act, run="tuned-run")


def test_swap_and_clear():
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("escape", "x")
        pane = app.screen.query_one(PairPane)
        assert pane.pair == (B, A)
        await pilot.press("c")
        await pilot.pause()
        assert pane.pair is None
        assert app.playground.wanted_pair is None
        assert app.screen.focused is pane.first

    driven(act)


def test_text_is_shown_as_it_is_without_control_bytes():
    evil = "[red]x[/red] \x1b[31m\x9b31m\u202egone\ttab"

    async def act(app, pilot):
        await typed(app, pilot, evil, "[bold]" + B)
        assert (
            app.screen.query_one("#pair-first", TextInput).value == "[red]x[/red] [31m31mgone tab"
        )
        await pilot.press("enter", "escape", "p")
        await answered(app, pilot)
        text = screen_text(app)
        assert "[red]x[/red]" in text
        for sign in ("\x1b", "\x9b", "\u202e", "\t"):
            assert sign not in text
        assert app.playground.history[0].first == "[red]x[/red] [31m31mgone tab"

    driven(act, size=(120, 40))


def test_failures_say_why_without_the_text(run):
    def broken(*_, **__):
        raise ValueError(CANARY)

    async def act(app, pilot):
        app.playground._querier.base.embed = broken
        await typed(app, pilot, A, B)
        assert "this could not be done (ValueError)" in screen_text(app)
        assert CANARY not in screen_text(app)

    driven(act, run="tuned-run")


# The model


def test_the_open_run_is_asked_before_the_one_that_runs_points_at(run, home):
    other = write_run(home / "data" / "nexus" / "runs", "other", [started("other")])
    leave_weights(other, 2)

    async def act(app, pilot):
        assert app.playground.model.name == "other"
        source = ScriptedRun([started("tuned-run")])
        source.name, source.path = "tuned-run", run
        app.open_source(source, show=False)
        await pilot.pause()
        assert app.playground.model.name == "tuned-run"

    driven(act, run="other")


def test_a_model_is_picked_from_a_list(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        assert app.playground.answer.tuned is not None
        await pilot.press("escape", "m")
        await answered(app, pilot)
        assert isinstance(app.screen, PickModel)
        assert "tuned-run" in screen_text(app)
        await pilot.press("k", "enter")
        await answered(app, pilot)
        assert app.playground.model.run is None
        assert app.playground.answer.tuned is None
        await pilot.press("m")
        await answered(app, pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert app.playground.model.run is None

    driven(act, run="tuned-run")


# Pins


def test_a_pin_is_kept_on_disk_for_the_owner_alone_and_goes_with_the_last(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("ctrl+n")
        await answered(app, pilot)
        assert stat.S_IMODE(pins_file().stat().st_mode) == 0o600
        assert read_pins(pins_file()).pins[0].pair == (A, B)
        assert "Pinned" in screen_text(app)
        await pilot.press("escape", "u")
        await answered(app, pilot)
        assert app.playground.book.pins == ()
        assert not pins_file().exists()

    driven(act, run="tuned-run")


def test_pins_are_there_at_the_next_start_and_can_be_switched_off(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B), Pin("x", "y"))))

    async def act(app, pilot):
        await answered(app, pilot)
        assert app.screen.query_one(PinRows).count() == 2
        value = app.playground.pin_cosines[A, B].tuned
        assert f"{value:.4f}" in screen_text(app)
        await pilot.press("P")
        await answered(app, pilot)
        assert "switched off (2 kept)" in screen_text(app)
        assert not read_pins(pins_file()).on
        await pilot.press("P")
        await answered(app, pilot)
        assert app.screen.query_one(PinRows).count() == 2
        app.screen.query_one(PinRows).focus()
        await pilot.press("down", "enter")
        await answered(app, pilot)
        assert app.playground.answer.pair == ("x", "y")
        await pilot.press("u")
        await answered(app, pilot)
        assert [pin.pair for pin in app.playground.book.pins] == [(A, B)]

    driven(act, run="tuned-run")


def test_pins_and_the_pair_are_scored_again_at_each_new_checkpoint(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B),)))

    async def act(app, pilot):
        source = ScriptedRun([started("tuned-run"), evaluated(1, 0.5)])
        source.name, source.path = "tuned-run", run
        app.open_source(source, show=False)
        await typed(app, pilot, A, B)
        first = app.playground.answer.tuned
        await pilot.press("escape", "1")  # another screen is in front
        await pilot.pause()
        leave_weights(run, 2)
        app.playground.tick()
        await answered(app, pilot)
        await pilot.press("3")
        await answered(app, pilot)
        assert app.playground.answer.tuned != first
        assert app.playground.path_of((A, B)) == [first, app.playground.answer.tuned]
        assert read_pins(pins_file()).pins[0].paths[str(run)][-1] == (
            2,
            app.playground.answer.tuned,
        )
        row = next(line for line in screen_text(app).splitlines() if "│" in line)
        assert f"{first:.4f}" in row
        drawn = row.split()[-1]
        assert len(drawn) == 2
        assert (drawn[0] < drawn[1]) == (first < app.playground.answer.tuned)

    driven(act)


def test_pins_of_a_live_run_are_scored_though_the_playground_was_never_open(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B),)))

    async def whole():
        app = make_app()
        app.playground._querier = WordQuerier()
        async with app.run_test(size=(80, 24)) as pilot:
            source = ScriptedRun([started("tuned-run")])
            source.name, source.path = "tuned-run", run
            app.open_source(source, show=False)
            app.playground.tick()
            await answered(app, pilot)
            app.playground.tick()
            await answered(app, pilot)
            assert len(app.playground.path_of((A, B))) == 1

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("before", "epoch", "after"),
    [
        ((), 1, ((1, 0.5),)),
        (((1, 0.4),), 2, ((1, 0.4), (2, 0.5))),
        (((1, 0.4), (2, 0.6), (3, 0.7)), 2, ((1, 0.4), (2, 0.5))),
        (((2, 0.5),), 2, ((2, 0.5),)),
    ],
)
def test_a_path_grows_by_epochs_and_takes_back_what_a_resumed_run_makes_again(before, epoch, after):
    pin = Pin(A, B, {"run": before})
    assert pin.scored("run", epoch, 0.5).paths["run"] == after


def test_a_pin_keeps_few_runs_and_the_newest():
    pin = Pin(A, B)
    for number in range(10):
        pin = pin.scored(f"run-{number}", 1, 0.5)
    assert list(pin.paths) == [f"run-{number}" for number in range(4, 10)]


def test_what_is_not_finite_comes_back_from_disk_as_it_was(tmp_path):
    file = tmp_path / "n" / "pinned.json"
    write_pins(file, PinBook(True, (Pin(A, B, {"r": ((1, math.nan), (2, 0.5))}),)))
    points = read_pins(file).pins[0].paths["r"]
    assert math.isnan(points[0][1])
    assert points[1] == (2, 0.5)


@pytest.mark.parametrize("content", ["{", "[]", '{"format":1,"on":1,"pins":[{"first":1}]}', "\0"])
def test_a_damaged_file_of_pins_is_told_and_put_aside_not_lost(tmp_path, content):
    file = tmp_path / "pinned.json"
    file.write_text(content)
    with pytest.raises(DataError, match="no pins can be read"):
        read_pins(file)
    write_pins(file, PinBook(True, (Pin(A, B),)))
    assert read_pins(file).pins[0].pair == (A, B)
    assert (tmp_path / "pinned.json.unread").read_text() == content


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
        assert isinstance(app.screen, PathQuestion)
        saved = home / "out.tsv"
        app.screen.focused.value = str(saved)
        await pilot.press("enter")
        await answered(app, pilot)
        lines = saved.read_text().splitlines()
        assert lines[0] == "base\ttuned\tdifference\tsentence1\tsentence2"
        assert lines[2].split("\t")[3] == "'=1+1"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert "saved as" in screen_text(app)
        await pilot.press("j", "j", "enter")  # takes the pair to the part Pair
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
        assert "2 pairs of pasted pairs" in screen_text(app)
        await pilot.press("r")
        await answered(app, pilot)
        assert "2 pairs of pasted pairs" in screen_text(app)

    driven(act, run="tuned-run")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.csv", None, "does not exist"),
        ("one.csv", f"{CANARY}\n", "one.csv"),
        ("x.doc", "a,b", "not a kind of file"),
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
        assert reason in many.trouble
        assert CANARY not in many.trouble
        assert many.trouble[:40] in screen_text(app)

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
        assert "scoring pasted pairs" in screen_text(app)
        assert "Esc gives it up" in screen_text(app)
        await pilot.press("escape")
        await answered(app, pilot)
        assert "given up" in screen_text(app)
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
        found = app.screen.query_one(SearchPane).work.found
        text = screen_text(app)
        assert "4 sentences by tuned-run, epoch 1" in text
        assert "by base" in text
        assert "by tuned" in text
        best = found.by_tuned[0]
        row = next(line for line in text.splitlines() if line.lstrip().startswith("1 "))
        assert f"1 {found.by_base[0].base:.4f}" in row
        assert f"1 {best.tuned:.4f}" in row
        assert f"line {best.line}" in text
        await pilot.press("escape", "h", "j")
        await pilot.pause()
        assert f"line {found.by_base[1].line}" in screen_text(app)
        embedded = len(app.playground._querier.base.asked)
        await pilot.press("r")
        await answered(app, pilot)
        assert len(app.playground._querier.base.asked) == embedded + 1  # the query alone
        await pilot.press("enter")
        await answered(app, pilot)
        assert app.playground.answer.pair == ("the patient home", found.by_base[1].sentence)

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
        assert "the model changed: r asks again" in screen_text(app)
        await pilot.press("escape", "r")
        await answered(app, pilot)
        assert "epoch 2" in screen_text(app)
        assert "r asks again" not in screen_text(app)

    driven(act, run="tuned-run")


# Style


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (40, 10)])
def test_every_part_fits(run, size, home):
    (home / "notes.txt").write_text("one\ntwo\n")

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "ctrl+n")
        await answered(app, pilot)
        text = screen_text(app)
        assert f"{app.playground.answer.tuned:.4f}" in text
        if size[1] >= 20:
            assert "Pinned" in text
            assert "History" in text
        await pilot.press("ctrl+t")
        await focused(app, pilot, "many-path")
        await pilot.press("ctrl+t")
        await focused(app, pilot, "search-path")
        pane = app.screen.query_one(SearchPane)
        pane.path.value, pane.query_line.value = str(home / "notes.txt"), "one"
        await pilot.press("enter")
        await answered(app, pilot)
        assert "by tuned" in screen_text(app)

    driven(act, size=size, run="tuned-run")


def test_ascii_alone_where_asked(run):
    async def act(app, pilot):
        await typed(app, pilot, A, "a sentence that is far too long to stand in a list " * 3)
        await pilot.press("enter", "ctrl+n", "escape")
        await answered(app, pilot)
        assert screen_text(app).isascii()

    driven(act, run="tuned-run", ascii=True)


def test_nothing_is_drawn_when_nothing_changed(run, monkeypatch):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "ctrl+n", "escape")
        await answered(app, pilot)
        drawn = []
        monkeypatch.setattr(Canvas, "refresh", lambda self, *a, **k: drawn.append(self))
        for canvas in app.screen.query(Canvas):
            canvas.redraw()
        app.playground.tick()
        app.screen._tick()
        app.screen.run_changed(())
        assert drawn == []

    driven(act, run="tuned-run")


def test_the_mouse_goes_to_parts_and_rows(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "escape")
        await pilot.click("#playground-head", offset=(10, 0))
        await pilot.pause()
        assert app.screen._part == "many"
        await pilot.click("#playground-head", offset=(3, 0))
        await pilot.pause()
        app.screen.query_one(PairPane).fill("", "")
        await pilot.click("#pair-history", offset=(4, 1), times=2)
        await answered(app, pilot)
        assert app.playground.wanted_pair == (A, B)
        assert isinstance(app.screen.focused, HistoryRows)

    driven(act, run="tuned-run")


def test_keys_can_be_changed():
    async def act(app, pilot):
        await pilot.press("f6")
        await focused(app, pilot, "search-path")

    driven(act, keys={"play.search": "f6"})


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
        (0.5, 0.5, "as alike as they were"),
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
    )  # noise is not blown up
    assert len(path([0.1] * 50, 8, CHART_STYLE)) == 8
    assert path([math.nan], 8, CHART_STYLE).plain == "×"
    assert path([], 8, CHART_STYLE).plain == ""


def test_rows_are_as_wide_as_they_may_be():
    wide = "日本語の文 " * 20
    for width in (30, 58, 80, 118):
        assert pin_row((wide, A), 0.5, 0.6, [0.4, 0.6], width, CHART_STYLE).cell_len == width
        assert match_row(3, 0.5, -12, wide, width, CHART_STYLE).cell_len <= width
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


# The desk


def test_a_desk_works_in_its_own_thread_and_rests_when_there_is_nothing():
    came, threads = [], []
    queue = WorkQueue(lambda call: call(), "t")

    def work(_):
        threads.append(threading.current_thread().name)
        return 7

    queue.submit("a", work, came.append, came.append)
    until = time.monotonic() + 5
    while queue._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert came == [7]
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
def test_a_desk_tells_what_went_wrong_in_a_line(error, words):
    told = []
    queue = WorkQueue(lambda call: call(), "t")

    def work(_):
        raise error

    queue.submit("a", work, told.append, told.append)
    until = time.monotonic() + 5
    while queue._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert words in told[0]
    assert CANARY not in told[0]


def audit(run):
    """What the run's audit file says: (use, size, whether with a fingerprint)."""
    lines = [json.loads(line) for line in (run / "audit.jsonl").read_text().splitlines()]
    return [(one["use"], one["size"], one["data_fingerprint"] is not None) for one in lines]


def test_each_use_of_data_is_noted_in_the_run_once(run, home):
    (home / "notes.txt").write_text("one\ntwo\nthree\n")
    (home / "pairs.tsv").write_text(f"first\tsecond\n{A}\t{B}\nx y\tz\n")

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await typed(app, pilot, "alpha", "beta")  # no line for each thing that is typed
        await pilot.press("ctrl+t")
        await focused(app, pilot, "many-path")
        app.screen.focused.value = str(home / "pairs.tsv")
        await pilot.press("enter")
        await answered(app, pilot)
        assert audit(run) == [("playground", 1, False), ("similarity", 2, True)]
        await pilot.press("slash")
        await focused(app, pilot, "search-path")
        pane = app.screen.query_one(SearchPane)
        for query in ("one", "three"):
            pane.path.value, pane.query_line.value = str(home / "notes.txt"), query
            pane.query_line.focus()
            await pilot.press("enter")
            await answered(app, pilot)
        assert audit(run)[2:] == [("search", 3, True)]

    driven(act, run="tuned-run")
    assert stat.S_IMODE((run / "audit.jsonl").stat().st_mode) == 0o600
    assert "patient" not in (run / "audit.jsonl").read_text()


def test_a_use_that_cannot_be_noted_is_told_and_hinders_nobody(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nexus_engine.runs.audit.append_line", full)

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        assert app.playground.answer.tuned is not None
        assert any("not noted" in note.message for note in app._notifications)

    driven(act, run="tuned-run")


def test_no_run_folder_and_no_log_holds_a_sentence(run):
    async def act(app, pilot):
        await typed(app, pilot, CANARY, B)
        await pilot.press("enter", "ctrl+n")
        await answered(app, pilot)

    driven(act, run="tuned-run")
    assert all(CANARY not in f.read_text() for f in run.rglob("*") if f.is_file())
    assert CANARY in json.dumps(json.loads(pins_file().read_text()))
