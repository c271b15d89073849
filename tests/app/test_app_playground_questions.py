"""The playground's search in a corpus of questions: known answers and how their ranks changed."""

from __future__ import annotations

import json

import pytest
from app_support import RUN_JSON, on_screen, screen_text, started, write_run
from playground_support import answered, driven, leave_weights
from question_folders import write_questions

from nexus_tui.app.playground.search_pane import SearchPane

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def questions(home):
    return write_questions(home / "q")


@pytest.fixture
def run(home, questions):
    """A run on the questions, with weights of epoch 1."""
    settings = {**RUN_JSON["settings"], "data": str(questions), "task": "retrieval",
                "max_length": 256, "columns": None, "skip_bad": False}  # fmt: skip
    root = home / "data" / "nexus" / "runs"
    folder = write_run(root, "tuned-run", [started("tuned-run")], settings=settings)
    leave_weights(folder, 1)
    return folder


async def to_search(app, pilot):
    """The part Search, with the keys as commands."""
    await pilot.press("right_square_bracket", "right_square_bracket")
    await answered(app, pilot)
    return app.screen.query_one(SearchPane)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
def test_the_next_question_shows_how_the_rank_of_its_answer_changed(run, questions, size):
    async def act(app, pilot):
        pane = await to_search(app, pilot)
        assert pane.path.value == str(questions)
        await on_screen(app, pilot, "Press n for the first question of the run's own data")
        for number in (1, 2, 3):
            await pilot.press("n")
            await answered(app, pilot)
            text, result = screen_text(app), pane.work.matches
            assert f"question {number} of 44, test" in text
            [answer] = result.answers
            assert f"answer: rank {answer.base_rank} → {answer.tuned_rank}" in text
            assert pane.query_line.value == pane.work.query
        assert "★" not in text  # the answers stand too far below
        await pilot.press("a")
        await pilot.pause()
        await on_screen(app, pilot, "★")
        await pilot.press("N")
        await answered(app, pilot)
        await on_screen(app, pilot, "question 2 of 44, test")
        await on_screen(app, pilot, "Next question")

    driven(act, run="tuned-run", size=size)


def test_a_goes_from_one_known_answer_to_the_next_or_says_there_is_none(run, questions):
    async def act(app, pilot):
        pane = await to_search(app, pilot)
        await pilot.press("n", "a")
        await answered(app, pilot)
        await pilot.press("a")
        await pilot.pause()
        match = pane._rows.match
        assert match.is_answer
        await on_screen(app, pilot, f"rank {match.tuned_rank} by tuned")
        await pilot.press("h")  # on the other side the answer may stand elsewhere
        await pilot.press("a")
        assert pane._rows.match.is_answer
        pane.query_line.value = "no question of this corpus"
        pane.query_line.focus()
        await pilot.press("enter")
        await answered(app, pilot)
        assert "answer: rank" not in screen_text(app)
        assert not app.screen.check_action("answer", ())

    driven(act, run="tuned-run")


def test_steps_while_the_corpus_is_embedded_do_not_begin_anew(run):
    async def act(app, pilot):
        pane = await to_search(app, pilot)
        base = app.playground._querier.base
        base.gate.clear()
        for _ in range(3):
            await pilot.press("n")
            await pilot.pause(0.05)
        base.gate.set()
        await answered(app, pilot)
        assert pane.work.place.number == 3
        texts = len(pane.work._searched._index.file)
        assert len(base.asked) == texts + 1  # the corpus once, then the question

    driven(act, run="tuned-run")


def test_a_changed_file_is_read_again_and_the_first_question_follows_the_last(run, questions):
    async def act(app, pilot):
        pane = await to_search(app, pilot)
        await pilot.press("N")  # before the first is the last
        await answered(app, pilot)
        assert pane.work.place == (44, 44, "train")
        await pilot.press("n")
        await answered(app, pilot)
        assert pane.work.place.number == 1
        corpus = questions / "corpus.jsonl"
        corpus.write_text(
            corpus.read_text() + json.dumps({"_id": "new", "text": "one more"}) + "\n"
        )
        before = pane.work.matches.sentences
        await pilot.press("r")
        await answered(app, pilot)
        assert pane.work.matches.sentences == before + 1

    driven(act, run="tuned-run")


def test_a_corpus_that_the_user_entered_stays(run, home, questions):
    (home / "notes.txt").write_text("one\ntwo\n")

    async def act(app, pilot):
        pane = await to_search(app, pilot)
        pane.path.value = str(home / "notes.txt")
        leave_weights(run, 2)
        app.playground.tick()
        await answered(app, pilot)
        assert pane.path.value == str(home / "notes.txt")
        await pilot.press("n")
        await answered(app, pilot)
        await on_screen(app, pilot, "this corpus holds no questions with known answers")
        assert app.playground._querier.base.asked == []

    driven(act, run="tuned-run")


def test_a_run_on_pairs_proposes_no_corpus(home):
    root = home / "data" / "nexus" / "runs"
    folder = write_run(root, "tuned-run", [started("tuned-run")])
    leave_weights(folder, 1)

    async def act(app, pilot):
        pane = await to_search(app, pilot)
        assert pane.path.value == ""
        assert not app.screen.check_action("question", (1,))

    driven(act, run="tuned-run")


def test_the_run_folder_holds_no_text_of_the_corpus(run, questions):
    corpus = [json.loads(line) for line in (questions / "corpus.jsonl").read_text().splitlines()]

    async def act(app, pilot):
        await to_search(app, pilot)
        await pilot.press("n")
        await answered(app, pilot)

    driven(act, run="tuned-run")
    held = "".join(f.read_text() for f in run.rglob("*") if f.is_file())
    assert "search" in held  # the use is noted
    assert all(row["text"] not in held for row in corpus)
