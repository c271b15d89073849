"""The live screen: what it shows of a run, and each of its actions, by keys and by mouse."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from app_support import (
    ScriptedRun,
    evaluated,
    make_app,
    screen_text,
    step,
    until,
    whole_run,
    write_run,
)

from nexus_engine import events as ev
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.live.applicable import why_not
from nexus_tui.app.live.log import LogScreen
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.plot import PlotScreen
from nexus_tui.app.live.screen import LiveScreen
from nexus_tui.app.live.switch_detail import SwitchDetail
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.app.run_sources import LoggedRun
from nexus_tui.charts.run.heading import Head

pytestmark = pytest.mark.usefixtures("home")

WHOLE = whole_run()
TRIAL = next(i for i, e in enumerate(WHOLE) if isinstance(e, ev.SwitchSettled)) + 12
"""In epoch 2, with the second set on trial."""
STOPPED = ev.RunStopped(reason="stop", exit_code=143, epoch=2, step=99, checkpoint="c")


def live(act, events=(), size=(80, 24), own=True, **settings):
    """Run `act(app, pilot, run)` on the live screen of a run with these events."""

    async def whole():
        app = make_app(**settings)
        async with app.run_test(size=size) as pilot:
            run = ScriptedRun(events, own=own)
            app.open_source(run, show=True)
            await until(pilot, lambda: "scripted" in screen_text(app).split("\n", 1)[1])
            await act(app, pilot, run)

    asyncio.run(whole())


async def press(pilot, *keys):
    await pilot.press(*keys)
    await pilot.pause()


async def come(app, pilot, run, *events):
    """More of the run's events arrive, and are on the screen."""
    run.waiting += events
    app._poll()
    await pilot.pause(0.05)
    pace = getattr(app.screen, "_pace", None)
    if pace is not None and not isinstance(events[-1], ev.Step):
        await until(pilot, lambda: not pace._waiting)


# What is shown


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
def test_all_parts_of_a_live_run_are_on_the_screen(size):
    async def act(app, pilot, run):
        text = screen_text(app)
        for words in ("scripted", "training epoch 2/3", "left", "loss", "dev Spearman", "0.4533",
                      "dendrites", "on trial", "+0.0333", "agreement", "log", "57%"):  # fmt: skip
            assert words.replace("57%", "%") in text, words
        assert all(len(line) <= size[0] for line in text.splitlines())

    live(act, WHOLE[:TRIAL], size=size)


def test_no_run_open_says_what_to_press():
    async def whole():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, "2")
            text = screen_text(app)
            assert "No run is open" in text
            assert "n  start a new run" in text
            await press(pilot, "p")
            assert any("no run is open" in str(n.message) for n in app._notifications)
            await press(pilot, "n")
            assert app.current_mode == "runs"

    asyncio.run(whole())


def test_states_follow_the_events():
    async def act(app, pilot, run):
        assert "reading data and model" in screen_text(app)
        await come(app, pilot, run, WHOLE[0])
        assert "measuring the base model" in screen_text(app)
        await come(app, pilot, run, *WHOLE[1:TRIAL])
        assert "training epoch 2/3" in screen_text(app)
        await come(app, pilot, run, ev.Warned(message="[bold]some[/] rows\x1b[31m left out"))
        assert "! [bold]some[/] rows[31m left out" in screen_text(app)
        await come(app, pilot, run, *WHOLE[TRIAL:])
        text = screen_text(app)
        assert "finished" in text
        assert "dev 0.5200, +0.1000 over base" in text
        assert "2 of 2 switches kept" in text
        assert "try it on sentences" in text
        await until(pilot, lambda: "Pause" not in screen_text(app).splitlines()[-1])

    live(act)


def test_a_failure_is_told_with_its_message_and_the_way_on():
    async def act(app, pilot, run):
        text = screen_text(app)
        assert "the disk is full" in text
        assert "u goes on" in text
        # The keys at the bottom are put together anew after the run has ended.
        await until(pilot, lambda: "Resume" in screen_text(app).splitlines()[-1])

    failed = ev.RunFailed(message="the disk is full", kind="OSError", exit_code=4)
    live(act, [*WHOLE[:TRIAL], failed])


def test_a_run_whose_process_is_gone_is_interrupted():
    async def act(app, pilot, run):
        run.is_live = False
        screen = app.screen
        screen._check_process()
        await until(pilot, lambda: not app.open_run.alive)
        screen._check_process()  # draws what the thread found
        await pilot.pause()
        assert "interrupted" in screen_text(app)
        assert "u goes on" in screen_text(app)

    live(act, WHOLE[:TRIAL], own=False)


