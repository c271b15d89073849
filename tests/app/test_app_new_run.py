"""The form of a new run: its checks, the command line, the forecast, the start."""

from __future__ import annotations

import asyncio
import os
import shlex
import time

import pytest
from app_support import make_app, on_screen, screen_text, until, whole_run, write_run
from textual import events
from typer.testing import CliRunner

from nexus_tui.app.new_run.run_form import FIELDS, check, command_words, plan_in_words
from nexus_tui.app.new_run.screen import NewRunScreen
from nexus_tui.cli import main as cli
from nexus_tui.words.forecasting import Forecasted, forecast_lines, probe
from nexus_tui.work.background import Detached, DetachError

FIGURES = {
    "seconds": 34.0, "peak_rss_mb": 1234.0, "arms": 1, "params_added": 64_632,
    "params_base": 22_565_376, "train_pairs": 1104, "dev_pairs": 368, "test_pairs": 368,
    "epochs": 3, "batch_size": 16, "lr": 0.0023631, "steps": 207, "probe_steps": 14,
    "probe_sentences": 512,
    "probe_seconds": 6.0, "device": "cpu", "precision": "bf16", "threads": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _work_folder(home, monkeypatch):
    """An empty work folder, one run, and no NEXUS_ variables."""
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    write_run(home / "data" / "nexus" / "runs", "alpha", whole_run())
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")


def measured(arguments, cancelled):
    return Forecasted(FIGURES)


def driven(act, size=(80, 24), *, probe=measured, **of_form):
    """Run `act(app, pilot)` on an open form that waits for nothing and trains nothing."""

    async def run():
        app = make_app()
        app.begun = []
        app.may_probe = True
        app.probe = probe
        app.start_training = lambda settings, resume=None: app.begun.append(settings)
        form = NewRunScreen(glance_seconds=0.01, probe_seconds=0.01, **of_form)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.push_screen(form)
            await until(pilot, lambda: app.screen is form and form.is_mounted)
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(run())


async def enter(app, pilot, name, text):
    app.screen.row(name).entry.focus()
    await pilot.pause()
    await pilot.press(*text)
    await pilot.pause()


# The form as values


def test_blank_fields_are_left_out_and_show_the_value_of_the_recipe():
    checked = check({"epochs": "5", "control": "yes"})
    assert checked.arguments == ["--epochs", "5", "--control"]
    assert checked.settings.epochs == 5
    assert checked.settings.control
    assert checked.shown["lr"] == "0.0017, to be fitted"
    assert checked.shown["batch_size"] == "64, to be fitted"
    assert check({"lr": "0.001"}).shown["lr"] == "0.001"
    assert checked.shown["place"] == "v,up"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("epochs", "many", "give a whole number"),
        ("epochs", "0", "must be between 1 and 1000"),
        ("lr", "nan", "must be between"),
        ("lr", "fast", "give a number"),
        ("place", "v,upp", "did you mean"),
        ("budget", "1%%", "give a share"),
        ("switches", "99", "must be between"),
        ("seed", "-1", "must be between"),
    ],
)
def test_an_error_belongs_to_its_field_and_has_the_message_of_the_command_line(name, text, words):
    checked = check({name: text})
    assert checked.settings is None
    assert words in checked.errors[name]
    assert checked.errors[name].startswith("--")


def test_files_and_variables_fill_the_blank_fields(home, monkeypatch):
    (home / "work" / "nexus.toml").write_text("[train]\nepochs = 7\n")
    monkeypatch.setenv("NEXUS_LR", "0.003")
    checked = check({"seed": "4"})
    settings = checked.settings
    assert (settings.epochs, settings.lr, settings.seed) == (7, 0.003, 4)
    assert checked.arguments == ["--seed", "4"]
    (home / "work" / "nexus.toml").write_text("[train]\nepoch = 7\n")
    assert "did you mean epochs?" in check({}).errors[""]


def test_the_command_line_can_be_pasted(home):
    command = command_words(check({"data": "my pairs; rm -rf.csv", "seed": "2"}).arguments)
    assert command == "nexus train --data 'my pairs; rm -rf.csv' --seed 2"


def test_the_command_line_means_what_the_form_means():
    """Through the options of the command itself."""
    typed = {"tune": "full", "epochs": "4", "lr": "3e-5", "switches": "1", "control": "yes"}
    checked = check(typed)
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "nexus_tui.cli.commands.train._show_forecast",
            lambda settings, as_json: seen.update(settings=settings),
        )
        arguments = shlex.split(command_words(checked.arguments))[1:]
        result = CliRunner().invoke(cli.app, [*arguments, "--forecast"])
    assert result.exit_code == 0, result.output
    assert seen["settings"] == checked.settings


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "2 sets of dendrites on v,up of all layers, before training and after epoch 1"),
        ({"budget": "1921"}, "1 set of dendrites on up of layers 1, before training"),
        ({"warmup_epochs": "2"}, "when dev stalls, not before epoch 2"),
        ({"tune": "adapter"}, "on the adapter"),
        ({}, "3 epochs; 2 sets"),
        ({"recipe": "fast"}, "3 epochs in 1 pass; 1 set"),
    ],
)
def test_the_plan_is_told_in_words(typed, words):
    assert words in plan_in_words(check(typed).settings)


def test_a_forecast_says_what_it_measured():
    lines = forecast_lines(FIGURES)
    assert lines[0] == "about 0:34 min, 1.2 GB of memory at the peak"
    assert "3 epochs, batches of 16, rate 0.00236: 207 steps" in lines[1]
    parts = forecast_lines({**FIGURES, "epochs_per_pass": 3, "steps": 69})
    assert "3 epochs in 1 pass, batches of 16, rate 0.00236: 69 steps" in parts[1]
    assert "14 steps and 512 sentences in 6 s; cpu, bf16, 2 threads" in lines[3]


