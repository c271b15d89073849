"""Makes the pictures of the app in assets/screens: the real app, on a real run of the demo set.

    python assets/screenshots.py [--only NAME]

Trains on the demo set in a data folder of its own, drives the app by its keys, and writes what the
terminal shows as SVG: two runs for most pictures (about two minutes on two cores), a small sweep
for `sweep`, two short runs for `compare` and one for `export` (about a minute each), and a run on
demo-search with its index for `search`. With `--only` what the named pictures need not is left
out: `--only sweep`, `--only live-80x24`. The pictures load nothing from a network: the fonts that
Textual's own export names are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexus_tui.app.application import NexusApp

SCREENS = Path(__file__).resolve().parent / "screens"
FONT_FACE = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
PATIENCE_SECONDS = 600.0
GRID = """
[train]
tune = "adapter"
epochs = 3
[grid]
warmup_epochs = [1, 2]
lr = [1e-4, 3e-4, 1e-3]
batch_size = [16, 32]
"""
SWEEP_DONE = 7
"""Of the twelve runs of that grid, those that the picture waits for."""
HOMES = {
    "XDG_DATA_HOME": "/home/you/.local/share",
    "XDG_CONFIG_HOME": "/home/you/.config",
    "XDG_EXPORTS": "/home/you/exports",
}
"""What the pictures say of the folders, instead of those in which they were made. The last is the
current folder of an export, and no variable of any program."""
wanted = ""
"""What the names of the pictures to write begin with."""
SENTENCES = ("The patient denies chest pain.", "Patient reports no chest pain.")


def save(app: NexusApp, name: str) -> None:
    """Write what the app shows now, where that is wanted."""
    if not name.startswith(wanted):
        return
    svg = FONT_FACE.sub("", app.export_screenshot(title="nexus"))
    for variable, shown in HOMES.items():
        svg = svg.replace(os.environ[variable], shown)
    if tempfile.gettempdir() + "/" in svg:
        raise SystemExit(f"{name} shows a path of this machine")
    lines = "\n".join(line.rstrip() for line in svg.splitlines())
    (SCREENS / f"{name}.svg").write_text(lines + "\n", encoding="utf-8")
    print(f"{name}.svg, {app.size.width}x{app.size.height}")


def settle_in(folder: Path) -> None:
    """Homes in `folder`, with paths as long as those shown, so that a picture can be rewritten."""
    for variable, shown in HOMES.items():
        name = variable[4].lower() * (len(shown) - len(f"{folder}/"))
        if not name:
            raise SystemExit(f"{folder} is too long a path: set TMPDIR to a shorter one")
        (folder / name).mkdir()
        os.environ[variable] = str(folder / name)


async def until(pilot: Any, true: Callable[[], object], what: str) -> None:
    """Let the app live until something is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"waited for {what} in vain")
        await pilot.pause(0.1)
    await pilot.pause(0.3)


async def press(pilot: Any, *keys: str, seconds: float = 0.6) -> None:
    """Press keys and let the screen come to rest."""
    await pilot.press(*keys)
    await pilot.pause(seconds)


async def tour() -> None:
    """From an empty home to an answered pair, with a picture at each place."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_tui.app.application import NexusApp
    from nexus_tui.settings.app import UiSettings

    app = NexusApp(UiSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(1)
        save(app, "welcome-80x24")
        app.start_training(resolve(TrainConfig(tune="adapter")))
        await until(pilot, lambda: app.open_run and app.open_run.view.ended, "the first run")
        app.start_training(resolve(TrainConfig()))
        view = lambda: app.open_run.view  # noqa: E731 - what the live screen shows now
        await until(
            pilot,
            lambda: len(view().arm("main").switches) == 2 and view().arm("main").epoch == 3,
            "the second switch",
        )
        await until(pilot, lambda: view().arm("main").fraction > 0.67, "the third epoch")
        for width, height in ((80, 24), (60, 20), (120, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause(1)
            save(app, f"live-{width}x{height}")
        await press(pilot, "f")
        save(app, "plot-120x40")
        await press(pilot, "escape")
        await until(pilot, lambda: view().ended, "the end of the run")
        await pilot.resize_terminal(80, 24)
        await pilot.pause(1)
        save(app, "result-80x24")
        await press(pilot, "3", "i", *SENTENCES[0].replace(" ", " "))
        await press(pilot, "enter", *SENTENCES[1], seconds=4)
        save(app, "playground-80x24")
        await press(pilot, "escape", "1")
        await pilot.resize_terminal(120, 40)
        await pilot.pause(1)
        save(app, "runs-120x40")
        await press(pilot, "n", seconds=3)
        save(app, "new-run-120x40")
        await press(pilot, "escape", "question_mark")
        save(app, "keys-120x40")


async def sweep() -> None:
    """The heat map of a sweep while `nexus sweep` works on it in a process of its own."""
    from nexus_engine.sweeps.folder import sweeps_root
    from nexus_engine.sweeps.following import SweepIndex
    from nexus_tui.app.application import NexusApp
    from nexus_tui.settings.app import UiSettings

    grid = Path(os.environ["XDG_CONFIG_HOME"]) / "grid.toml"
    grid.write_text(GRID)
    command = [sys.executable, "-m", "nexus_tui", "sweep", "--grid", str(grid), "--jobs", "2"]
    work = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    app = NexusApp(UiSettings())
    app.may_probe = False
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            index = SweepIndex(sweeps_root())
            done = lambda: any(one.done >= SWEEP_DONE for one in index.refresh())  # noqa: E731
            await until(pilot, done, "the first runs of the sweep")
            await press(pilot, "s", seconds=2)
            await press(pilot, "enter", seconds=3)
            save(app, "sweep-120x40")
    finally:
        work.terminate()
        work.wait()


async def compare() -> None:
    """Two short runs side by side, and whether they differ."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_tui.app.application import NexusApp
    from nexus_tui.settings.app import UiSettings

    app = NexusApp(UiSettings())
    app.may_probe = False
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(1)
        for lr in (3e-4, 1e-3):
            app.open_run = None
            app.start_training(resolve(TrainConfig(tune="adapter", lr=lr)))
            await until(pilot, lambda: app.open_run and app.open_run.view.ended, "a run")
            await until(pilot, lambda: not app.training, "the end of its thread")
        await press(pilot, "1", seconds=3)
        await press(pilot, "space", "down", "c", seconds=2)
        await press(pilot, "b")
        await until(pilot, lambda: app.screen._judgement is not None, "the interval")
        save(app, "compare-120x40")