def test_dropped_steps_and_arms_are_told():
    async def act(app, pilot, run):
        run.dropped_steps = 42
        await come(app, pilot, run, evaluated(1, 0.45, arm="control:no-dendrites"))
        await come(app, pilot, run, step(3, arm="control:no-dendrites"))
        await pilot.pause(0.5)
        text = screen_text(app)
        assert "42 steps not shown" in text
        assert "▸control no-dendrites 0.4500" in text
        assert "loss, control" in text

    live(act, WHOLE[:-1], size=(120, 30))


def test_a_loss_that_is_not_a_number_is_shown():
    async def act(app, pilot, run):
        text = screen_text(app)
        assert "last nan" in text
        assert "×" in text

    live(act, [*WHOLE[:TRIAL], step(120, float("nan"))])


def test_ascii_sends_nothing_else():
    async def act(app, pilot, run):
        for keys in ((), ("f",), ("escape", "enter")):
            await press(pilot, *keys)
            body = "\n".join(screen_text(app).splitlines()[1:-1])
            strange = {c for c in body if not c.isascii()}
            assert not strange - set("╭╮╰╯─│"), strange  # the panel's border is the theme's

    live(act, WHOLE[:TRIAL], ascii=True)


def test_only_what_changed_is_drawn():
    async def act(app, pilot, run):
        await pilot.pause(0.6)
        drawn = []
        screen = app.screen
        for canvas in screen.query("Canvas"):
            refresh = canvas.refresh
            canvas.refresh = lambda *regions, _was=refresh, **more: (
                drawn.extend(regions), _was(*regions, **more))[1]  # fmt: skip
        screen.draw()
        assert drawn == []
        await come(app, pilot, run, step(130, 0.05))
        assert 0 < sum(region.area for region in drawn) < 600

    live(act, WHOLE[:TRIAL])


def test_figures_are_drawn_twice_a_second_at_most():
    async def act(app, pilot, run):
        screen = app.screen
        count = 0
        draw = screen.draw

        def counted():
            nonlocal count
            count += 1
            draw()

        screen.draw = counted
        await pilot.pause(0.6)
        for number in range(120, 130):
            run.waiting.append(step(number))
            app._poll()
        assert count <= 2
        await pilot.pause(0.7)
        assert count >= 2  # what came last is drawn, though nothing came after it
        assert "step 129/207" in screen_text(app)

    live(act, WHOLE[:TRIAL])


# Steering


def test_pause_is_asked_at_once_and_goes_on_with_the_same_key():
    async def act(app, pilot, run):
        await press(pilot, "p")
        assert run.asked == ["pause"]
        assert "pausing before the next step" in screen_text(app)
        await come(app, pilot, run, ev.PauseChanged(paused=True))
        assert "paused in epoch 2/3" in screen_text(app)
        await press(pilot, "p")
        assert run.asked == ["pause", "resume"]
        await come(app, pilot, run, ev.PauseChanged(paused=False))
        assert "training epoch 2/3" in screen_text(app)

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


def test_a_folder_that_cannot_be_written_is_told():
    async def act(app, pilot, run):
        def refuse(ask):
            raise OSError(13, "Permission denied")

        run.steer = refuse
        await press(pilot, "p")
        assert any("Permission denied" in str(n.message) for n in app._notifications)
        assert "training" in screen_text(app)

    live(act, WHOLE[:TRIAL])


def test_a_run_of_another_process_is_steered_through_its_folder(home):
    folder = write_run(home / "runs", "other", WHOLE[:TRIAL])

    async def whole():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            app.open_run.alive = True
            await press(pilot, "p")
            assert '"ask": "pause"' in (folder / "control.jsonl").read_text()

    asyncio.run(whole())


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
    found = why_not(action, view, Head(name="n", **head), training=training)
    assert (found is None) if words is None else (found is not None and words in found)


# Resume


def test_resume_starts_the_run_again_with_its_own_settings(home, monkeypatch):
    import json

    import msgspec

    from nexus_engine.config import TrainConfig, resolve

    settings = resolve(TrainConfig(epochs=3, seed=7))
    facts = {"settings": msgspec.to_builtins(settings)}
    folder = write_run(home / "data" / "nexus" / "runs", "r", [*WHOLE[:TRIAL], STOPPED], **facts)
    assert json.loads((folder / "run.json").read_text())["settings"]["seed"] == 7

    async def whole():
        app = make_app()
        begun = []
        async with app.run_test(size=(80, 24)) as pilot:
            app.start_training = lambda settings, resume: begun.append((settings.seed, resume))
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            await press(pilot, "u")
            await until(pilot, lambda: begun)
            assert begun == [(7, folder)]

    asyncio.run(whole())


