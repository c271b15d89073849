"""The form of a new run: checks in words, the command line, the forecast, starting."""

from __future__ import annotations

import asyncio
import os

import pytest
from app_support import make_app, screen_text, until, whole_run, write_run

from nexus_tui.app.new_run import screen
from nexus_tui.app.new_run.run_form import FIELDS, check, command_words, plan_in_words
from nexus_tui.app.new_run.screen import NewRunScreen
from nexus_tui.words.forecasting import Forecasted, forecast_lines, probe
from nexus_tui.work.background import Detached

FIGURES = {
    "seconds": 34.0, "peak_rss_mb": 1234.0, "arms": 1, "params_added": 64_632,
    "params_base": 22_565_376, "train_pairs": 1104, "dev_pairs": 368, "test_pairs": 368,
    "epochs": 3, "batch_size": 16, "lr": 0.0023631, "steps": 207, "probe_steps": 14,
    "probe_sentences": 512,
    "probe_seconds": 6.0, "device": "cpu", "precision": "bf16", "threads": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    write_run(home / "data" / "nexus" / "runs", "alpha", whole_run())
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    monkeypatch.setattr(screen, "probe", lambda arguments, cancelled: Forecasted(FIGURES))
    monkeypatch.setattr(screen, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(screen, "GLANCE_SECONDS", 0.01)


def driven(act, size=(80, 24), **settings):
    async def whole():
        app = make_app(**settings)
        app.begun = []
        app.may_probe = True
        app.start_training = lambda settings, resume=None: app.begun.append(settings)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(whole())


async def enter(app, pilot, name, text):
    app.screen.row(name).entry.focus()
    await pilot.pause()
    await pilot.press(*text)
    await pilot.pause()


# The form as values


def test_what_is_blank_is_not_said_and_the_recipe_s_value_is_shown():
    found = check({"epochs": "5", "control": "yes"})
    assert found.arguments == ["--epochs", "5", "--control"]
    assert found.settings.epochs == 5
    assert found.settings.control
    assert found.shown["lr"] == "0.0017, to be fitted"
    assert found.shown["batch_size"] == "64, to be fitted"
    assert check({"lr": "0.001"}).shown["lr"] == "0.001"
    assert found.shown["place"] == "v,up"


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
def test_an_error_stands_at_its_field_in_the_words_of_the_command_line(name, text, words):
    found = check({name: text})
    assert found.settings is None
    assert words in found.errors[name]
    assert found.errors[name].startswith("--")


def test_files_and_variables_stand_behind_the_form(home, monkeypatch):
    (home / "work" / "nexus.toml").write_text("[train]\nepochs = 7\n")
    monkeypatch.setenv("NEXUS_LR", "0.003")
    found = check({"seed": "4"})
    assert (found.settings.epochs, found.settings.lr, found.settings.seed) == (7, 0.003, 4)
    assert found.arguments == ["--seed", "4"]
    (home / "work" / "nexus.toml").write_text("[train]\nepoch = 7\n")
    assert "did you mean epochs?" in check({}).errors[""]


def test_the_command_line_can_be_pasted(home):
    words = command_words(check({"data": "my pairs; rm -rf.csv", "seed": "2"}).arguments)
    assert words == "nexus train --data 'my pairs; rm -rf.csv' --seed 2"


def test_the_command_line_means_what_the_form_means():
    """Through the options of the command itself."""
    import shlex

    from typer.testing import CliRunner

    from nexus_tui.cli import main as cli

    typed = {"tune": "full", "epochs": "4", "lr": "3e-5", "switches": "1", "control": "yes"}
    found = check(typed)
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "nexus_tui.cli.commands.train._show_forecast",
            lambda settings, as_json: seen.update(settings=settings),
        )
        arguments = shlex.split(command_words(found.arguments))[1:]
        done = CliRunner().invoke(cli.app, [*arguments, "--forecast"])
    assert done.exit_code == 0, done.output
    assert seen["settings"] == found.settings


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


def test_at_60_columns_title_and_keys_are_whole_and_the_way_back_is_among_them():
    async def act(app, pilot):
        app.screen.row("tune").entry.focus()
        keys = "enter Start ^o Start detached esc Back ? Keys q Quit"
        await until(pilot, lambda: screen_text(app).splitlines()[-1].rstrip() == keys)
        assert "what is blank stays as shown" in screen_text(app)

    driven(act, size=(60, 20))


def test_the_form_opens_with_the_recipe_s_values_the_data_and_a_forecast():
    async def act(app, pilot):
        await until(pilot, lambda: "about 0:34 min" in screen_text(app))
        await until(pilot, lambda: "3 files, 1,843 lines" in screen_text(app))
        text = screen_text(app)
        for field in FIELDS:
            assert field.label in text
        # What the data decides is shown as the probe found it, and so is what the run will use.
        assert "16, fitted" in text
        assert "0.0023631, fitted" in text
        assert "before training and after" in text
        assert "nexus train" in text
        assert "Start detached" in text

    driven(act)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_command_forecast_and_buttons_stand_on_every_size(size):
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
        assert "the adapter" in screen_text(app)
        await pilot.press("left", "down", "space")
        await until(pilot, lambda: "--recipe fast" in screen_text(app))
        await pilot.press("up", "l")
        await until(pilot, lambda: "--recipe" not in screen_text(app))

    driven(act)


def test_a_path_that_is_not_there_is_told_at_its_field(home):
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


def test_a_detached_start_opens_the_run_or_says_why_not(home, monkeypatch):
    begun = []

    def begin(arguments, folder, cancelled):
        begun.append(arguments)
        write_run(folder.parent, folder.name + "x", whole_run()[:4])
        return Detached(folder.parent / (folder.name + "x"), 123, True)

    monkeypatch.setattr(screen, "begin_detached", begin)

    async def act(app, pilot):
        await enter(app, pilot, "seed", "9")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: app.current_mode == "live")
        assert begun[0][:3] == ["train", "--seed", "9"]
        assert app.open_run is not None

    driven(act)


