"""Pinned pairs: stored on disk, scored again at each checkpoint."""

from __future__ import annotations

import asyncio
import math
import stat

import pytest
from app_support import ScriptedRun, evaluated, make_app, on_screen, screen_text, started
from playground_support import A, B, WordQuerier, answered, driven, leave_weights, tuned_run, typed

from nexus_engine.errors import DataError
from nexus_tui.app.kit.pinned import Pin, PinBook, pins_file, read_pins, write_pins
from nexus_tui.app.playground.pair_pane import PinRows

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def run(home):
    return tuned_run(home)


# Pins


def test_pins_are_stored_for_the_owner_alone_and_the_file_goes_with_the_last(run):
    async def act(app, pilot):
        await typed(app, pilot, A, B)
        await pilot.press("ctrl+n")
        await answered(app, pilot)
        assert stat.S_IMODE(pins_file().stat().st_mode) == 0o600
        assert read_pins(pins_file()).pins[0].pair == (A, B)
        await on_screen(app, pilot, "Pinned")
        await pilot.press("escape", "u")
        await answered(app, pilot)
        assert app.playground.book.pins == ()
        assert not pins_file().exists()

    driven(act, run="tuned-run")


def test_pins_are_there_at_the_next_start_and_can_be_switched_off(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B), Pin("x", "y"))))

    async def act(app, pilot):
        await answered(app, pilot)
        assert app.screen.query_one(PinRows).count() == 2
        value = app.playground.pin_cosines[A, B].tuned
        await on_screen(app, pilot, f"{value:.4f}")
        await pilot.press("P")
        await answered(app, pilot)
        await on_screen(app, pilot, "switched off (2 kept)")
        assert not read_pins(pins_file()).on
        await pilot.press("P")
        await answered(app, pilot)
        assert app.screen.query_one(PinRows).count() == 2
        app.screen.query_one(PinRows).focus()
        await pilot.press("down", "enter")
        await answered(app, pilot)
        assert app.playground.answer.pair == ("x", "y")
        await pilot.press("u")
        await answered(app, pilot)
        assert [pin.pair for pin in app.playground.book.pins] == [(A, B)]

    driven(act, run="tuned-run")


def test_pins_and_the_pair_are_scored_again_at_each_new_checkpoint(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B),)))

    async def act(app, pilot):
        source = ScriptedRun([started("tuned-run"), evaluated(1, 0.5)])
        source.name, source.path = "tuned-run", run
        app.open_source(source, show=False)
        await typed(app, pilot, A, B)
        first = app.playground.answer.tuned
        await pilot.press("escape", "1")  # another screen is in front
        await pilot.pause()
        leave_weights(run, 2)
        app.playground.tick()
        await answered(app, pilot)
        await pilot.press("3")
        await answered(app, pilot)
        assert app.playground.answer.tuned != first
        assert app.playground.path_of((A, B)) == [first, app.playground.answer.tuned]
        assert read_pins(pins_file()).pins[0].paths[str(run)][-1] == (
            2,
            app.playground.answer.tuned,
        )
        row = next(line for line in screen_text(app).splitlines() if "│" in line)
        assert f"{first:.4f}" in row
        drawn = row.split()[-1]
        assert len(drawn) == 2
        assert (drawn[0] < drawn[1]) == (first < app.playground.answer.tuned)

    driven(act)


def test_pins_of_a_live_run_are_scored_though_the_playground_was_never_open(run):
    write_pins(pins_file(), PinBook(True, (Pin(A, B),)))

    async def drive():
        app = make_app()
        app.playground._querier = WordQuerier()
        async with app.run_test(size=(80, 24)) as pilot:
            source = ScriptedRun([started("tuned-run")])
            source.name, source.path = "tuned-run", run
            app.open_source(source, show=False)
            app.playground.tick()
            await answered(app, pilot)
            app.playground.tick()
            await answered(app, pilot)
            assert len(app.playground.path_of((A, B))) == 1

    asyncio.run(drive())


@pytest.mark.parametrize(
    ("before", "epoch", "after"),
    [
        ((), 1, ((1, 0.5),)),
        (((1, 0.4),), 2, ((1, 0.4), (2, 0.5))),
        (((1, 0.4), (2, 0.6), (3, 0.7)), 2, ((1, 0.4), (2, 0.5))),
        (((2, 0.5),), 2, ((2, 0.5),)),
    ],
)
def test_a_path_grows_by_epochs_and_takes_back_what_a_resumed_run_makes_again(before, epoch, after):
    pin = Pin(A, B, {"run": before})
    assert pin.scored("run", epoch, 0.5).paths["run"] == after


def test_a_pin_keeps_few_runs_and_the_newest():
    pin = Pin(A, B)
    for number in range(10):
        pin = pin.scored(f"run-{number}", 1, 0.5)
    assert list(pin.paths) == [f"run-{number}" for number in range(4, 10)]


def test_what_is_not_finite_comes_back_from_disk_as_it_was(tmp_path):
    file = tmp_path / "n" / "pinned.json"
    write_pins(file, PinBook(True, (Pin(A, B, {"r": ((1, math.nan), (2, 0.5))}),)))
    points = read_pins(file).pins[0].paths["r"]
    assert math.isnan(points[0][1])
    assert points[1] == (2, 0.5)


@pytest.mark.parametrize("content", ["{", "[]", '{"format":1,"on":1,"pins":[{"first":1}]}', "\0"])
def test_a_damaged_file_of_pins_is_told_and_put_aside_not_lost(tmp_path, content):
    file = tmp_path / "pinned.json"
    file.write_text(content)
    with pytest.raises(DataError, match="no pins can be read"):
        read_pins(file)
    write_pins(file, PinBook(True, (Pin(A, B),)))
    assert read_pins(file).pins[0].pair == (A, B)
    assert (tmp_path / "pinned.json.unread").read_text() == content