def test_a_run_that_cannot_be_resumed_is_told(home):
    folder = write_run(home / "runs", "r", [*WHOLE[:TRIAL], STOPPED])  # settings of no version

    async def whole():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            app.open_source(LoggedRun(folder), show=True)
            await pilot.pause()
            await press(pilot, "u")
            await until(pilot, lambda: len(app._notifications))
            assert any("not of this version" in str(n.message) for n in app._notifications)

    asyncio.run(whole())


# Plot, switches, log, elsewhere


def test_the_plot_goes_through_all_metrics_and_back():
    async def act(app, pilot, run):
        await press(pilot, "f")
        assert isinstance(app.screen, PlotScreen)
        seen = []
        for _ in range(7):
            text = screen_text(app)
            seen.append(text.splitlines()[3].split("  ")[0].strip())
            await press(pilot, "right")
        assert seen == ["loss", "dev Spearman", "guard", "learning rate", "gradient norm",
                        "pairs/s", "memory, MB"]  # fmt: skip
        assert "▸loss" in screen_text(app)
        await press(pilot, "h", "y")
        assert "memory, MB, log scale" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_the_plot_is_live_and_takes_the_mouse():
    async def act(app, pilot, run):
        await press(pilot, "f")
        await come(app, pilot, run, step(130, 0.0123))
        for _ in range(100):  # the picture rests between two drawings
            await pilot.pause(0.05)
            if "last 0.0123" in screen_text(app):
                break
        assert "last 0.0123" in screen_text(app)
        row = screen_text(app).splitlines()[1]
        await pilot.click("MetricRow", offset=(row.index("pairs/s") - 1, 0))
        await pilot.pause()
        assert "▸pairs/s" in screen_text(app)

    live(act, WHOLE[:TRIAL])


def test_a_chart_opens_its_own_metric_by_key_and_by_mouse():
    async def act(app, pilot, run):
        app.screen.query_one("#spearman").focus()
        await press(pilot, "enter")
        assert "▸dev Spearman" in screen_text(app)
        await press(pilot, "escape")
        await pilot.click("#spearman")
        await pilot.pause()
        assert isinstance(app.screen, PlotScreen)
        await press(pilot, "f")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_switches_are_picked_and_shown_in_full():
    async def act(app, pilot, run):
        await press(pilot, "h")
        assert "switch 2 on trial" in screen_text(app)
        await press(pilot, "left")
        assert "switch 1 kept  0.4200 → 0.4533 +0.0333" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, SwitchDetail)
        text = screen_text(app)
        for words in (
            "before any training",
            "12 layers",
            "32,292 added",
            "(+0.0333)",
            "rose above",
        ):
            assert words in text, words
        await press(pilot, "l")
        assert "its trial ends with this phase" in screen_text(app)
        await press(pilot, "escape", "l")
        assert app.screen.query_one(SwitchLine).chosen.switch == 2

    live(act, WHOLE[:TRIAL])


def test_a_click_picks_a_switch_and_another_opens_it():
    async def act(app, pilot, run):
        await pilot.click(SwitchLine, offset=(0, 1))
        await pilot.pause()
        assert "switch 1 kept" in screen_text(app)
        await pilot.click(SwitchLine, offset=(0, 1))
        await pilot.pause()
        assert isinstance(app.screen, SwitchDetail)

    live(act, WHOLE[:TRIAL])


def test_the_log_scrolls_and_opens_at_full_size():
    async def act(app, pilot, run):
        newest = WHOLE[TRIAL - 1]
        assert isinstance(newest, ev.Step)
        await press(pilot, "k", "k")
        assert "2 more below" in screen_text(app)
        await come(app, pilot, run, ev.Log(message="a remark"))
        assert "3 more below" in screen_text(app)
        assert "a remark" not in screen_text(app)
        await press(pilot, "j", "pagedown")
        assert "a remark" in screen_text(app)
        await press(pilot, "o")
        assert isinstance(app.screen, LogScreen)
        assert "run started" in screen_text(app)
        await come(app, pilot, run, ev.Log(message="another remark"))
        assert "another remark" in screen_text(app)
        await press(pilot, "home", "escape")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_tab_goes_through_the_panes():
    async def act(app, pilot, run):
        seen = []
        for _ in range(4):
            seen.append(app.focused.id or type(app.focused).__name__)
            await press(pilot, "tab")
        assert set(seen) == {"loss", "spearman", "SwitchLine", "LogView"}
        app.screen.query_one(LogView).focus()
        await press(pilot, "home")
        assert "more below" in screen_text(app)

    live(act, WHOLE[:TRIAL])