def test_a_detached_start_that_fails_leaves_the_form_and_no_folder(home, monkeypatch):
    from nexus_tui.work.background import DetachError

    def begin(arguments, folder, cancelled):
        raise DetachError("demo: no such thing", 3)

    monkeypatch.setattr(screen, "begin_detached", begin)

    async def act(app, pilot):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "no such thing" in screen_text(app))
        assert isinstance(app.screen, NewRunScreen)

    driven(act)
    assert [p.name for p in (home / "data" / "nexus" / "runs").iterdir()] == ["alpha"]


def test_a_change_cancels_the_probe_that_runs(monkeypatch):
    seen = []

    def slow(arguments, cancelled):
        import time

        until_then = time.monotonic() + 60
        while time.monotonic() < until_then:
            if cancelled():
                seen.append(("cancelled", tuple(arguments)))
                return None
            time.sleep(0.01)
        return Forecasted(FIGURES)

    async def act(app, pilot):
        await until(pilot, lambda: "measuring" in screen_text(app))
        monkeypatch.setattr(screen, "probe", lambda a, c: Forecasted({**FIGURES, "seconds": 61.0}))
        await enter(app, pilot, "seed", "3")
        await until(pilot, lambda: ("cancelled", ()) in seen)
        await until(pilot, lambda: "about 1:01 min" in screen_text(app))

    monkeypatch.setattr(screen, "probe", slow)
    driven(act)


def test_what_is_pasted_holds_no_control_bytes():
    from textual import events

    async def act(app, pilot):
        entry = app.screen.row("data").entry
        entry.post_message(events.Paste("a\x1b[31mb\x9b\u202ec"))
        await pilot.pause()
        assert entry.value == "a[31mbc"

    driven(act)


def test_a_probe_that_is_no_longer_wanted_is_ended(monkeypatch):
    assert probe(["--data", "demo"], lambda: True) is None
