"""The playground under test: models that answer at once, and what drives its screen.

A sentence is the sum of its words.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from pathlib import Path

import torch
from app_support import make_app, started, write_run

from nexus_engine.scoring.querying import ModelPair, Querier
from nexus_tui.app.kit.text_input import TextInput
from nexus_tui.app.playground.pair_pane import PairPane

A, B = "the patient went home", "the patient was sent home"
CANARY = "kanarienvogel"


class WordSide:
    """A bag of words; `twist` moves what it says, as training would."""

    def __init__(self, twist: float, epoch: int | None = None) -> None:
        self.epoch = epoch
        self.dev_score = None if epoch is None else 0.5 + epoch / 100
        self.metric = None if epoch is None else "spearman"
        self.max_tokens = 256
        self.twist = twist
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def embed(
        self,
        sentences,
        progress=lambda _: None,
        check=lambda: None,
        *,
        remember=True,
        cut=lambda _: None,
        role="query",
    ):
        self.asked += sentences
        while not self.gate.wait(0.02):
            check()
        progress(len(set(sentences)))
        return torch.stack([self._vector(sentence) for sentence in sentences])

    def _vector(self, sentence: str) -> torch.Tensor:
        total = torch.zeros(32)
        for word in sentence.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
            total += torch.randn(32, generator=torch.Generator().manual_seed(seed))
        total[0] += self.twist * len(sentence)
        return total


class WordQuerier(Querier):
    """Two such models; the tuned one is of the epoch that stands in the run's best/model.json."""

    def __init__(self) -> None:
        super().__init__()
        self.base = WordSide(0.0)
        self.made: dict[int, WordSide] = {}

    def models(self, folder: Path | None) -> ModelPair:
        if folder is None or not (folder / "model.json").exists():
            return ModelPair(self.base, None)
        epoch = int((folder / "model.json").read_text())
        return ModelPair(self.base, self.made.setdefault(epoch, WordSide(0.05 * epoch, epoch)))


def leave_weights(run: Path, epoch: int) -> None:
    """What a run does when an epoch was its best, as far as `WordQuerier` looks."""
    (run / "best").mkdir(exist_ok=True)
    fresh = run / "best" / f"model.json.{epoch}"
    fresh.write_text(str(epoch))
    fresh.replace(run / "best" / "model.json")


def driven(act, *, size=(80, 24), run=None, **settings):
    """Run `act(app, pilot)` with the playground in front; `run` is what Runs points at."""

    async def whole():
        app = make_app(**settings)
        app.playground._querier = WordQuerier()
        app.playground.rest_seconds = 0.03
        app.pointed_run = run
        async with app.run_test(size=size) as pilot:
            await pilot.press("3")
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(whole())


async def answered(app, pilot):
    """Wait until both queues are idle and their answers shown."""
    await pilot.pause(0.06)  # what is typed rests
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if app.playground.quick._thread is None and app.playground.long._thread is None:
            break
        await pilot.pause(0.02)
    await pilot.pause()
    await pilot.pause()


async def focused(app, pilot, wanted):
    """Wait until `wanted` (an ID) has the keys."""
    for _ in range(200):
        if app.screen.focused is not None and app.screen.focused.id == wanted:
            return
        await pilot.pause(0.01)
    raise AssertionError(f"{app.screen.focused} has the keys, not {wanted}")


async def typed(app, pilot, first, second):
    """Two sentences by the keyboard, answered."""
    if not isinstance(app.screen.focused, TextInput):
        await pilot.press("i")
    await focused(app, pilot, "pair-first")
    app.screen.query_one(PairPane).first.value = first
    app.screen.query_one(PairPane).second.value = second
    await answered(app, pilot)


def tuned_run(home: Path) -> Path:
    """A run with weights of epoch 1."""
    folder = write_run(home / "data" / "nexus" / "runs", "tuned-run", [started("tuned-run")])
    leave_weights(folder, 1)
    return folder