# The screen


def test_at_60_columns_title_and_keys_are_not_cut_and_escape_is_among_them():
    async def act(app, pilot):
        app.screen.row("tune").entry.focus()
        keys = "enter Start ^o Start detached esc Back ? Keys q Quit"
        await until(pilot, lambda: screen_text(app).splitlines()[-1].rstrip() == keys)
        await on_screen(app, pilot, "blank keeps the value shown")

    driven(act, size=(60, 20))


def test_the_form_opens_with_the_recipe_s_values_the_data_and_a_forecast():
    async def act(app, pilot):
        await until(pilot, lambda: "about 0:34 min" in screen_text(app))
        await until(pilot, lambda: "3 files, 1,843 lines" in screen_text(app))
        text = screen_text(app)
        for field in FIELDS:
            assert field.label in text
        # Values that the data decides are shown as the probe measured them.
        assert "16, fitted" in text
        assert "0.0023631, fitted" in text
        assert "before training and after" in text
        assert "nexus train" in text
        assert "Start detached" in text

    driven(act)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_command_forecast_and_buttons_are_on_screens_of_every_size(size):
    async def act(app, pilot):
        await until(pilot, lambda: "about 0:34 min" in screen_text(app))
        text = screen_text(app)
        assert "nexus train" in text
        assert "Copy command" in text

    driven(act, size=size)


def test_typing_changes_the_command_and_marks_what_is_wrong():
    async def act(app, pilot):
        await enter(app, pilot, "epochs", "5")
        await until(pilot, lambda: "nexus train --epochs 5" in screen_text(app))
        await enter(app, pilot, "epochs", "x")
        await until(pilot, lambda: "× give a whole number" in screen_text(app))
        await pilot.press("enter")
        assert app.begun == []
        assert isinstance(app.screen, NewRunScreen)

    driven(act)


def test_arrows_move_and_change_choices_and_recipes_follow_the_regime():
    async def act(app, pilot):
        await pilot.press("down", "right")
        await until(pilot, lambda: "nexus train --tune adapter" in screen_text(app))
        await on_screen(app, pilot, "the adapter")
        await pilot.press("left", "down", "space")
        await until(pilot, lambda: "--recipe fast" in screen_text(app))
        await pilot.press("up", "l")
        await until(pilot, lambda: "--recipe" not in screen_text(app))

    driven(act)


def test_a_missing_path_is_reported_at_its_field(home):
    (home / "work" / "pairs.csv").write_text("a,b,1\n" * 40)

    async def act(app, pilot):
        await enter(app, pilot, "data", "pairs.cs")
        await until(pilot, lambda: "does not exist" in screen_text(app))
        await pilot.press("enter")
        assert app.begun == []
        await enter(app, pilot, "data", "v")
        await until(pilot, lambda: "1 file, 40 lines" in screen_text(app))
        await pilot.press("enter")
        assert app.begun[0].data == str(home / "work" / "pairs.csv")

    driven(act)


def test_enter_starts_and_escape_leaves():
    async def act(app, pilot):
        await enter(app, pilot, "seed", "9")
        await pilot.press("enter")
        await pilot.pause()
        assert app.begun[0].seed == 9
        assert not isinstance(app.screen, NewRunScreen)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, NewRunScreen)

    driven(act)


def test_the_command_is_copied():
    async def act(app, pilot):
        await enter(app, pilot, "seed", "9")
        await pilot.press("ctrl+y")
        assert app.clipboard == "nexus train --seed 9"

    driven(act)


def test_a_detached_start_opens_the_run():
    begun = []

    def begin(arguments, folder, cancelled):
        begun.append(arguments)
        write_run(folder.parent, folder.name + "x", whole_run()[:4])
        return Detached(folder.parent / (folder.name + "x"), 123, True)

    async def act(app, pilot):
        await enter(app, pilot, "seed", "9")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: app.current_mode == "live")
        assert begun[0][:3] == ["train", "--seed", "9"]
        assert app.open_run is not None

    driven(act, begin_detached=begin)


def test_a_detached_start_that_fails_leaves_the_form_and_no_folder(home):
    def begin(arguments, folder, cancelled):
        raise DetachError("demo: no such thing", 3)

    async def act(app, pilot):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "no such thing" in screen_text(app))
        assert isinstance(app.screen, NewRunScreen)

    driven(act, begin_detached=begin)
    assert [p.name for p in (home / "data" / "nexus" / "runs").iterdir()] == ["alpha"]


def test_a_change_cancels_the_probe_that_runs():
    cancellations = []

    def slow(arguments, cancelled):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if cancelled():
                cancellations.append(arguments)
                return None
            time.sleep(0.01)
        return Forecasted(FIGURES)

    async def act(app, pilot):
        await until(pilot, lambda: "measuring" in screen_text(app))
        app.probe = lambda arguments, cancelled: Forecasted({**FIGURES, "seconds": 61.0})
        await enter(app, pilot, "seed", "3")
        await until(pilot, lambda: [] in cancellations)
        await until(pilot, lambda: "about 1:01 min" in screen_text(app))

    driven(act, probe=slow)


def test_what_is_pasted_holds_no_control_bytes():
    async def act(app, pilot):
        entry = app.screen.row("data").entry
        entry.post_message(events.Paste("a\x1b[31mb\x9b\u202ec"))
        await pilot.pause()
        assert entry.value == "a[31mbc"

    driven(act)


def test_a_probe_that_is_no_longer_wanted_is_ended():
    assert probe(["--data", "demo"], lambda: True) is None
