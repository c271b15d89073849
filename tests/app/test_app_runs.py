"""The list of runs: what it shows, and every action on it."""

from __future__ import annotations

import asyncio
import json
import os
import time

import msgspec
import pytest
from app_support import (
    evaluated,
    make_app,
    on_screen,
    paints,
    screen_text,
    step,
    until,
    whole_run,
    write_run,
)

from nexus_engine import events as ev
from nexus_engine.config import TrainConfig, resolve
from nexus_engine.disk import regular_files
from nexus_engine.disk.json_text import plain
from nexus_engine.event_lines import encode_event
from nexus_engine.runs.folder import list_runs
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.summary import read_record, state_of
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.run_list import RunList
from nexus_tui.app.runs.screen import RunsScreen
from nexus_tui.app.themes import chart_style_of
from nexus_tui.charts.kit.meter import spark
from nexus_tui.charts.run.rows import age, columns_for, header_line, matches, run_line
from nexus_tui.words.forecasting import Forecasted

pytestmark = pytest.mark.usefixtures("home")
EVIL = "\x1b[31mred\x1b[0m [bold]x[/] \u202eabc"


@pytest.fixture
def root(home):
    """Three runs: a finished one, a stopped one, and a failed one with an ugly message."""
    folder = home / "data" / "nexus" / "runs"
    write_run(folder, "alpha", whole_run(), started_unix_s=3000.0)
    stop = ev.RunStopped(reason="stop", exit_code=143, epoch=1, step=9, checkpoint="c")
    adapter = {"tune": "adapter", "data": "notes", "seed": 1, "epochs": 3}
    write_run(folder, "beta", [*whole_run()[:9], stop], started_unix_s=2000.0, data_name="notes",
              settings=adapter)  # fmt: skip
    failed = ev.RunFailed(message=EVIL, kind="DataError", exit_code=3)
    write_run(folder, "gamma", [*whole_run()[:5], failed], started_unix_s=1000.0, data_name=EVIL)
    return folder


def driven(act, size=(80, 24), probe=None, **settings):
    """Run `act(app, pilot)` on the list of runs; with `probe`, that measures the forecast."""

    async def run():
        app = make_app(**settings)
        if probe is not None:
            app.may_probe, app.probe = True, probe
        async with app.run_test(size=size) as pilot:
            await listed(app, pilot)
            await act(app, pilot)

    asyncio.run(run())


async def listed(app, pilot):
    """Wait until the folders are read."""
    for _ in range(100):
        await pilot.pause(0.02)
        if app.screen._all is not None and not list(app.screen.workers):
            return


class QuickRunsScreen(RunsScreen):
    READ_SECONDS = 0.05


class ListScreen(NexusScreen):
    """A list of runs and nothing else."""

    def __init__(self, run_list):
        super().__init__()
        self.run_list = run_list

    def body(self):
        yield self.run_list


# The index


def test_an_index_reads_again_only_what_changed(root):
    index = RunIndex(root)
    first = index.refresh()
    assert [run.name for run in first] == ["alpha", "beta", "gamma"]
    opened = []
    real = regular_files.open_regular

    def noted(path, *arguments, **more):
        opened.append(path.parent.name)
        return real(path, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regular_files, "open_regular", noted)
        assert index.refresh() == first
        assert opened == []
        with (root / "beta" / "events.jsonl").open("a") as file:
            file.write(encode_event(evaluated(2, 0.61)) + "\n")
        opened.clear()
        again = index.refresh()
    assert set(opened) == {"beta"}
    assert again[1].best_dev == 0.61
    assert again[0] == first[0]


def test_figures_come_from_the_log_and_a_rolled_back_set_is_taken_out(root):
    run = list_runs()[0]
    assert run.curve == pytest.approx((0.42, 0.4533, 0.4867, 0.52), abs=1e-4)
    assert (run.switches_kept, run.switches_tried, run.best_epoch) == (2, 2, 3)
    assert run.gain == pytest.approx(0.1)
    settled = ev.SwitchSettled(switch=2, epoch=2, kept=False, spearman_before=0.45,
                               spearman_after=0.44, params_added=32_292)  # fmt: skip
    grown = ev.DendritesAdded(switch=2, epoch=1, sites=12, units=48, params_added=32_292,
                              params_added_total=64_584, params_trained=64_584,
                              spearman_before=0.45)  # fmt: skip
    write_run(root, "delta", [*whole_run()[:9], grown, evaluated(2, 0.46), settled])
    summary = read_record(root / "delta").summary
    assert (summary.switches_kept, summary.switches_tried) == (0, 2)
    assert summary.params_added == 32_292
    assert summary.best_dev == 0.45
    assert summary.state == "interrupted"


