"""The live screen of a run whose events the test gives."""

from __future__ import annotations

import asyncio

from app_support import (
    ScriptedRun,
    make_app,
    screen_text,
    until,
    whole_run,
)

from nexus_engine import events as ev

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
    throttle = getattr(app.screen, "_throttle", None)
    if throttle is not None and not isinstance(events[-1], ev.Step):
        await until(pilot, lambda: not throttle._waiting)
