"""The list of sweeps and the screen of one: navigation, following, opening a run."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from app_support import make_app, on_screen, screen_text, until
from sweep_support import BATCH, LR, PLACE, begin, evaluate, fail, finish, make_sweep

from nexus_engine.sweeps import events as sv
from nexus_engine.sweeps.following import FollowedSweep, SweepIndex
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import fold
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.live.screen import LiveScreen
from nexus_tui.app.runs.screen import RunsScreen
from nexus_tui.app.sweeps.heat_view import HeatView
from nexus_tui.app.sweeps.sweep import SweepScreen
from nexus_tui.app.sweeps.sweeps import SweepsScreen

pytestmark = pytest.mark.usefixtures("home")
EVIL = "\x1b[31mred\x1b[0m [bold]x[/] \u202eabc"


@pytest.fixture
def root(home):
    return home / "data" / "nexus" / "sweeps"


@pytest.fixture
def grid(root):
    """Three rates by two batches: two finished, one failed, three waiting."""
    folder = make_sweep(root, "grid", (LR, BATCH), created=2000.0)
    finish(folder, 0, 0.51)
    finish(folder, 3, 0.53)
    fail(folder, 1, "no memory")
    return folder


def driven(act, size=(80, 24), keys=("s",), keymap=None, **settings):
    async def run():
        app = make_app(keys=keymap or {}, **settings)
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.1)
            for key in keys:
                await pilot.press(key)
                await settled(app, pilot)
            await act(app, pilot)

    asyncio.run(run())


async def settled(app, pilot):
    """Wait until no reading of the disk is in progress and its result is drawn."""
    quiet = 0
    for _ in range(300):
        await pilot.pause(0.02)
        quiet = 0 if list(app.screen.workers) else quiet + 1
        if quiet == 3:
            await pilot.pause()
            return
    raise AssertionError("a reading did not end")


# Following


def test_the_events_of_a_sweep_are_folded_into_its_view(grid):
    view = read_sweep(grid.path)
    name = view.cells[2].cell.name
    for event, state, best in (
        (sv.CellStarted(cell=name, point=2, values=(2e-3, 16), seed=1, run_dir="r", attempt=1,
                        resumed=False), "live", None),
        (sv.CellEvaluated(cell=name, epoch=0, epochs=3, spearman=0.4, best_spearman=0.4, sets=0),
         "live", 0.4),
        (sv.CellEnded(cell=name, state="lost", message="SIGKILL", exit_code=1, seconds=1),
         "stopped", 0.4),
        (sv.CellEvaluated(cell=name, epoch=1, epochs=3, spearman=0.5, best_spearman=0.5, sets=1),
         "live", 0.5),
        (sv.SweepStopped(reason="x", exit_code=130, runs_finished=2, runs_left=4), "stopped", 0.5),
    ):  # fmt: skip
        view = fold(view, event)
        assert (view.cells[2].state, view.cells[2].best_dev) == (state, best)
    assert view.cells[2].base_dev == 0.4
    assert fold(view, sv.CellEvaluated(cell="none", epoch=1, epochs=1, spearman=0.1,
                                       best_spearman=0.1, sets=0)) == view  # fmt: skip


def test_a_reading_without_news_gives_the_same_object_and_otherwise_the_current_state(grid):
    followed = FollowedSweep(grid.path)
    with grid.lock:
        first = followed.look()
        assert [cell.state for cell in first.cells[:4]] == [
            "finished", "failed", "waiting", "finished",
        ]  # fmt: skip
        assert first.cells[1].message == "no memory"
        assert followed.look() is first
        cell = begin(grid, 2)
        evaluate(grid, cell, 1, 0.5)
        with grid.events_file.open("a") as file:
            file.write('{"event": "cell_ended", "cel')
        second = followed.look()
        assert (second.cells[2].state, second.cells[2].epoch, second.live) == ("live", 1, True)
        assert followed.look() is second
    third = followed.look()
    assert (third.live, third.cells[2].state) == (False, "waiting")


def test_a_finished_run_has_all_its_figures_after_a_look(grid):
    followed = FollowedSweep(grid.path)
    followed.look()
    cell = finish(grid, 4, 0.6)
    finished = followed.look().cell(cell.name)
    assert (finished.best_dev, finished.train_seconds, finished.epochs) == (0.6, 26.0, 3)
    assert finished == read_sweep(grid.path).cell(cell.name)


def test_only_sweeps_that_changed_are_read_again(root, grid):
    (root / "broken").mkdir()
    (root / "broken" / "sweep.json").write_text("{")
    (root / "latest").symlink_to(grid.path)
    make_sweep(root, "old", (), created=1000.0)
    index = SweepIndex(root)
    first = index.refresh()
    assert [(sweep.name, sweep.state, sweep.done, sweep.failed) for sweep in first] == [
        ("grid", "stopped", 3, 1), ("old", "stopped", 0, 0),
    ]  # fmt: skip
    assert first[0].best_values == (("lr", 2e-3), ("batch_size", 32))
    again = index.refresh()
    assert all(a is b for a, b in zip(first, again, strict=True))


# The list


def test_without_sweeps_the_command_is_shown(home):
    async def act(app, pilot):
        text = screen_text(app)
        assert "No sweeps yet" in text
        assert "nexus sweep --grid" in text
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)

    for size in ((80, 24), (60, 20), (120, 40)):
        driven(act, size=size)


def test_sweeps_are_listed_newest_first_and_opened(root, grid):
    make_sweep(root, "old", (LR,), created=1000.0)

    async def act(app, pilot):
        lines = screen_text(app).splitlines()
        assert lines[2].split()[:5] == ["▸", "grid", "◌", "stopped", "3/6"]
        assert "0.5300" in lines[2]
        assert "lr 0.002, batch_size 32" in lines[2]
        assert lines[3].split()[:5] == ["old", "◌", "stopped", "0/3", "-"]
        await on_screen(app, pilot, "2 sweeps; kept in")
        await pilot.press("j", "enter")
        await settled(app, pilot)
        assert "old" in screen_text(app).splitlines()[1]
        await pilot.press("escape")
        await settled(app, pilot)
        assert isinstance(app.screen, SweepsScreen)
        await pilot.click("SweepList", offset=(10, 1), times=2)
        await settled(app, pilot)
        assert isinstance(app.screen, SweepScreen)

    driven(act)


def test_a_new_sweep_appears_and_the_cursor_stays_on_its_own(root, grid):
    async def act(app, pilot):
        make_sweep(root, "newer", (), created=3000.0)
        await pilot.press("r")
        await settled(app, pilot)
        lines = screen_text(app).splitlines()
        assert "newer" in lines[2]
        assert lines[3].startswith("▸ grid")
        shutil.rmtree(root)
        await pilot.press("r")
        await settled(app, pilot)
        await on_screen(app, pilot, "No sweeps yet")

    driven(act)


def test_the_list_is_reached_from_everywhere_and_once(grid):
    async def act(app, pilot):
        async def press(key, screen):
            text = {SweepsScreen: "grid", SweepScreen: "0.5300"}.get(screen, "")
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, screen) and text in screen_text(app))
            await settled(app, pilot)

        await press("5", SweepsScreen)
        await press("enter", SweepScreen)
        await press("5", SweepsScreen)
        assert [type(screen).__name__ for screen in app.screen_stack].count("SweepsScreen") == 1
        await press("enter", SweepScreen)
        await press("2", LiveScreen)
        await press("1", SweepScreen)
        await press("1", RunsScreen)
        await press("s", SweepsScreen)
        await pilot.click("TopBar", offset=(10, 0))
        await settled(app, pilot)
        assert isinstance(app.screen, RunsScreen)
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert titles.count("Sweeps") == 1

    driven(act, keys=("2",))


# One sweep


def test_the_grid_is_shown_with_the_best_cell_selected(grid):
    async def act(app, pilot):
        text = screen_text(app)
        assert "▸0.5300★" in text
        assert "failed×" in text
        assert "lr 0.002, batch_size 32" in text
        assert "+0.1100 over base" in text
        assert "nexus sweep --resume grid" in text
        await pilot.press("left", "up", "right")
        await pilot.pause()
        await on_screen(app, pilot, "no memory")
        await pilot.press("b")
        await pilot.pause()
        await on_screen(app, pilot, "▸0.5300★")
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)

    driven(act, keys=("s", "enter"))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (45, 12)])
def test_every_size_shows_the_chosen_cell_and_in_ascii_nothing_else(root, size):
    folder = make_sweep(root, "grid", (LR, BATCH, PLACE), seeds=(1, 2))
    for seed in (1, 2):
        for point in range(11):
            finish(folder, point, 0.5 + point / 100, seed)

    async def act(app, pilot):
        for key in ("b", "pageup", "left", "k", "pagedown", "j", "l"):
            await pilot.press(key)
            await pilot.pause()
            text = screen_text(app)
            assert text.count(">") == 1
            assert text.isascii()
            assert len(text.splitlines()) <= size[1]
        assert ">0.5700" in text

    driven(act, size=size, keys=("s", "enter"), ascii=True)


def test_a_click_picks_a_cell_out_and_two_open_its_run(grid):
    async def act(app, pilot):
        view = app.screen.query_one(HeatView)
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if "0.5100" in line)
        x = lines[y].index("0.5100")
        await pilot.click(offset=(x, y))
        await pilot.pause()
        assert view.point == 0
        await pilot.click(offset=(x, y), times=2)
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        assert app.open_run.source.path == grid.path / "runs" / "001-seed-1"

    driven(act, keys=("s", "enter"))


def test_enter_opens_the_run_and_escape_comes_back_to_the_cell(grid):
    async def act(app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await pilot.pause(0.1)
        await on_screen(app, pilot, "004-seed-1")
        await pilot.press("escape")
        await settled(app, pilot)
        assert isinstance(app.screen, SweepScreen)
        await on_screen(app, pilot, "▸0.5300★")
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SweepScreen)

    driven(act, keys=("s", "enter"))


def test_the_user_chooses_among_several_seeds_the_best_first(root):
    folder = make_sweep(root, "grid", (), seeds=(1, 2, 3))
    finish(folder, 0, 0.5, 1)
    finish(folder, 0, 0.6, 2)

    async def act(app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await until(pilot, lambda: "seed 2 0.6000" in screen_text(app))
        await until(pilot, lambda: "seed 3" in screen_text(app))
        assert screen_text(app).count("seed 3") == 1  # in the details, not among the choices
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        assert app.open_run.source.name == "001-seed-2"
        await pilot.press("escape")
        await settled(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        assert app.open_run.source.name == "001-seed-1"

    driven(act, keys=("s", "enter"))


def test_a_live_sweep_is_followed_and_at_rest_nothing_is_drawn(grid):
    async def act(app, pilot):
        text = screen_text(app)
        assert "● live: 3 of 6 runs done" in text
        assert "resume with" not in text
        cell = begin(grid, 4)
        evaluate(grid, cell, 1, 0.5123)
        await until(pilot, lambda: "0.5123…" in screen_text(app))
        finish(grid, 4, 0.6)
        await until(pilot, lambda: "0.6000★" in screen_text(app))
        await on_screen(app, pilot, "▸0.5300")
        await on_screen(app, pilot, "4 of 6 runs done")
        drawn = []
        app.screen.query_one(HeatView).redraw = lambda: drawn.append("heat map")
        await pilot.pause(2.5)
        assert drawn == []

    with grid.lock:
        driven(act, keys=("s", "enter"))


def test_a_sweep_whose_folder_is_taken_away_says_so(grid, root):
    async def act(app, pilot):
        shutil.rmtree(root)
        await until(pilot, lambda: "the sweep cannot be read" in screen_text(app))

    driven(act, keys=("s", "enter"))


def test_names_are_plain_text_on_both_screens(root):
    folder = make_sweep(root, "x [bold]y", (LR,))
    record = folder.path / "sweep.json"
    record.write_text(record.read_text().replace('"lr"', '"lr\\u001b[31m[red]"')
                      .replace('"x [bold]y"', '"\\u001b[31mname [bold]y[/]"'))  # fmt: skip

    async def act(app, pilot):
        await on_screen(app, pilot, "name [bold]y[/]")
        await pilot.press("enter")
        await settled(app, pilot)
        text = screen_text(app)
        assert "[red]" in text
        assert "name [bold]y[/]" in text
        assert "\x1b" not in text

    driven(act)


def test_the_keys_are_in_the_help_and_can_be_changed(grid):
    async def act(app, pilot):
        await pilot.press("question_mark")
        await pilot.pause(0.2)
        text = screen_text(app)
        for name in ("sweep.open", "sweep.best", "sweep.left", "go.sweeps"):
            assert name in text
        await pilot.press("escape", "f6")
        await pilot.pause()
        assert app.screen.query_one(HeatView).point == 2

    driven(act, size=(100, 40), keys=("s", "enter"), keymap={"sweep.left": "f6"})
