"""The playground's search in an index on disk: both sides, known answers, filters, refusals."""

from __future__ import annotations

import json
import shutil

import pytest
from app_support import on_screen, screen_text, started, write_run
from index_support import SMALL, done
from playground_support import answered, driven
from question_folders import write_questions
from saved_models import save_grown_model

from nexus_tui.app.kit.text_input import TextInput
from nexus_tui.app.playground.search_pane import SearchPane

pytestmark = pytest.mark.usefixtures("home")

SIZES = [(60, 20), (80, 24), (120, 40)]


@pytest.fixture(scope="module")
def made(tmp_path_factory, base_model):
    """Indexes of a folder of questions: by a tuned model, with the base model's side and not."""
    from nexus_engine.indexing.building import build

    folder = tmp_path_factory.mktemp("made")
    save_grown_model(folder / "model", 1, 0.5, base_model)
    write_questions(folder / "q")
    for name, with_base in (("both", True), ("alone", False)):
        done(
            build(
                str(folder / "q"), str(folder / "model"), folder / name, with_base=with_base,
                blocks=SMALL,
            )
        )  # fmt: skip
    return folder


@pytest.fixture
def run(home, base_model):
    """A run whose best weights are those of the indexes' model."""
    folder = write_run(home / "data" / "nexus" / "runs", "tuned-run", [started("tuned-run")])
    save_grown_model(folder / "best", 1, 0.5, base_model)
    return folder


async def searched(app, pilot, path, query=""):
    """The part Search with `path` as its corpus; with a query its answer."""
    app.playground._querier = None  # real models
    await pilot.press("right_square_bracket", "right_square_bracket")
    pane = app.screen.query_one(SearchPane)
    pane.path.value = str(path)
    if query:
        await asked(app, pilot, pane, query)
    return pane


async def asked(app, pilot, pane, query):
    pane.query_line.value = query
    pane.query_line.focus()
    await pilot.press("enter")
    await answered(app, pilot)


def test_base_and_tuned_stand_side_by_side_with_known_answers_marked(made, run):
    async def act(app, pilot):
        pane = await searched(app, pilot, made / "both")
        for number, size in enumerate(SIZES, start=1):
            await pilot.resize_terminal(*size)
            await pilot.press("n")
            await answered(app, pilot)
            text, matches = screen_text(app), pane.work.matches
            assert f"question {number} of 44, test" in text
            [answer] = matches.answers
            assert f"answer: rank {answer.base_rank} → {answer.tuned_rank}" in text
            assert "64 passages by tuned-run, epoch 1, and by words" in text
            assert ("left and right: base, tuned" in text) == (size[0] < 70)
            assert "by tuned" in text
            assert "--with-base" not in text
        for side in (0, 1):
            await pilot.press("l" if side else "h", "a")
            await pilot.pause()
            match = pane._rows.match
            assert match.is_answer
            await on_screen(app, pilot, "★")
        assert pane.work.matches.by_base != pane.work.matches.by_tuned
        await pilot.press("N")
        await answered(app, pilot)
        await on_screen(app, pilot, "question 2 of 44")

    driven(act, run="tuned-run")


def test_without_base_vectors_tuned_stands_alone_with_the_command(made, run):
    async def act(app, pilot):
        pane = await searched(app, pilot, made / "alone", "a man is playing a guitar")
        assert pane.work.matches.by_base == []
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = screen_text(app)
            assert "by base too: nexus index refresh" in text
            assert "--with-base" in text
            assert "rank 1 by tuned (" in text
            assert "by base (" not in text
        await pilot.press("escape", "n", "a")
        await answered(app, pilot)
        [answer] = pane.work.matches.answers
        await on_screen(app, pilot, f"answer: rank {answer.tuned_rank}")
        await pilot.press("a")
        assert pane._rows.match.is_answer
        await pilot.press("l", "h", "down")
        assert pane._rows.match.rank > 0

    driven(act, run="tuned-run")