async def export() -> None:
    """A short run, exported for sentence-transformers."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_tui.app.application import NexusApp
    from nexus_tui.settings.app import UiSettings

    app = NexusApp(UiSettings())
    app.may_probe = False
    with contextlib.chdir(os.environ["XDG_EXPORTS"]):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(1)
            app.start_training(resolve(TrainConfig(tune="adapter")))
            await until(pilot, lambda: app.open_run and app.open_run.view.ended, "the run")
            await until(pilot, lambda: not app.training, "the end of its thread")
            await press(pilot, "e", seconds=2)
            await press(pilot, "enter", seconds=2)
            await until(pilot, lambda: not app.export_work.busy, "the export")
            await pilot.pause(1)
            save(app, "export-80x24")


async def search() -> None:
    """A question of an index by base and tuned: the first whose answer stands on both sides."""
    from nexus_engine.config import TrainConfig, resolve
    from nexus_engine.indexing.building import build
    from nexus_tui.app.application import NexusApp
    from nexus_tui.app.playground.search_pane import SearchPane
    from nexus_tui.settings.app import UiSettings

    app = NexusApp(UiSettings())
    app.may_probe = False
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(1)
        config = TrainConfig(data="demo-search", task="retrieval", tune="adapter", epochs=3)
        app.start_training(resolve(config))
        await until(pilot, lambda: app.open_run and app.open_run.view.ended, "a run")
        await until(pilot, lambda: not app.training, "the end of its thread")
        index = Path(os.environ["XDG_DATA_HOME"]) / "demo.index"
        for _ in build("demo-search", str(app.open_run.source.path), index, with_base=True):
            await pilot.pause(0)
        await press(pilot, "3", "right_square_bracket", "right_square_bracket", seconds=3)
        pane = app.screen.query_one(SearchPane)
        pane.path.value = str(index)

        def is_telling() -> bool:
            answers = [] if pane.work.matches is None else pane.work.matches.answers
            return any(1 < each.base_rank < 7 and each.tuned_rank == 1 for each in answers)

        while not is_telling():
            await press(pilot, "n")
            await until(pilot, lambda: not pane.work.doing, "an answer")
        await press(pilot, "a", seconds=1)
        for width, height in ((80, 24), (60, 20), (120, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause(1)
            save(app, f"search-{width}x{height}")


async def teach() -> None:
    """A question of demo-search with two passages judged, then graded pairs."""
    from nexus_tui.app.application import NexusApp
    from nexus_tui.settings.app import UiSettings

    app = NexusApp(UiSettings())
    app.may_probe = False
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(1)
        await press(pilot, "6", seconds=2)
        await until(pilot, lambda: app.teach.item is not None, "a question")
        await press(pilot, "n", "y", seconds=2)
        for width, height in ((80, 24), (60, 20)):
            await pilot.resize_terminal(width, height)
            await pilot.pause(1)
            save(app, f"teach-{width}x{height}")
        await pilot.resize_terminal(80, 24)
        item = app.teach.item
        await press(pilot, "enter", "right_square_bracket")
        await until(pilot, lambda: app.teach.item not in (None, item), "a pair")
        await press(pilot, "4", "y", "1", seconds=2)
        save(app, "teach-pairs-80x24")


TOURS: dict[str, Callable[[], Awaitable[None]]] = {
    "sweep": sweep,
    "compare": compare,
    "export": export,
    "search": search,
    "teach": teach,
}
"""Pictures that need nothing of the long tour, by the first word of their names."""


async def make() -> None:
    """The tours that make what is wanted."""
    alone = TOURS.get(wanted.partition("-")[0])
    for walk in (tour, *TOURS.values()) if not wanted else (alone or tour,):
        with tempfile.TemporaryDirectory(prefix="n") as home:
            settle_in(Path(home))
            await walk()


def main() -> int:
    """Make the pictures."""
    global wanted
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="what a picture's name begins with: sweep")
    wanted = parser.parse_args().only
    SCREENS.mkdir(exist_ok=True)
    os.environ.pop("NO_COLOR", None)
    asyncio.run(make())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