@pytest.mark.parametrize(("key", "mode"), [("t", "playground"), ("c", "compare"), ("n", "runs")])
def test_the_next_steps_lead_elsewhere(key, mode):
    async def act(app, pilot, run):
        await press(pilot, key)
        assert app.current_mode == mode

    live(act, WHOLE)


def test_keys_can_be_changed_and_the_screen_names_them():
    async def act(app, pilot, run):
        await press(pilot, "f5")
        assert run.asked == ["pause"]
        await come(app, pilot, run, STOPPED)
        assert "f6 goes on" in screen_text(app).lower()

    live(act, WHOLE[:TRIAL], keys={"run.pause": "f5", "run.resume": "f6"})


def test_another_run_takes_the_screen_over():
    async def act(app, pilot, run):
        await press(pilot, "h", "k", "p")
        other = ScriptedRun(WHOLE[:9])
        other.name = "other-run"
        app.open_source(other, show=True)
        await pilot.pause()
        text = screen_text(app)
        assert "other-run" in text
        assert "pausing" not in text
        assert "more below" not in text
        assert app.screen.query_one(SwitchLine).chosen is None

    live(act, WHOLE[:TRIAL])


@pytest.mark.parametrize("theme", ["nexus-light", "nexus-contrast"])
def test_a_new_theme_is_drawn_at_once(theme):
    async def act(app, pilot, run):
        before = app.screen.query_one("#loss").render_line(0)
        app.theme = theme
        await pilot.pause()
        assert app.screen.query_one("#loss").render_line(0) != before

    live(act, WHOLE[:TRIAL])


def test_resizing_shares_the_room_out_anew():
    async def act(app, pilot, run):
        await pilot.resize_terminal(120, 40)
        await pilot.pause(0.1)
        assert "guard against forgetting" in screen_text(app)
        await pilot.resize_terminal(60, 20)
        await pilot.pause(0.1)
        text = screen_text(app)
        assert "guard against forgetting" not in text
        assert "dendrites" in text
        assert all(len(line) <= 60 for line in text.splitlines())

    live(act, WHOLE[:TRIAL])


def test_nothing_is_painted_while_another_screen_is_in_front(monkeypatch):
    from nexus_tui.app.live import screen as module

    monkeypatch.setattr(module, "PROCESS_SECONDS", 0.05)

    async def act(app, pilot, run):
        await press(pilot, "f")
        await pilot.pause(0.3)
        painted = []
        display = app._display
        app._display = lambda screen, update: (painted.append(update), display(screen, update))
        await pilot.pause(0.4)
        assert painted == []

    live(act, WHOLE[:TRIAL], own=False)


def test_a_real_run_is_paused_stopped_and_resumed_to_its_end(small_data, monkeypatch):
    from nexus_engine.config import TrainConfig, resolve
    from nexus_engine.training import inputs

    guard = inputs.load_guard().take(np.arange(20))
    monkeypatch.setattr(inputs, "load_guard", lambda: guard)

    config = TrainConfig(data=str(small_data), epochs=3, batch_size=4, switch_epochs=(0, 1),
                         layers=(0,), place=("v",), threads=1)  # fmt: skip

    async def shows(app, pilot, *words):
        for _ in range(1200):
            await pilot.pause(0.05)
            if any(word in screen_text(app) for word in words):
                return
        raise AssertionError(f"waited for {words}:\n{screen_text(app)}")

    async def whole():
        app = make_app()
        async with app.run_test(size=(100, 30)) as pilot:
            app.start_training(resolve(config))
            await shows(app, pilot, "epoch 2/3")
            await press(pilot, "p")
            await shows(app, pilot, "paused in epoch")
            await press(pilot, "s", "y")  # a stop ends a pause; the small run would end before it
            await shows(app, pilot, "stopped in epoch")
            before = app.open_run.view.arm("main")
            await press(pilot, "u")
            await shows(app, pilot, "reading data and model", "measuring", "training")
            assert app.open_run.view.arm("main").points[:2] == before.points[:2]
            await shows(app, pilot, "★ finished", "finished  dev")
            after = app.open_run.view.arm("main")
            assert [point.epoch for point in after.points] == [0, 1, 2, 3]
            assert [switch.state == "trial" for switch in after.switches] == [False, False]
            app.session.wait(10)

    asyncio.run(whole())
