"""Every screen opens on every state of a run, whenever it is asked to: keys at random moments."""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from pathlib import Path
from typing import Any

from nexus_tui.app.kit.run_list import RunList
from reliability.outcome import Outcome
from reliability.run_states import live_runs, write_states

PAUSES = (0.0, 0.0, 0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15)
"""Seconds between two keys: most too short for what the key before has opened to be there."""
SIZES = ((80, 24), (80, 24), (120, 40), (60, 20), (30, 10))
OPENINGS_AN_APP = (1, 1, 2, 3, 5, 40)
"""A screen is made when it is first gone to: many apps live for that alone."""
LIVE_SHARE = 0.4
ON_A_RUN = (
    "o escape*2", "f right L escape", "f escape", "left enter escape", "enter right left escape",
    "question_mark escape*2", "t", "t m escape", "ctrl+p escape", "k j pageup", "c", "b n*2",
    "g n*3", "s n*4", "u", "p",
)  # fmt: skip
ELSEWHERE = (
    "n escape*3", "n down down escape", "n question_mark escape", "slash f i n escape escape",
    "3", "3 ] ] [", "3 m escape", "3 i a tab b escape", "3 o escape",
    "p", "p m enter", "4", "space down space 4 a escape", "space down c right left b", "c j k",
    "5", "5 enter enter", "5 down enter escape escape", "5 enter b enter y", "s enter escape",
    "2", "2 1 2 1", "4 1 3 1 2", "ctrl+p r u n escape", "question_mark escape", "u", "d k*4",
    "d k*2", "escape escape", "1 1", "5 5 1",
)  # fmt: skip
BURST = "escape*5"
"""Keys that come at once, as a key held down on a slow line does."""
HEAVY = {"u", "b", "p", "3", "t"}
DOUBLED = 0.15
"""Share of keys that are typed twice, as a burst does."""


def _route(chance: random.Random, light: bool) -> list[str]:
    """The keys of one opening: to a run of the list and about it, or somewhere else.

    With `light`, none that loads the engine.
    """
    while light and HEAVY & set(keys := _any_route(chance)):
        pass
    return keys if light else _any_route(chance)


def _any_route(chance: random.Random) -> list[str]:
    live = chance.random() < LIVE_SHARE
    point = "point live" if live else f"point {chance.random()}"
    if chance.random() < 0.6:
        keys = ["1", point, "enter"]
        keys += chance.choice(ON_A_RUN).split() if chance.random() < 0.7 else []
    else:
        keys = ["1", point, *chance.choice(ELSEWHERE).split()]
    keys += chance.choice(("", "escape", "1", BURST)).split()
    return [key for each in keys for key in [each] * (1 + (chance.random() < DOUBLED))]


def _type(app: Any, key: str) -> None:
    """As the driver does: the key is in the app's queue, and nobody waits for what it does.

    `point live` puts the cursor on the live run, `point 0.5` on the one in the middle, as a click
    does; nowhere where the list is not read yet.
    """
    from textual.events import Key

    if key.startswith("point"):
        for rows in app.screen.query(RunList):
            names, asked = [run.name for run in rows.runs], key.removeprefix("point ")
            place = names.index(asked) if asked in names else None
            if place is None and asked != "live":
                place = int(float(asked) * len(names))
            if place is not None:
                rows.action_to_end(-1)
                rows.action_move(place)
        return
    key, _, times = key.partition("*")
    character = {"question_mark": "?", "slash": "/", "space": " "}.get(key)
    for _ in range(int(times or 1)):
        event = Key(key, character or (key if len(key) == 1 else None))
        event.set_sender(app)
        app._driver.send_message(event)


async def _one_app(chance: random.Random, openings: int, light: bool) -> tuple[int, list[str]]:
    """Openings in one app until it fails; how many were made, and what failed."""
    from app_support import make_app

    app, done, keys = make_app(), 0, [""]
    size = chance.choice(SIZES)
    try:
        async with app.run_test(size=size) as pilot:
            await asyncio.sleep(chance.choice(PAUSES))
            if chance.random() < 0.8:
                await _listed(app)
            while done < openings and app.is_running and not app.crash:
                keys = _route(chance, light)
                done += 1
                for key in keys:
                    _type(app, key)
                    await asyncio.sleep(chance.choice(PAUSES))
                if chance.random() < 0.1:
                    await pilot.resize_terminal(*chance.choice(SIZES))
                if not done % 10:
                    await pilot.resize_terminal(80, 24)
                    await _answers(app, keys)
            app.exit()  # while the last keys are still on their way
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        places = ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)
        where = app.crash or f"{type(error).__name__}: {error}, at {places}"
        return done, [f"{' '.join(keys)} on {size}: {where}"[:400]]
    failures = [f"{' '.join(keys)}: the app ended"] if done < openings else []
    return done, failures


async def _listed(app: Any) -> None:
    """Wait until the runs are read, as a user does."""
    while not app.screen.query(RunList) or not app.screen.query_one(RunList).runs:
        await asyncio.sleep(0.005)


async def _answers(app: Any, keys: list[str]) -> None:
    """The app can still be brought to the list of runs, and shows it."""
    from app_support import screen_text

    end = asyncio.get_running_loop().time() + 30
    while app.current_mode != "runs" or len(app.screen_stack) > 1:
        assert asyncio.get_running_loop().time() < end, f"stuck at {app.screen} after {keys}"
        _type(app, "escape")
        _type(app, "1")
        await asyncio.sleep(0.02)
    while "finished-" not in screen_text(app):
        shown = " ".join(screen_text(app).split())[:300]
        assert asyncio.get_running_loop().time() < end, f"no list of runs: {shown}"
        await asyncio.sleep(0.02)


def opened(
    place: Path,
    openings: int = 1000,
    seeds: tuple[int, ...] = (1, 2, 3, 4),
    *,
    light: bool = False,
) -> Outcome:
    """So many openings in all, shared out to apps that each live for some of them."""
    former = {name: os.environ.get(name) for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    os.environ["XDG_DATA_HOME"] = str(place / "data")
    os.environ["XDG_CONFIG_HOME"] = str(place / "config")
    made, failures = 0, []
    try:
        root = write_states(place / "data")
        with live_runs(root):
            for seed in seeds:
                chance, left = random.Random(seed), openings // len(seeds)
                while left > 0:
                    wanted = min(left, chance.choice(OPENINGS_AN_APP))
                    done, failed = asyncio.run(_one_app(chance, wanted, light))
                    left -= max(1, done)
                    made += done
                    failures += [f"seed {seed}: {line}" for line in failed]
    finally:
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    told = f"seeds {', '.join(map(str, seeds))}"
    return Outcome("every screen opens on every state of a run", made, failures, told)


def closed_twice(place: Path) -> Outcome:
    """A screen over the list of runs that is told twice to close: the list stays."""
    from app_support import make_app

    async def close() -> list[str]:
        app = make_app()
        try:
            async with app.run_test() as pilot:
                await pilot.press("question_mark")
                screen = app.screen
                screen.dismiss()
                screen.dismiss()
                await pilot.pause()
                return [app.crash] if app.crash else []
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]

    os.environ["XDG_DATA_HOME"] = str(place / "data")
    os.environ["XDG_CONFIG_HOME"] = str(place / "config")
    return Outcome("a screen closes itself alone", 1, asyncio.run(close()))
