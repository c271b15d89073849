"""The form of a new run on questions with passages."""

from __future__ import annotations

import asyncio
import threading

import pytest
from app_support import make_app, screen_text, until
from question_folders import write_questions

from nexus_engine.data.questions.glance import glance_at_questions
from nexus_engine.data.task import task_of
from nexus_engine.errors import DataError
from nexus_tui.app.new_run.run_form import FIELDS, check, plan_in_words
from nexus_tui.app.new_run.screen import NewRunScreen

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in the layout of BEIR, named in a few columns."""
    write_questions(tmp_path / "q")
    monkeypatch.chdir(tmp_path)
    return "q"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
def test_the_form_says_that_the_data_are_questions_and_starts_the_run(folder, size):
    async def drive():
        app = make_app()
        begun = []
        app.start_training = lambda settings, resume=None: begun.append(settings)
        form = NewRunScreen(glance_seconds=0.01, probe_seconds=0.01)
        async with app.run_test(size=size) as pilot:
            app.push_screen(form)
            await until(pilot, lambda: app.screen is form and form.is_mounted)
            await pilot.press(*folder)
            await until(pilot, lambda: "questions: 5" in screen_text(app))
            text = " ".join(screen_text(app).split())
            assert "questions with passages, judged by nDCG@10" in text
            assert "Spearman" not in text
            await pilot.press("enter")
            await until(pilot, lambda: begun)
        assert (begun[0].task, begun[0].loss) == ("retrieval", "ranking")

    asyncio.run(drive())


def test_typing_a_path_reads_nothing_in_the_thread_of_the_screen(folder, monkeypatch):
    readers = []

    def noting(spec, columns=None):
        readers.append(threading.current_thread())
        return task_of(spec, columns)

    monkeypatch.setattr("nexus_engine.data.task.task_of", noting)

    async def drive():
        app = make_app()
        form = NewRunScreen(glance_seconds=0.01, probe_seconds=60)
        async with app.run_test() as pilot:
            app.push_screen(form)
            await until(pilot, lambda: app.screen is form and form.is_mounted)
            await pilot.press(*folder)
            await until(pilot, lambda: "judged by nDCG@10" in " ".join(screen_text(app).split()))

    asyncio.run(drive())
    assert readers
    assert threading.main_thread() not in readers


def test_a_plan_on_pairs_goes_without_saying_it(folder):
    questions, pairs = check({"data": folder}).settings, check({}).settings
    assert plan_in_words(questions).endswith("; questions with passages, judged by nDCG@10")
    assert "judged" not in plan_in_words(pairs)
    data = next(field for field in FIELDS if field.name == "data")
    assert "questions" in data.help


def test_a_glance_counts_the_files_of_every_layout(folder, tmp_path):
    glance = glance_at_questions(folder)
    files = [path for path in (tmp_path / "q").rglob("*") if path.is_file()]
    assert (glance.files, glance.lines) == (5, None)
    assert glance.size_bytes == sum(path.stat().st_size for path in files)
    records = tmp_path / "rows.jsonl"
    records.write_text('{"question": "a b", "answer": "c d"}\n' * 3)
    assert glance_at_questions(str(records))[::2] == (1, 3)
    documents = tmp_path / "docs"
    documents.mkdir()
    (documents / "a.md").write_text("# Tea\n\nTea is a drink.\n")
    (documents / "b.txt").write_text("Water boils.\n")
    assert glance_at_questions(str(documents))[::2] == (2, None)
    assert glance_at_questions("demo-search").files == 5
    with pytest.raises(DataError):
        glance_at_questions(str(tmp_path / "nowhere.jsonl"))