def test_another_model_is_refused_with_the_command_that_refreshes(made, run, home, base_model):
    # Three levels of folders, so that the line is longer than the screen.
    long = home / "a-folder-with-a-long-name" / "another-folder"
    shutil.copytree(made / "both", long)

    async def act(app, pilot):
        pane = await searched(app, pilot, long, "a man is playing a guitar")
        assert pane.work.matches is not None
        save_grown_model(run / "best", 2, 0.9, base_model)
        app.playground.tick()
        await answered(app, pilot)
        await on_screen(app, pilot, "the model changed: r asks again")
        await pilot.press("escape", "r")
        await answered(app, pilot)
        assert pane.work.matches is None
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            shown = "".join(screen_text(app).split())
            command = f"nexus index refresh {long} --model tuned-run"
            assert command.replace(" ", "") in shown
            assert "itsvectorsarenotbytuned-run" in shown
        save_grown_model(run / "best", 1, 0.5, base_model)
        app.playground.tick()
        await pilot.press("r")
        await answered(app, pilot)
        assert pane.work.matches.by_tuned

    driven(act, run="tuned-run")


def test_the_base_model_alone_sees_its_own_side_and_no_other(made):
    async def act(app, pilot):
        pane = await searched(app, pilot, made / "both", "a man is playing a guitar")
        assert pane.work.matches.by_tuned == []
        await on_screen(app, pilot, "by base")
        pane.path.value = str(made / "alone")
        await asked(app, pilot, pane, "a man is playing a guitar")
        assert pane.work.matches is None
        await on_screen(app, pilot, "its vectors are not by base")

    driven(act)


def test_words_of_the_query_choose_files(made, run):
    async def act(app, pilot):
        pane = await searched(app, pilot, made / "both", "a man file:corpus.* folder:q")
        assert pane.work.matches.sentences == 64
        await pilot.press("escape", "enter")  # the query with a match, in the part Pair
        await pilot.pause()
        assert app.playground.wanted_pair[0] == "a man"
        await pilot.press("left_square_bracket")
        await asked(app, pilot, pane, "a man file:*.pdf")
        assert "no file of the index fits; see its files with" in pane.work.error
        await on_screen(app, pilot, pane.work.error[:50])  # cut at the screen's edge
        await asked(app, pilot, pane, "file:*.jsonl")
        await on_screen(app, pilot, "give words to look for beside file: and folder:")

    driven(act, run="tuned-run")


def test_an_index_that_changes_is_opened_anew_and_an_unsound_one_is_refused(made, run, home):
    from nexus_engine.indexing.building import add

    shutil.copytree(made / "both", home / "ix")
    (home / "more.txt").write_text("A zebra crosses the river.\n")

    async def act(app, pilot):
        pane = await searched(app, pilot, home / "ix", "a zebra")
        opened = pane.work._searched
        await asked(app, pilot, pane, "a horse")
        assert pane.work._searched is opened
        done(add(home / "ix", str(home / "more.txt"), blocks=SMALL))
        await asked(app, pilot, pane, "a zebra")
        assert pane.work.matches.sentences == 65
        assert pane._rows.match.sentence == "A zebra crosses the river."
        (home / "ix" / "index.json").write_text("{}")
        await asked(app, pilot, pane, "a zebra")
        assert "damaged" in pane.work.error

    driven(act, run="tuned-run")
    audit = [json.loads(line) for line in (run / "audit.jsonl").read_text().splitlines()]
    assert [(line["use"], line["size"]) for line in audit] == [("search", 64), ("search", 65)]
    assert "zebra" not in (run / "audit.jsonl").read_text()


def test_keys_are_answered_while_an_index_is_searched(made, run, monkeypatch):
    import threading
    import time

    from nexus_engine.indexing import comparing

    gate = threading.Event()
    side = comparing._side
    monkeypatch.setattr(comparing, "_side", lambda *a: (gate.wait(20), side(*a))[1])

    async def act(app, pilot):
        pane = await searched(app, pilot, made / "both")
        pane.query_line.value = "a man"
        pane.query_line.focus()
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert pane.work.doing == "searching"
        await on_screen(app, pilot, "Esc gives it up")
        start = time.monotonic()
        await pilot.press("escape", "left_square_bracket")
        assert app.screen._part == "many"
        assert time.monotonic() - start < 5
        await pilot.press("right_square_bracket", "i")
        assert isinstance(app.screen.focused, TextInput)
        gate.set()
        await answered(app, pilot)

    driven(act, run="tuned-run")
