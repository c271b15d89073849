"""A retrain from Teach: it runs behind the judging, and what it changed is listed afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import time
from types import SimpleNamespace

import pytest
from app_support import ScriptedRun, make_app, on_screen, screen_text, started
from teach_support import ASSETS, driven, shown

from nexus_engine.config import TrainConfig, resolve
from nexus_tui.app.open_run import OpenRun
from nexus_tui.app.teach import retraining
from nexus_tui.app.teach.outcome import Outcome, Share
from nexus_tui.charts.teach.changes import ChangeRow, PinnedPair, PinnedQuestion
from nexus_tui.work.label_runs import NextRun

pytestmark = pytest.mark.usefixtures("home")

OUTCOME = Outcome(
    [PinnedQuestion("who keeps the keys", 7, 1), PinnedPair("a cat", "a dog", 0.5, 0.2)],
    [ChangeRow("who keeps the keys", "The porter.", "answer", "rank 7", "rank 1", True, False)],
    [ChangeRow("where", "The hall.", "no answer", "rank 5", "rank 1", False, True)],
    Share(10, 18, 20),
    Share(3, 2, 4),
)


def scripted(app, monkeypatch, run):
    """Let a retrain be a run folder that the test finishes; what was asked for is returned."""
    asked = []
    monkeypatch.setattr(retraining, "outcome_of", lambda *given: asked.append(given) or OUTCOME)

    def plan(labels, spec, task):
        asked.append((labels, spec, task))
        return NextRun(resolve(TrainConfig()), None)

    def start_training(settings, *, resume=None, show=True, begun=lambda _: None):
        assert not show
        run.mkdir(parents=True)
        app.session = SimpleNamespace(alive=True)
        begun(run)

    app.teach.retraining._plan = plan
    app.start_training = start_training
    return asked


async def at_rest(app, pilot):
    for _ in range(500):
        await pilot.pause(0.01)
        if app.teach.retraining._queue._thread is None:
            break
    await shown(app, pilot)


def test_judging_goes_on_behind_a_retrain_and_its_outcome_is_listed(home, monkeypatch):
    run = home / "runs" / "retrained"

    async def act(app, pilot):
        asked = scripted(app, monkeypatch, run)
        await pilot.press("y", "t")
        await at_rest(app, pilot)
        assert asked == [(app.labels.path, "demo-search", "retrieval")]
        assert app.teach.retraining.stage == "training"
        source = ScriptedRun([started(epochs=6)])
        source.path = run
        app.open_run = OpenRun(source)
        app.open_run.poll()
        app.teach.changed()
        await pilot.pause()
        await on_screen(app, pilot, "retraining")
        await pilot.press("n")  # goes on
        await shown(app, pilot)
        assert app.teach.tally.judged == 2
        await pilot.press("t")  # one at a time
        await at_rest(app, pilot)
        assert len(asked) == 1

        (run / "result.json").write_text("{}")
        app.session.alive = False
        app.teach.retraining.tick()
        await at_rest(app, pilot)
        assert asked[1][:3] == (run, None, app.pins.book)
        assert app.teach.model == run / "best"  # the new weights choose from now on
        assert "1 verdicts now right, 1 now wrong" in app.teach.retraining.note

        await pilot.press("w")
        await pilot.pause()
        for size in ((80, 24), (60, 20)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = screen_text(app)
            for words in (
                "held-out verdicts: 3 of 4 right before, 2 after",
                "rank 7 → 1  ▲6",
                "0.5000 → 0.2000",
                "Now right: 1",
                "answer: rank 7 → rank 1",
                "Now wrong: 1",
                "rank 1 held out",
            ):
                assert words in text, words
        await pilot.press("5", "s", "backspace")  # no answers while the list is shown
        await shown(app, pilot)
        assert app.teach.tally.judged == 2
        await pilot.press("escape")
        await shown(app, pilot)
        await on_screen(app, pilot, "From the top: n does not answer")
        assert app.current_mode == "teach"

    driven(act)


def test_a_retrain_that_cannot_begin_or_does_not_finish_says_so(home, monkeypatch):
    run = home / "runs" / "stopped"

    async def act(app, pilot):
        from nexus_engine.errors import DataError

        scripted(app, monkeypatch, run)
        plan = app.teach.retraining._plan

        def refuse(*_):
            raise DataError("holds no label that can be trained on; judge some first")

        app.teach.retraining._plan = refuse
        await pilot.press("t")
        await at_rest(app, pilot)
        await on_screen(app, pilot, "holds no label")
        app.teach.retraining._plan = plan
        await pilot.press("t")
        await at_rest(app, pilot)
        app.session.alive = False
        app.teach.retraining.tick()  # the run has ended, and left no result
        await at_rest(app, pilot)
        await on_screen(app, pilot, "did not finish")
        assert app.teach.model is None

    driven(act)


# The whole path, on a real run

KNOWN: dict[str, set[str]] = {}
"""Of each question of the demo, the texts of its answers."""


def read_known():
    def lines(name):
        lines = (ASSETS / "demo-search" / name).read_text().splitlines()
        return [json.loads(line) for line in lines]

    questions = {row["_id"]: row["text"] for row in lines("queries.jsonl")}
    passages = {row["_id"]: row["text"] for row in lines("corpus.jsonl")}
    for split in ("train", "dev", "test"):
        rows = (ASSETS / "demo-search" / "qrels" / f"{split}.tsv").read_text().splitlines()[1:]
        for question, passage, _ in (row.split("\t") for row in rows):
            KNOWN.setdefault(questions[question], set()).add(passages[passage])


async def until(pilot, happened, seconds):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited too long"
        await pilot.pause(0.2)


async def judge(app, pilot, wanted):
    """Answer questions as the demo's own answers say, by keys, until `wanted` verdicts stand.

    The first one whose answer is not on top is pinned.
    """
    pins = app.pins
    while app.teach.tally.judged < wanted:
        item = app.teach.item
        answers = [
            place
            for place, passage in enumerate(item.passages)
            if any(text in passage.text for text in KNOWN[item.question])
        ]
        if not answers:
            await pilot.press("s")
        else:
            place = answers[0]
            if place and not pins.book.questions:
                await pilot.press("p")
            await pilot.press(str((place + 1) % 10))
            for other in [o for o in range(3) if o != place]:
                item.cursor = other
                await pilot.press("n")
            await pilot.press("enter")
        await until(pilot, lambda seen=item: app.teach.item not in (None, seen), 300)


@pytest.mark.slow
def test_twenty_verdicts_on_the_demo_and_the_pinned_question_ranks_higher():
    """From an empty home, by keys alone; the app's own models, run and comparison."""
    read_known()

    async def whole():
        app = make_app()
        begun = time.monotonic()
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("t")  # from the list of runs, as its welcome says
            await until(pilot, lambda: app.teach.item is not None, 300)
            await judge(app, pilot, 20)
            await pilot.press("t")
            await until(pilot, lambda: app.teach.retraining.outcome is not None, 1800)
            seconds = time.monotonic() - begun
            await pilot.press("w")
            await pilot.pause()
            [pinned] = app.teach.retraining.outcome.pins
            assert pinned.after < pinned.before
            assert app.teach.retraining.outcome.trained.after > (
                app.teach.retraining.outcome.trained.before
            )
            await on_screen(app, pilot, f"rank {pinned.before} → {pinned.after}")
            idle = os.getloadavg()[0] <= 2 * (os.cpu_count() or 1)
            assert seconds < 300 or not idle

    asyncio.run(whole())
