"""What a run will cost: made of what was measured, and of nothing that is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import pytest

from nexus_engine.config import config_from_mapping, resolve
from nexus_engine.errors import ConfigError, DataError
from nexus_engine.training import forecast as engine
from nexus_engine.training.little_data import fit_to_data
from nexus_tui.cli import main as cli

STEP, EMBED = 1e-3, 1e-4
"""Seconds a token that stand in for measured ones."""


def settings(small_data, **asked):
    return resolve(config_from_mapping({"data": str(small_data), "threads": 1, **asked}, "test"))


@pytest.fixture
def fixed(monkeypatch):
    """Costs that do not depend on the machine; the second set of dendrites doubles a step's."""

    def timed(self):
        assert self.arm is not None
        units = max(1, self.arm.growth.switches)
        return engine._Costs(STEP * units, EMBED, EMBED)

    monkeypatch.setattr(engine._Probe, "_timed", timed)


def test_a_forecast_counts_what_the_run_will_do(small_data, fixed):
    found = engine.forecast(settings(small_data))
    assert (found.train_pairs, found.dev_pairs, found.test_pairs) == (48, 24, 24)
    # Little data: smaller batches than asked, as in the run itself.
    assert (found.batch_size, found.epochs, found.steps, found.arms) == (16, 3, 9, 1)
    used = fit_to_data(settings(small_data), found.train_pairs)
    assert (found.lr, found.dendrite_lr) == (used.lr, used.dendrite_lr) != (1.7e-3, 1.7e-3)
    assert (found.switches, found.params_added, found.params_base) == (2, 64_632, 22_565_376)
    assert found.peak_rss_mb > 100
    assert any("scores from" in note for note in found.notes)  # as the run says it
    shorter = engine.forecast(settings(small_data, epochs=2))
    assert found.train_seconds > shorter.train_seconds > 0
    assert found.seconds > found.train_seconds
    parts = engine.forecast(settings(small_data, epochs_per_pass=3))
    assert (parts.epochs, parts.epochs_per_pass, parts.steps) == (3, 3, 3)


def test_cost_is_tokens_times_what_was_measured(small_data, fixed):
    one = engine.forecast(settings(small_data, epochs=1, switch_epochs=[0]))
    two = engine.forecast(settings(small_data, epochs=2, switch_epochs=[0]))
    per_epoch = two.train_seconds - one.train_seconds
    # One more epoch is the train pairs' tokens once by STEP and an evaluation by EMBED.
    epoch_steps = 48 / one.pairs_per_second
    assert per_epoch == pytest.approx(
        epoch_steps + (two.evaluate_seconds - one.evaluate_seconds), rel=1e-6
    )
    assert epoch_steps == pytest.approx(round(epoch_steps / STEP) * STEP)


def test_controls_cost_too(small_data, fixed):
    alone = engine.forecast(settings(small_data))
    found = engine.forecast(settings(small_data, control=True))
    assert found.arms == 3
    assert found.seconds > alone.seconds
    assert found.train_seconds == pytest.approx(alone.train_seconds)


def test_the_adapter_trains_on_sentences_encoded_once(small_data, fixed):
    found = engine.forecast(settings(small_data, tune="adapter", epochs=4))
    assert (found.arms, found.epochs) == (1, 4)
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("asked", "epochs"),
    [
        ({}, (0, 1)),
        ({"switches": 1}, (0,)),
        ({"tune": "full", "warmup_epochs": 2, "switches": 2, "epochs": 8}, (2, 4)),
        ({"tune": "adapter", "dendrites": False}, ()),
    ],
)
def test_when_switches_are_expected(small_data, asked, epochs):
    from nexus_engine.training.arm.spec import plan_main

    wanted = settings(small_data, **asked)
    spec = plan_main(wanted, ("adapter",), wanted.switches)
    assert engine._switch_epochs(spec) == epochs


def test_what_cannot_be_used_is_refused_as_by_the_run(tmp_path, small_data):
    with pytest.raises(DataError):
        engine.forecast(settings(tmp_path / "nothing.csv"))
    with pytest.raises(ConfigError):
        engine.forecast(settings(small_data, budget="800", place=["v", "up"]))


def test_the_command_measures_for_real_and_writes_nothing(
    tmp_path, small_data, short_guard_in_children
):
    done = subprocess.run(
        [sys.executable, "-m", "nexus_tui", "train", "--data", str(small_data), "--threads", "2",
         "--forecast", "--json"],
        capture_output=True, text=True, timeout=900, cwd=tmp_path,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"),
             "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = msgspec.convert(json.loads(line), engine.Forecast)
    assert found.steps == 9
    assert found.probe_steps >= 6
    assert 0 < found.train_seconds < found.seconds
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--forecast", "--detach"], 2, "leave one of them out"),
        (["--forecast", "--epochs", "0"], 2, "must be between"),
        (["--forecast", "--resume", "latest"], 2, "leave out --forecast"),
    ],
)
def test_usage(home, monkeypatch, capfd, arguments, code, words):
    monkeypatch.chdir(home)
    assert cli.main(["train", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err
