"""Teach under test: an asker with items of the demo's texts, which answers at once."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

from app_support import make_app

from nexus_tui.app.teach.asking import Glance
from nexus_tui.app.teach.items import PairItem, Passage, SearchItem

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def demo_pairs(number: int) -> list[tuple[str, str]]:
    with (ASSETS / "demo" / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:number]
    return [(row["sentence1"], row["sentence2"]) for row in rows]


def demo_questions(number: int) -> list[str]:
    lines = (ASSETS / "demo-search" / "queries.jsonl").read_text().splitlines()[:number]
    return [json.loads(line)["text"] for line in lines]


def demo_passages() -> list[Passage]:
    lines = (ASSETS / "demo-search" / "corpus.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [Passage(row["text"], row["_id"], row["title"]) for row in rows]


class ScriptedAsker:
    """Asks pairs and questions in their order; `noted` holds the verdicts that it was told."""

    def __init__(self, spec="demo-search", *, kinds=("search", "pairs"), pairs=8, questions=8):
        self.label = spec
        self.kinds = kinds
        self.is_complete = True
        self.noted = []
        self.passages = demo_passages()
        self._pairs = [
            PairItem(first=a, second=b, reason="near-duplicates that differ in a number")
            for a, b in demo_pairs(pairs)
        ]
        self._questions = demo_questions(questions)
        self._asked = 0

    def next(self, kind, check):
        if kind == "pairs":
            return self._pairs.pop(0) if self._pairs else None
        return self.ask(self._questions.pop(0), check) if self._questions else None

    def ask(self, question, check):
        start = self._asked * 10 % len(self.passages)
        self._asked += 1
        return SearchItem(question=question, passages=self.passages[start : start + 10])

    def advance(self, check):
        pass

    def note(self, verdict):
        self.noted.append(verdict)


def driven(act, *, size=(80, 24), kind="search", asker=None, request=None, **settings):
    """Run `act(app, pilot)` with Teach in front and its first item of `kind` shown."""

    async def whole():
        app = make_app(request, **settings)
        app.teach._glance = lambda *_: Glance(None, None)
        app.teach._open_asker = lambda spec, *_: asker or ScriptedAsker(spec)
        async with app.run_test(size=size) as pilot:
            if request is None:  # else it opens there
                await pilot.press("6")
            await shown(app, pilot)
            if app.teach.feed.kind != kind:
                await pilot.press("right_square_bracket")
                await shown(app, pilot)
            await act(app, pilot)

    asyncio.run(whole())


async def shown(app, pilot):
    """Wait until no model is asked, no verdict is being written and no key waits."""
    rest = 0
    for _ in range(2000):
        await pilot.pause(0.01)
        busy = (
            app.teach.queue._thread is not None
            or app.playground.quick._thread is not None
            or app.labels._lock.locked()
            or not app._message_queue.empty()
        )
        rest = 0 if busy else rest + 1
        if rest == 3:
            break
    await pilot.pause()


def lines_of(path: Path) -> list[dict]:
    """The acts in a label file, without its header."""
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]
