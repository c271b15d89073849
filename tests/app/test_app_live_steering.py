"""Steering a run from the live screen: pause, stop, grow, roll back, resume."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from app_support import evaluated, make_app, on_screen, screen_text, until, write_run
from live_support import STOPPED, TRIAL, WHOLE, come, live, press

from nexus_engine import events as ev
from nexus_engine.config import TrainConfig, resolve
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.live.applicable import why_not
from nexus_tui.app.run_sources import LoggedRun
from nexus_tui.charts.run.heading import Head

pytestmark = pytest.mark.usefixtures("home")


# Steering


def test_the_pause_key_pauses_at_once_and_continues():
    async def act(app, pilot, run):
        await press(pilot, "p")
        assert run.asked == ["pause"]
        await on_screen(app, pilot, "pausing before the next step")
        await come(app, pilot, run, ev.PauseChanged(paused=True))
        await on_screen(app, pilot, "paused in epoch 2/3")
        await press(pilot, "p")
        assert run.asked == ["pause", "resume"]
        await come(app, pilot, run, ev.PauseChanged(paused=False))
        await on_screen(app, pilot, "training epoch 2/3")

    live(act, WHOLE[:TRIAL])


@pytest.mark.parametrize(
    ("key", "ask", "words", "answer"),
    [
        ("s", "stop", "can be resumed", STOPPED),
        ("g", "grow", "Grow a set", ev.DendritesAdded(
            switch=3, epoch=2, sites=12, units=72, params_added=1, params_added_total=3,
            params_trained=3, spearman_before=0.4533)),
        ("b", "roll_back", "cannot be undone", ev.SwitchSettled(
            switch=2, epoch=2, kept=False, spearman_before=0.4533, spearman_after=0.45,
            params_added=1)),
    ],
)  # fmt: skip
def test_what_cannot_be_undone_is_asked_about(key, ask, words, answer):
    async def act(app, pilot, run):
        await press(pilot, key)
        assert isinstance(app.screen, Question)
        assert words in screen_text(app)
        await press(pilot, "n")
        assert run.asked == []
        await press(pilot, key, "escape")
        assert run.asked == []
        await press(pilot, key, "y")
        assert run.asked == [ask]
        assert "asked" in screen_text(app) or "stopping" in screen_text(app)
        await come(app, pilot, run, answer)
        assert "asked" not in screen_text(app)
        assert "stopping" not in screen_text(app)

    live(act, WHOLE[:TRIAL])


def test_what_does_not_apply_says_why():
    async def act(app, pilot, run):
        for key, words in (("b", "no set is on trial"), ("g", "last epoch"), ("u", "is live")):
            await press(pilot, key)
            assert not isinstance(app.screen, Question)
            assert any(words in str(n.message) for n in app._notifications), words
        assert run.asked == []

    live(act, WHOLE[:-2])


def test_an_answer_that_comes_too_late_does_nothing():
    async def act(app, pilot, run):
        await press(pilot, "b")
        run.waiting += WHOLE[TRIAL:]
        app._poll()
        await press(pilot, "y")
        assert run.asked == []

    live(act, WHOLE[:TRIAL])


def test_a_folder_that_cannot_be_written_is_reported():
    async def act(app, pilot, run):
        def refuse(ask):
            raise OSError(13, "Permission denied")

        run.steer = refuse
        await press(pilot, "p")
        assert any("Permission denied" in str(n.message) for n in app._notifications)
        await on_screen(app, pilot, "training")

    live(act, WHOLE[:TRIAL])


def test_a_run_of_another_process_is_steered_through_its_folder(home):
    folder = write_run(home / "runs", "other", WHOLE[:TRIAL])

    async def run():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            app.open_run.alive = True
            await press(pilot, "p")
            assert '"ask": "pause"' in (folder / "control.jsonl").read_text()

    asyncio.run(run())


def view_of(*events):
    view = RunView()
    for event in events:
        view = reduce(view, event)
    return view


@pytest.mark.parametrize(
    ("action", "view", "head", "training", "words"),
    [
        ("pause", None, {}, False, "no run is open"),
        ("pause", view_of(*WHOLE[:3]), {}, False, None),
        ("stop", view_of(*WHOLE[:3]), {}, False, None),
        ("grow", view_of(*WHOLE[:3]), {}, False, "not begun"),
        ("grow", view_of(*WHOLE[:TRIAL]), {}, False, None),
        ("grow", view_of(*WHOLE[:TRIAL]), {"alive": False}, False, "process is gone"),
        ("grow", view_of(*WHOLE[:TRIAL], evaluated(1, 0.4, arm="control:a")), {}, False, "control"),
        ("roll_back", view_of(*WHOLE[:TRIAL]), {}, False, None),
        ("roll_back", view_of(*WHOLE[:TRIAL]), {"requested": "stop"}, False, "stopping"),
        ("pause", view_of(*WHOLE), {}, False, "finished"),
        ("pause", view_of(*WHOLE[:TRIAL], STOPPED), {}, False, "ended"),
        ("resume", view_of(*WHOLE[:TRIAL], STOPPED), {}, False, None),
        ("resume", view_of(*WHOLE[:TRIAL], STOPPED), {}, True, "another run"),
        ("resume", view_of(*WHOLE[:TRIAL]), {"alive": False}, False, None),
        ("resume", view_of(*WHOLE), {}, False, "nothing to resume"),
        ("switch", view_of(*WHOLE[:2]), {}, False, "no set"),
        ("playground", view_of(), {}, False, "not begun"),
        ("plot", view_of(), {}, False, None),
        ("new_run", None, {}, True, None),
    ],
)
def test_why_an_action_does_not_apply(action, view, head, training, words):
    reason = why_not(action, view, Head(name="n", **head), training=training)
    assert reason is None if words is None else words in (reason or "")


# Resume


def test_resume_starts_the_run_again_with_its_own_settings(home):
    settings = resolve(TrainConfig(epochs=3, seed=7))
    facts = {"settings": msgspec.to_builtins(settings)}
    folder = write_run(home / "data" / "nexus" / "runs", "r", [*WHOLE[:TRIAL], STOPPED], **facts)
    assert json.loads((folder / "run.json").read_text())["settings"]["seed"] == 7

    async def run():
        app = make_app()
        begun = []
        async with app.run_test(size=(80, 24)) as pilot:
            app.start_training = lambda settings, resume: begun.append((settings.seed, resume))
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            await press(pilot, "u")
            await until(pilot, lambda: begun)
            assert begun == [(7, folder)]

    asyncio.run(run())


def test_a_run_that_cannot_be_resumed_is_reported(home):
    folder = write_run(home / "runs", "r", [*WHOLE[:TRIAL], STOPPED])  # settings of no version

    async def run():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            await press(pilot, "u")
            await until(pilot, lambda: len(app._notifications))
            assert any("not of this version" in str(n.message) for n in app._notifications)

    asyncio.run(run())
