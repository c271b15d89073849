"""What the app's tests share: a scripted run, run folders made of its events, the app itself."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from textual import _wait

from nexus_engine import events as ev
from nexus_engine.disk.growing_lines import SCHEMA_VERSION
from nexus_engine.event_lines import encode_event, event_fields
from nexus_engine.runs.requests import Ask
from nexus_tui.app.application import NexusApp
from nexus_tui.app.teach.state import TeachRequest
from nexus_tui.settings.app import UiSettings

# After each key Textual's pilot sleeps until a fiftieth of a second passed in which the app did
# nothing; a hundredth says the same, and takes a quarter of the app tests' time away.
_wait.SLEEP_GRANULARITY, _wait.SLEEP_IDLE = 0.01, 0.0005

RUN_JSON = {
    "name": "scripted",
    "settings": {
        "data": "demo", "tune": "dendrites", "recipe": "default", "seed": 1, "epochs": 3,
        "score_range": None,
    },
    "data_name": "demo",
    "data_fingerprint": "f" * 64,
    "params_base": 22_565_376,
    "pid": 999_999_999,
    "started_unix_s": 1_790_000_000.0,
}  # fmt: skip


def started(name: str = "scripted", path: str = "/runs/scripted", **more: object) -> ev.RunStarted:
    fields: dict[str, object] = {
        "run_dir": path, "name": name, "tune": "dendrites", "data": "demo",
        "data_fingerprint": "f" * 64, "train_pairs": 1104, "dev_pairs": 368, "test_pairs": 368,
        "guard_pairs": 300, "epochs": 3, "batch_size": 16, "lr": 1.7e-3, "switches": 2, "seed": 1,
        "sites": 12, "params_base": 22_565_376, "device": "cpu", "precision": "fp32",
        "threads": 2, "pid": 1, "resumed": False, "time_unix_s": 1_790_000_000.0,
    }  # fmt: skip
    return ev.RunStarted(**{**fields, **more})


def step(number: int, loss: float = 0.05, *, arm: str = "main", per_epoch: int = 69) -> ev.Step:
    return ev.Step(
        epoch=1 + (number - 1) // per_epoch, step=number, steps_total=3 * per_epoch, loss=loss,
        lr=1e-3, grad_norm=0.1, pairs_per_second=140.0, elapsed_seconds=number / 9,
        remaining_seconds=(3 * per_epoch - number) / 9, rss_mb=900.0 + number, arm=arm,
        time_unix_s=1_790_000_000.0 + number / 9,
    )  # fmt: skip


def evaluated(epoch: int, spearman: float, *, best: bool = True, split: str = "dev",
              arm: str = "main", guard: float = 0.985) -> ev.Evaluated:  # fmt: skip
    return ev.Evaluated(
        epoch=epoch, split=split, pairs=368, spearman=spearman, pearson=spearman + 0.02,
        guard_spearman=guard, guard_scored_spearman=0.91, is_best=best and split == "dev",
        best_spearman=spearman, best_epoch=epoch, eval_seconds=1.2, arm=arm,
    )  # fmt: skip


def epoch_started(epoch: int, *, sets: int = 1, arm: str = "main") -> ev.EpochStarted:
    return ev.EpochStarted(
        epoch=epoch, epochs=3, steps=69, sets=sets, params_trained=32_292 * sets, arm=arm
    )


def grown(switch: int, epoch: int, before: float) -> ev.DendritesAdded:
    return ev.DendritesAdded(
        switch=switch, epoch=epoch, sites=12, units=24 * switch, params_added=32_292,
        params_added_total=32_292 * switch, params_trained=32_292 * switch,
        spearman_before=before,
    )  # fmt: skip


def settled(switch: int, epoch: int, before: float, after: float, *, kept: bool = True
            ) -> ev.SwitchSettled:  # fmt: skip
    return ev.SwitchSettled(
        switch=switch, epoch=epoch, kept=kept, spearman_before=before, spearman_after=after,
        params_added=32_292,
    )  # fmt: skip


def finished(path: str = "/runs/scripted", **more: object) -> ev.RunFinished:
    fields: dict[str, object] = {
        "run_dir": path, "base_dev_spearman": 0.42, "base_test_spearman": 0.44,
        "best_dev_spearman": 0.52, "best_dev_pearson": 0.54, "best_epoch": 3,
        "test_spearman": 0.54, "test_pearson": 0.55, "guard_spearman": 0.97,
        "guard_scored_spearman": 0.9, "base_guard_scored_spearman": 0.914, "switches": 2,
        "switches_kept": 2, "switch_records": (), "params_base": 22_565_376,
        "params_trained": 64_632, "params_added": 64_632, "epochs": 3, "train_seconds": 26.0,
        "total_seconds": 34.0, "pairs_per_second": 140.0, "peak_rss_mb": 1200.0,
    }  # fmt: skip
    return ev.RunFinished(**{**fields, **more})


def whole_run(path: str = "/runs/scripted", name: str = "scripted") -> list[ev.Event]:
    """The events of a run of three epochs and two switches, both kept."""
    found: list[ev.Event] = [
        started(name, path),
        evaluated(0, 0.42, split="test"),
        evaluated(0, 0.42),
        grown(1, 0, 0.42),
    ]
    for epoch in (1, 2, 3):
        found.append(epoch_started(epoch, sets=min(epoch, 2)))
        found += [step(n, 0.06 - n / 5000) for n in range(69 * epoch - 68, 69 * epoch + 1, 4)]
        found.append(evaluated(epoch, 0.42 + epoch / 30, guard=1 - epoch / 100))
        if epoch == 1:
            found += [settled(1, 1, 0.42, 0.4533), grown(2, 1, 0.4533)]
        found.append(
            ev.CheckpointSaved(
                path=f"checkpoints/checkpoint-{epoch:06d}",
                epoch=epoch,
                step=69 * epoch,
                size_bytes=900_000,
                save_seconds=0.02,
            )
        )
    found += [settled(2, 3, 0.4533, 0.52), evaluated(3, 0.54, split="test"), finished(path)]
    return found


def write_run(root: Path, name: str, events: Sequence[ev.Event], **facts: object) -> Path:
    """A run folder under `root` (a runs root) with these events and, if finished, its result."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({**RUN_JSON, "name": name, **facts}))
    lines = [json.dumps({"schema": SCHEMA_VERSION, "kind": "nexus-events"})]
    lines += [encode_event(event) for event in events]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    if events and isinstance(events[-1], ev.RunFinished):
        (folder / "result.json").write_text(json.dumps(event_fields(events[-1])))
    return folder


