"""Pairs as you type them: answers, history, and the queried model."""

from __future__ import annotations

import pytest
from app_support import ScriptedRun, on_screen, screen_text, started, until, write_run
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

from nexus_tui.app.kit.text_input import TextInput
from nexus_tui.app.playground.pair_pane import PairPane
from nexus_tui.app.playground.pick_model import PickModel

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run(home):
    return tuned_run(home)


# Pairs


def test_a_pair_is_answered_by_both_models_as_it_is_typed(run):
    async def act(app, pilot):
        await on_screen(app, pilot, "i begins")
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
        await on_screen(app, pilot, "nothing is tuned here")
        await on_screen(app, pilot, "base alone")

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
        assert [answer.pair for answer in app.playground.history] == [("alpha", "beta"), (A, B)]
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
        await on_screen(app, pilot, "loading the model")
        side.gate.set()
        await answered(app, pilot)
        assert [answer.pair for answer in app.playground.history] == [(A, B)]

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
        await on_screen(app, pilot, "this could not be done (ValueError)")
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
        await on_screen(app, pilot, "tuned-run")
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