def test_a_live_run_shows_its_progress_and_a_value_that_is_not_a_number_stays(root):
    write_run(root, "live", [*whole_run()[:4], evaluated(1, float("nan")), step(69)],
              pid=os.getpid(), started_unix_s=time.time())  # fmt: skip
    run = next(run for run in list_runs() if run.name == "live")
    assert (run.state, state_of(root / "live")) == ("live", "live")
    assert run.fraction == pytest.approx(1 / 3)
    assert run.curve[1] != run.curve[1]
    assert spark(run.curve, 8, chart_style_of(make_app().current_theme, ascii_only=True)) == "+x"


def test_a_damaged_run_json_or_log_hides_no_other_run(root):
    (root / "alpha" / "run.json").write_text("{")
    with (root / "beta" / "events.jsonl").open("ab") as file:
        file.write(b'\xff\xfe{"event": "run_fin')
    assert [(run.name, run.state) for run in list_runs()] == [
        ("beta", "stopped"), ("gamma", "failed"),
    ]  # fmt: skip


# The lines


def test_columns_drop_as_the_window_narrows_and_none_is_cut(root):
    runs = list_runs()
    chart_style = chart_style_of(make_app().current_theme, ascii_only=False)
    before: set[str] = set()
    for width in range(40, 160):
        columns = columns_for(runs, width)
        titles = {column.title for column in columns.rest}
        assert before <= titles
        before = titles
        lines = [run_line(run, columns, chart_style, now=4000.0) for run in runs]
        for line in (header_line(columns, chart_style), *lines):
            assert line.cell_len <= width
    assert before == {"state", "data", "regime", "dev", "gain", "kept", "added", "by epoch", "age"}


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "now"), (59, "now"), (60, "1 min"), (7200, "2 h"), (90000, "1 d")]
)
def test_ages(seconds, words):
    assert age(seconds) == words


def test_a_filter_takes_every_word(root):
    beta = list_runs()[1]
    assert matches(beta, "ADAPT sto")
    assert matches(beta, "notes")
    assert not matches(beta, "adapter finished")


# The screen


def test_runs_are_listed_with_state_figures_and_no_control_bytes(root):
    async def act(app, pilot):
        text = screen_text(app)
        assert "alpha" in text
        assert "0.5200" in text
        assert "+0.1000" in text
        assert "x failed" in text
        assert "? stopped" in text
        assert "3 runs" in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert text.isascii(), {c for c in text if ord(c) > 127}

    driven(act, size=(130, 24), ascii=True)


def test_details_where_there_is_room(root):
    async def act(app, pilot):
        await pilot.press("down", "down")
        await pilot.pause()
        text = screen_text(app)
        assert "dev Spearman by epoch" in text
        assert "go on" in text
        assert "[bold]x[/]" in text

    driven(act, size=(120, 40))


def test_details_say_how_many_passes_the_epochs_are(root):
    settings = {"tune": "dendrites", "data": "demo", "epochs": 3, "epochs_per_pass": 3}
    write_run(root, "fast", whole_run(), started_unix_s=4000.0, settings=settings)

    async def act(app, pilot):
        await on_screen(app, pilot, "3 epochs in 1 pass, batch")

    driven(act, size=(120, 40))


def test_filtering_as_one_types_and_escape(root):
    async def act(app, pilot):
        await pilot.press("slash", *"notes")
        await pilot.pause()
        runs = app.screen.query_one(RunList).runs
        assert [run.name for run in runs] == ["beta"]
        await on_screen(app, pilot, "1 of 3 match")
        await pilot.press("enter")
        assert app.focused is app.screen.query_one(RunList)
        await pilot.press("escape")
        assert len(app.screen.query_one(RunList).runs) == 3

    driven(act)


def test_enter_opens_the_run_on_the_live_screen(root):
    async def act(app, pilot):
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.current_mode == "live"
        assert app.open_run.source.path == root / "beta"

    driven(act)


def test_a_second_click_opens_and_the_wheel_moves(root):
    async def act(app, pilot):
        await pilot.click(RunList, offset=(5, 3))
        assert app.screen.query_one(RunList).current.name == "gamma"
        await pilot.click(RunList, offset=(5, 2), times=2)
        await until(pilot, lambda: app.current_mode == "live")
        assert app.open_run.source.path == root / "beta"

    driven(act)


def test_c_marks_and_then_compares(root):
    async def act(app, pilot):
        await pilot.press("c")
        assert [path.name for path in app.marked] == ["alpha"]
        await pilot.pause()
        await on_screen(app, pilot, "A is marked")
        await pilot.press("down", "c")
        await pilot.pause()
        assert app.current_mode == "compare"
        assert [path.name for path in app.marked] == ["alpha", "beta"]

    driven(act)


