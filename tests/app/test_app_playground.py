"""The playground as a screen: any size, ASCII, the mouse, its keys, and its audit lines."""

from __future__ import annotations

import json
import stat

import pytest
from app_support import on_screen, screen_text
from playground_support import CANARY, A, B, answered, driven, focused, tuned_run, typed

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.pinned import pins_file
from nexus_tui.app.playground.pair_pane import HistoryRows, PairPane
from nexus_tui.app.playground.search_pane import SearchPane

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run(home):
    return tuned_run(home)


# Style


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (40, 10)])
def test_every_part_fits(run, size, home):
    (home / "notes.txt").write_text("one\ntwo\n")

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "ctrl+n")
        await answered(app, pilot)
        text = screen_text(app)
        assert f"{app.playground.answer.tuned:.4f}" in text
        if size[1] >= 20:
            assert "Pinned" in text
            assert "History" in text
        await pilot.press("ctrl+t")
        await focused(app, pilot, "many-path")
        await pilot.press("ctrl+t")
        await focused(app, pilot, "search-path")
        pane = app.screen.query_one(SearchPane)
        pane.path.value, pane.query_line.value = str(home / "notes.txt"), "one"
        await pilot.press("enter")
        await answered(app, pilot)
        await on_screen(app, pilot, "by tuned")

    driven(act, size=size, run="tuned-run")


def test_ascii_alone_where_asked(run):
    async def act(app, pilot):
        await typed(app, pilot, A, "a sentence that is far too long to stand in a list " * 3)
        await pilot.press("enter", "ctrl+n", "escape")
        await answered(app, pilot)
        assert screen_text(app).isascii()

    driven(act, run="tuned-run", ascii=True)


def test_nothing_is_drawn_when_nothing_changed(run, monkeypatch):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "ctrl+n", "escape")
        await answered(app, pilot)
        drawn = []
        monkeypatch.setattr(Canvas, "refresh", lambda self, *a, **k: drawn.append(self))
        for canvas in app.screen.query(Canvas):
            canvas.redraw()
        app.playground.tick()
        app.screen._tick()
        app.screen.run_changed(())
        assert drawn == []

    driven(act, run="tuned-run")


def test_the_mouse_goes_to_parts_and_rows(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("enter", "escape")
        await pilot.click("#playground-head", offset=(10, 0))
        await pilot.pause()
        assert app.screen._part == "many"
        await pilot.click("#playground-head", offset=(3, 0))
        await pilot.pause()
        app.screen.query_one(PairPane).fill("", "")
        await pilot.click("#pair-history", offset=(4, 1), times=2)
        await answered(app, pilot)
        assert app.playground.wanted_pair == (A, B)
        assert isinstance(app.screen.focused, HistoryRows)

    driven(act, run="tuned-run")


def test_an_action_with_two_keys_is_offered_once():
    async def act(app, pilot):
        offered = [command.help for command in app.get_system_commands(app.screen)]
        assert "play.clear" in offered  # bound to c and to ctrl+l
        assert len(offered) == len(set(offered)) + 2  # the three themes share a help text

    driven(act)


def test_keys_can_be_changed():
    async def act(app, pilot):
        await pilot.press("f6")
        await focused(app, pilot, "search-path")

    driven(act, keys={"play.search": "f6"})


# Uses


def audit(run):
    """The lines of the run's audit file: (use, size, whether there is a fingerprint)."""
    lines = [json.loads(line) for line in (run / "audit.jsonl").read_text().splitlines()]
    return [(line["use"], line["size"], line["data_fingerprint"] is not None) for line in lines]


def test_each_use_of_data_is_noted_in_the_run_once(run, home):
    (home / "notes.txt").write_text("one\ntwo\nthree\n")
    (home / "pairs.tsv").write_text(f"first\tsecond\n{A}\t{B}\nx y\tz\n")

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await typed(app, pilot, "alpha", "beta")  # no second line for what is typed
        await pilot.press("ctrl+t")
        await focused(app, pilot, "many-path")
        app.screen.focused.value = str(home / "pairs.tsv")
        await pilot.press("enter")
        await answered(app, pilot)
        assert audit(run) == [("playground", 1, False), ("similarity", 2, True)]
        await pilot.press("slash")
        await focused(app, pilot, "search-path")
        pane = app.screen.query_one(SearchPane)
        for query in ("one", "three"):
            pane.path.value, pane.query_line.value = str(home / "notes.txt"), query
            pane.query_line.focus()
            await pilot.press("enter")
            await answered(app, pilot)
        assert audit(run)[2:] == [("search", 3, True)]

    driven(act, run="tuned-run")
    assert stat.S_IMODE((run / "audit.jsonl").stat().st_mode) == 0o600
    assert "patient" not in (run / "audit.jsonl").read_text()


def test_a_use_that_cannot_be_noted_is_told_and_hinders_nobody(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nexus_engine.runs.audit.append_line", full)

    async def act(app, pilot):
        await typed(app, pilot, A, B)
        assert app.playground.answer.tuned is not None
        assert any("not noted" in note.message for note in app._notifications)

    driven(act, run="tuned-run")


def test_no_run_folder_and_no_log_holds_a_sentence(run):
    async def act(app, pilot):
        await typed(app, pilot, CANARY, B)
        await pilot.press("enter", "ctrl+n")
        await answered(app, pilot)

    driven(act, run="tuned-run")
    assert all(CANARY not in f.read_text() for f in run.rglob("*") if f.is_file())
    assert CANARY in json.dumps(json.loads(pins_file().read_text()))
