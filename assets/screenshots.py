"""Makes the pictures of the app in assets/screens: the real app, on a real run of the demo set.

    python assets/screenshots.py [--only NAME]

Trains two runs on the demo set (about two minutes on two cores) in a data folder of its own, drives
the app by its keys, and writes what the terminal shows as SVG. The pictures load nothing from a
network: the fonts that Textual's own export names are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexus_tui.app.application import NexusApp

SCREENS = Path(__file__).resolve().parent / "screens"
FONT_FACE = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
PATIENCE_SECONDS = 600.0
SENTENCES = ("The patient denies chest pain.", "Patient reports no chest pain.")


def save(app: NexusApp, name: str) -> None:
    """Write what the app shows now."""
    svg = FONT_FACE.sub("", app.export_screenshot(title="nexus"))
    lines = "\n".join(line.rstrip() for line in svg.splitlines())
    (SCREENS / f"{name}.svg").write_text(lines + "\n", encoding="utf-8")
    print(f"{name}.svg, {app.size.width}x{app.size.height}")


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
    from nexus_tui.app.settings import UiSettings

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
        await until(pilot, lambda: view().arm("main").fraction > 0.8, "the third epoch")
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


def main() -> int:
    """Make the pictures."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    SCREENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nexus-screens-") as home:
        os.environ.update(XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)
        os.environ.pop("NO_COLOR", None)
        asyncio.run(tour())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
