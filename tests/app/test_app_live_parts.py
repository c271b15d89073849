"""The screens that open from the live screen: plot, switches, log, others."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from app_support import ScriptedRun, make_app, on_screen, paints, screen_text, step, until
from live_support import STOPPED, TRIAL, WHOLE, come, live, press

from nexus_engine import events as ev
from nexus_tui.app.live.log import LogScreen
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.plot import PlotScreen
from nexus_tui.app.live.screen import LiveScreen
from nexus_tui.app.live.switch_detail import SwitchDetail
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.app.new_run.screen import NewRunScreen

pytestmark = pytest.mark.usefixtures("home")


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
        await on_screen(app, pilot, "▸loss")
        await press(pilot, "h", "y")
        await on_screen(app, pilot, "memory, MB, log scale")
        await press(pilot, "escape")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_the_plot_is_live_and_takes_the_mouse():
    async def act(app, pilot, run):
        await press(pilot, "f")
        await come(app, pilot, run, step(130, 0.0123))
        for _ in range(100):  # the plot is drawn once a second
            await pilot.pause(0.05)
            if "last 0.0123" in screen_text(app):
                break
        await on_screen(app, pilot, "last 0.0123")
        row = screen_text(app).splitlines()[1]
        await pilot.click("MetricRow", offset=(row.index("pairs/s") - 1, 0))
        await pilot.pause()
        await on_screen(app, pilot, "▸pairs/s")

    live(act, WHOLE[:TRIAL])


def test_a_chart_opens_its_own_metric_by_key_and_by_mouse():
    async def act(app, pilot, run):
        app.screen.query_one("#score").focus()
        await press(pilot, "enter")
        await on_screen(app, pilot, "▸dev Spearman")
        await press(pilot, "escape")
        await pilot.click("#score")
        await pilot.pause()
        assert isinstance(app.screen, PlotScreen)
        await press(pilot, "f")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_switches_are_picked_and_shown_in_full():
    async def act(app, pilot, run):
        await press(pilot, "h")
        await on_screen(app, pilot, "switch 2 on trial")
        await press(pilot, "left")
        await on_screen(app, pilot, "switch 1 kept  0.4200 → 0.4533 +0.0333")
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
        await on_screen(app, pilot, "its trial ends with this phase")
        await press(pilot, "escape", "l")
        assert app.screen.query_one(SwitchLine).chosen.switch == 2

    live(act, WHOLE[:TRIAL])


def test_a_click_picks_a_switch_and_another_opens_it():
    async def act(app, pilot, run):
        await pilot.click(SwitchLine, offset=(0, 1))
        await pilot.pause()
        await on_screen(app, pilot, "switch 1 kept")
        await pilot.click(SwitchLine, offset=(0, 1))
        await pilot.pause()
        assert isinstance(app.screen, SwitchDetail)

    live(act, WHOLE[:TRIAL])


def test_the_log_scrolls_and_opens_at_full_size():
    async def act(app, pilot, run):
        newest = WHOLE[TRIAL - 1]
        assert isinstance(newest, ev.Step)
        await press(pilot, "k", "k")
        await on_screen(app, pilot, "2 more below")
        await come(app, pilot, run, ev.Log(message="a remark"))
        await on_screen(app, pilot, "3 more below")
        assert "a remark" not in screen_text(app)
        await press(pilot, "j", "pagedown")
        await on_screen(app, pilot, "a remark")
        await press(pilot, "o")
        assert isinstance(app.screen, LogScreen)
        await on_screen(app, pilot, "run started")
        await come(app, pilot, run, ev.Log(message="another remark"))
        await on_screen(app, pilot, "another remark")
        await press(pilot, "home", "escape")
        assert isinstance(app.screen, LiveScreen)

    live(act, WHOLE[:TRIAL])


def test_tab_goes_through_the_panes():
    async def act(app, pilot, run):
        seen = []
        for _ in range(4):
            seen.append(app.focused.id or type(app.focused).__name__)
            await press(pilot, "tab")
        assert set(seen) == {"loss", "score", "SwitchLine", "LogView"}
        app.screen.query_one(LogView).focus()
        await press(pilot, "home")
        await on_screen(app, pilot, "more below")

    live(act, WHOLE[:TRIAL])


@pytest.mark.parametrize(("key", "mode"), [("t", "playground"), ("c", "compare")])
def test_the_next_steps_lead_elsewhere(key, mode):
    async def act(app, pilot, run):
        await press(pilot, key)
        assert app.current_mode == mode

    live(act, WHOLE)


def test_n_opens_the_form_that_the_screen_promises():
    async def act(app, pilot, run):
        await press(pilot, "n")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await press(pilot, "escape")
        assert app.current_mode == "runs"

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


def test_a_new_size_lays_the_parts_out_anew():
    async def act(app, pilot, run):
        await pilot.resize_terminal(120, 40)
        await pilot.pause(0.1)
        await on_screen(app, pilot, "guard against forgetting")
        await pilot.resize_terminal(60, 20)
        await pilot.pause(0.1)
        text = screen_text(app)
        assert "guard against forgetting" not in text
        assert "dendrites" in text
        assert all(len(line) <= 60 for line in text.splitlines())

    live(act, WHOLE[:TRIAL])


def test_nothing_is_painted_while_another_screen_is_in_front():
    async def act(app, pilot, run):
        await app.push_screen(LiveScreen(process_seconds=0.05))
        await pilot.pause()
        await press(pilot, "f")
        await pilot.pause(0.3)
        painted = paints(app)
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

    async def run():
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

    asyncio.run(run())