def test_space_marks_and_takes_back(root):
    async def act(app, pilot):
        await pilot.press("space", "down", "space")
        assert [path.name for path in app.marked] == ["alpha", "beta"]
        await pilot.press("space")
        assert [path.name for path in app.marked] == ["alpha"]
        await pilot.press("escape")
        assert app.marked == []

    driven(act)


def test_resuming_starts_what_can_go_on_and_refuses_what_has_ended(root):
    facts = json.loads((root / "beta" / "run.json").read_text())
    facts["settings"] = plain(msgspec.to_builtins(resolve(TrainConfig(tune="adapter"))))
    (root / "beta" / "run.json").write_text(json.dumps(facts))
    started = []

    async def act(app, pilot):
        app.start_training = lambda settings, resume=None: started.append((settings.tune, resume))
        await pilot.press("u")
        assert started == []
        await pilot.press("down", "u")
        assert started == [("adapter", root / "beta")]

    driven(act)


def test_removing_asks_names_the_run_and_spares_it_on_no(root):
    async def act(app, pilot):
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        await on_screen(app, pilot, "Remove alpha?")
        await pilot.press("k")
        await pilot.pause()
        assert (root / "alpha").is_dir()
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("r")
        await until(pilot, lambda: not (root / "alpha").exists())
        await until(pilot, lambda: len(app.screen.query_one(RunList).runs) == 2)

    driven(act)


def test_a_live_run_is_not_removed(root):
    write_run(root, "live", whole_run()[:4], pid=os.getpid(), started_unix_s=time.time())

    async def act(app, pilot):
        assert app.screen.query_one(RunList).current.name == "live"
        await pilot.press("d")
        await pilot.pause()
        assert not isinstance(app.screen, Question)

    driven(act)
    assert (root / "live").is_dir()


def test_the_playground_is_pointed_at_the_run(root):
    async def act(app, pilot):
        await pilot.press("down", "p")
        await pilot.pause()
        assert app.current_mode == "playground"
        assert app.pointed_run == str(root / "beta")

    driven(act)


def test_a_live_run_of_another_process_moves_on_the_screen(root):
    live = write_run(root, "live", [*whole_run()[:4], step(3)], pid=os.getpid(),
                     started_unix_s=time.time())  # fmt: skip

    async def act(app, pilot):
        await on_screen(app, pilot, "live 1%")
        with (live / "events.jsonl").open("a") as file:
            file.write(encode_event(step(69)) + "\n")
        app.screen.read_now()
        await until(pilot, lambda: "live 33%" in screen_text(app))

    driven(act)


def test_nothing_is_drawn_when_nothing_changed(root):
    async def act(app, pilot):
        drawn = []
        for widget in app.screen.query(RunList):
            widget.refresh = lambda *regions, **more: drawn.append(regions)
        app.screen.read_now()
        await pilot.pause(0.2)
        app.screen.query_one(RunList).redraw()
        assert drawn == []

    driven(act)


def test_nothing_is_painted_for_the_list_behind_another_screen(root):
    async def act(app, pilot):
        await app.push_screen(QuickRunsScreen())
        await app.push_screen(ListScreen(RunList()))
        painted = paints(app)
        for _ in range(20):  # a loaded machine paints the new screen late
            painted.clear()
            await pilot.pause(0.2)
            if not painted:
                break
        await pilot.pause(0.4)
        assert painted == []

    driven(act)


def test_without_a_run_the_first_screen_says_what_to_press():
    figures = {"seconds": 34.0, "peak_rss_mb": 1234.0}

    async def act(app, pilot):
        await until(pilot, lambda: "the demo takes about 0:34 min, 1.2 GB" in screen_text(app))
        await on_screen(app, pilot, "n  train on the demo set")

    driven(act, probe=lambda arguments, cancelled: Forecasted(figures))


def test_a_thousand_runs_scroll_and_only_the_lines_in_view_are_drawn(root):
    run = list_runs()[0]
    many = [run._replace(name=f"run-{i:04}", path=root / f"run-{i:04}") for i in range(1000)]
    drawn = []  # a line asks for the letter of its run

    async def act(app, pilot):
        listing = RunList(letter_of=lambda path: drawn.append(path) or "")
        await app.push_screen(ListScreen(listing))
        listing.focus()
        listing.show_runs(many)
        drawn.clear()
        await pilot.press("G")
        assert listing.current.name == "run-0999"
        await on_screen(app, pilot, "run-0999")
        await pilot.press("pageup", "home")
        assert listing.current.name == "run-0000"
        assert 0 < len(drawn) < 100

    driven(act)


def test_colour_alone_tells_nothing(root):
    chart_style = chart_style_of(make_app().current_theme, ascii_only=False)
    lines = [run_line(r, columns_for([r], 80), chart_style, now=4000.0).plain for r in list_runs()]
    assert len({line.split()[1] for line in lines}) == 3
