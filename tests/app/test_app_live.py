"""The live screen: what it shows of a run, and how often it draws."""

from __future__ import annotations

import asyncio

import pytest
from app_support import evaluated, make_app, on_screen, screen_text, step, until
from live_support import TRIAL, WHOLE, come, live, press

from nexus_engine import events as ev

pytestmark = pytest.mark.usefixtures("home")


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


def test_without_an_open_run_the_screen_says_what_to_press():
    async def run():
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

    asyncio.run(run())


def test_states_follow_the_events():
    async def act(app, pilot, run):
        await on_screen(app, pilot, "reading data and model")
        await come(app, pilot, run, WHOLE[0])
        await on_screen(app, pilot, "measuring the base model")
        await come(app, pilot, run, *WHOLE[1:TRIAL])
        await on_screen(app, pilot, "training epoch 2/3")
        await come(app, pilot, run, ev.Warned(message="[bold]some[/] rows\x1b[31m left out"))
        await on_screen(app, pilot, "! [bold]some[/] rows[31m left out")
        await come(app, pilot, run, *WHOLE[TRIAL:])
        text = screen_text(app)
        assert "finished" in text
        assert "dev 0.5200, +0.1000 over base" in text
        assert "2 of 2 switches kept" in text
        assert "try it on sentences" in text
        await until(pilot, lambda: "Pause" not in screen_text(app).splitlines()[-1])

    live(act)


def test_a_failure_shows_its_message_and_how_to_resume():
    async def act(app, pilot, run):
        text = screen_text(app)
        assert "the disk is full" in text
        assert "u goes on" in text
        # The keys at the bottom are drawn anew after the run has ended.
        await until(pilot, lambda: "Resume" in screen_text(app).splitlines()[-1])

    failed = ev.RunFailed(message="the disk is full", kind="OSError", exit_code=4)
    live(act, [*WHOLE[:TRIAL], failed])


def test_a_run_whose_process_is_gone_is_interrupted():
    async def act(app, pilot, run):
        run.is_live = False
        screen = app.screen
        screen._check_process()
        await until(pilot, lambda: not app.open_run.alive)
        screen._check_process()  # draws the result of the thread
        await pilot.pause()
        await on_screen(app, pilot, "interrupted")
        await on_screen(app, pilot, "u goes on")

    live(act, WHOLE[:TRIAL], own=False)


def test_dropped_steps_and_controls_are_shown():
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
            others = {c for c in body if not c.isascii()}
            assert not others - set("╭╮╰╯─│"), others  # the border of a panel

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
        assert count >= 2  # the last step is drawn, though no event follows it
        await on_screen(app, pilot, "step 129/207")

    live(act, WHOLE[:TRIAL])
