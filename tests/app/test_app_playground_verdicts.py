"""Verdicts in the playground: they join the label file of Teach, and Teach takes them back."""

from __future__ import annotations

import pytest
from app_support import on_screen
from playground_support import A, B, answered, driven, tuned_run, typed
from question_folders import write_questions
from teach_support import lines_of

from nexus_engine.labels.label_file import LabelFile
from nexus_tui.app.kit.dialogs import Question

pytestmark = pytest.mark.usefixtures("home")


def told(app):
    return " ".join(str(notification.message) for notification in app._notifications)


async def written(app, pilot):
    """Wait until no verdict is being written."""
    await answered(app, pilot)
    for _ in range(200):
        await pilot.pause(0.01)
        if not app.labels._lock.locked() and "kept in" in told(app):
            return


def test_a_wrong_score_is_answered_by_what_it_should_be(home):
    tuned_run(home)

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("escape", "v")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        await on_screen(app, pilot, "5  same: the same facts in other words")
        await pilot.press("4")
        await written(app, pilot)
        [line] = lines_of(app.labels.path)
        assert (line["a"], line["b"], line["answer"], line["grade"]) == (A, B, "grade", 4)
        assert "kept in labels.jsonl: 4" in told(app)
        await pilot.press("v")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert len(lines_of(app.labels.path)) == 1

    driven(act, run="tuned-run")


def test_a_passage_found_is_an_answer_or_none_by_one_key(home):
    questions = write_questions(home / "q")
    tuned_run(home)

    async def act(app, pilot):
        await pilot.press("slash")
        await answered(app, pilot)
        from nexus_tui.app.playground.search_pane import SearchPane

        pane = app.screen.query_one(SearchPane)
        pane.path.value, pane.query_line.value = str(questions), "how is it started"
        pane.work.search(str(questions), "how is it started")
        await answered(app, pilot)
        pane.home().focus()
        await pilot.pause()
        found = pane.match.sentence
        await pilot.press("plus")
        await written(app, pilot)
        await pilot.press("down", "minus")
        await written(app, pilot)
        first, second = lines_of(app.labels.path)
        assert (first["question"], first["passage"]) == ("how is it started", found)
        assert (first["relevant"], second["relevant"]) == (True, False)
        assert second["passage"] != found

    driven(act, run="tuned-run")


def test_a_verdict_that_cannot_be_written_is_said_in_one_line(home):
    tuned_run(home)
    path = home / "data" / "nexus" / "labels.jsonl"

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("escape", "v")
        await pilot.pause()
        await pilot.press("y")
        for _ in range(200):
            await pilot.pause(0.01)
            if app._notifications:
                break
        assert "is being written to by" in told(app)

    with LabelFile.open(path, "somebody"):
        driven(act, run="tuned-run")
    assert lines_of(path) == []
