"""How fast 1,000 runs are listed: read from disk, painted, and scrolled.

    python tests/benchmarks/list_runs.py [--runs 1000]

Makes real run folders (run.json, an event log of a run of three epochs with one event in four
steps, result.json) in a temporary folder, then measures in this process: the first look at all of
them, a second look with nothing changed, the time from opening the app to the first picture that
shows them, and a page of scrolling. The disk's own cache is warm: the folders were just written.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))


def make_runs(root: Path, number: int) -> None:
    """So many run folders, an hour apart."""
    from app_support import whole_run, write_run

    events = whole_run()
    for i in range(number):
        name = f"{20260101 + i // 24}-{i % 24:02}0000-notes-dendrites"
        write_run(root, name, events, started_unix_s=1.79e9 - i * 3600)


def look(root: Path) -> tuple[float, float, float]:
    """Seconds of the first and of the second look, and CPU seconds of the first."""
    from nexus_engine.runs.index import RunIndex

    index = RunIndex(root)
    begun, cpu = time.perf_counter(), time.process_time()
    index.refresh()
    first, first_cpu = time.perf_counter() - begun, time.process_time() - cpu
    begun = time.perf_counter()
    index.refresh()
    return first, time.perf_counter() - begun, first_cpu


async def paint(number: int) -> tuple[float, float]:
    """Seconds from opening the app to a picture with all runs, and of a page of scrolling."""
    from app_support import make_app, screen_text

    begun = time.perf_counter()
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        while f"{number:,} run" not in screen_text(app):
            await asyncio.sleep(0.005)
        shown = time.perf_counter() - begun
        begun = time.perf_counter()
        for _ in range(10):
            app.screen.query_one("RunList").action_page(1)
            await asyncio.sleep(0)
        screen_text(app)
        paged = (time.perf_counter() - begun) / 10
        await pilot.pause()
    return shown, paged


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    number = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="nexus-list-") as home:
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = home
        root = Path(home) / "nexus" / "runs"
        make_runs(root, number)
        first, second, cpu = look(root)
        shown, paged = asyncio.run(paint(number))
    print(f"{number:,} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"first look    {first:6.3f} s ({cpu:.3f} s of CPU)")
    print(f"second look   {second:6.3f} s")
    print(f"open to paint {shown:6.3f} s")
    print(f"a page        {paged * 1000:6.1f} ms")


if __name__ == "__main__":
    main()