class ScriptedRun:
    """A run whose events the test gives; notes what it is asked."""

    def __init__(self, events: Sequence[ev.Event] = (), *, own: bool = True) -> None:
        self.waiting = list(events)
        self.asked: list[Ask] = []
        self.name = "scripted"
        self.path = Path("/runs/scripted")
        self.own = own
        self.dropped_steps = 0
        self.is_live = True

    def drain(self) -> list[ev.Event]:
        found, self.waiting = self.waiting, []
        return found

    def live(self) -> bool:
        return self.is_live

    def steer(self, request: Ask) -> None:
        self.asked.append(request)


def make_app(teach: TeachRequest | None = None, **settings: object) -> NexusApp:
    """The app as it opens on the list of runs; use with `app.run_test(size=(80, 24))`.

    Torch is not loaded behind the picture: tests that need it import it themselves. No forecast is
    measured unasked: that is a process of its own that trains.
    """
    app = NexusApp(UiSettings(**settings), teach=teach)
    app._load_engine = lambda: None
    app.may_probe = False
    return app


def screen_text(app: NexusApp) -> str:
    """What is on the screen now, as plain lines."""
    width, height = app.size
    lines = [strip.text[:width] for strip in app.screen._compositor.render_strips()]
    return "\n".join(lines[:height])


async def on_screen(app, pilot, words):
    """Wait until `words` are on the screen, 20 seconds at most; drawings come late under load.

    White space does not count: a long line, as one with a path, is wrapped.
    """
    wanted, late = "".join(words.split()), time.monotonic() + 20
    while wanted not in "".join(screen_text(app).split()) and time.monotonic() < late:
        await pilot.pause(0.02)
    assert wanted in "".join(screen_text(app).split()), screen_text(app)


async def until(pilot, happened):
    """Wait until `happened()`, ten seconds at most."""
    for _ in range(1000):
        await pilot.pause(0.01)
        if happened():
            return
    raise AssertionError("waited for ten seconds")


def paints(app: NexusApp) -> list[object]:
    """What the app paints from now on, filled as it does."""
    painted: list[object] = []
    display = app._display
    app._display = lambda screen, update: (painted.append(update), display(screen, update))
    return painted
