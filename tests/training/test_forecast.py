"""The forecast of a run's cost: it follows from measured costs, and writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from nexus_engine.config import config_from_mapping
from nexus_engine.errors import ConfigError, DataError
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.training import forecast as forecasting
from nexus_engine.training.arm.spec import plan_main
from nexus_engine.training.forecast import Forecast, forecast
from nexus_engine.training.little_data import fit_to_data
from nexus_engine.training.probe import SAMPLE_TOKENS, Costs, Probe, even_by_tokens
from nexus_tui.cli import main as cli

STEP, EMBED = 1e-3, 1e-4
"""Seconds a token in place of measured ones."""


class FixedCosts(Probe):
    """Costs that do not depend on the machine; the second set of dendrites doubles a step's."""

    def time_costs(self):
        sets = max(1, self.arm.growth.switches)
        return Costs(STEP * sets, EMBED, EMBED)


def settings(small_data, **changes):
    given = {"data": str(small_data), "threads": 1, **changes}
    return resolve_for_base(config_from_mapping(given, "test"))


def forecast_of(small_data, **changes):
    return forecast(settings(small_data, **changes), probe_type=FixedCosts)


def test_a_forecast_counts_what_the_run_will_do(small_data):
    default = forecast_of(small_data)
    assert (default.train_pairs, default.dev_pairs, default.test_pairs) == (48, 24, 24)
    # Little data: smaller batches than in the recipe, as in the run itself.
    assert (default.batch_size, default.epochs, default.steps, default.arms) == (16, 6, 18, 1)
    fitted = fit_to_data(settings(small_data), default.train_pairs)
    assert (default.lr, default.dendrite_lr) == (fitted.lr, fitted.dendrite_lr) != (1.7e-3, 1.7e-3)
    assert (default.switches, default.params_added, default.params_base) == (2, 129_456, 22_565_376)
    assert default.peak_rss_mb > 100
    assert any("scores from" in note for note in default.notes)  # as in the run's log
    shorter = forecast_of(small_data, epochs=2)
    assert default.train_seconds > shorter.train_seconds > 0
    assert default.seconds > default.train_seconds
    parts = forecast_of(small_data, epochs_per_pass=3)
    assert (parts.epochs, parts.epochs_per_pass, parts.steps) == (6, 3, 6)


def test_cost_is_tokens_times_what_was_measured(small_data, tiny_base):
    given = {"base": str(tiny_base), "switch_epochs": [0]}
    one = forecast_of(small_data, epochs=1, **given)
    two = forecast_of(small_data, epochs=2, **given)
    per_epoch = two.train_seconds - one.train_seconds
    # One more epoch is the train pairs' tokens once by STEP and an evaluation by EMBED.
    epoch_steps = 48 / one.pairs_per_second
    assert per_epoch == pytest.approx(
        epoch_steps + (two.evaluate_seconds - one.evaluate_seconds), rel=1e-6
    )
    assert epoch_steps == pytest.approx(round(epoch_steps / STEP) * STEP)


def test_a_sample_of_sentences_is_even_in_tokens():
    lengths = np.array([10] * 900 + [100] * 100)
    places = even_by_tokens(lengths)
    assert (np.diff(places) > 0).all()
    # 9,000 tokens are in short sentences and 10,000 in long ones, and so is the sample.
    sampled = lengths[places]
    assert sampled.sum() <= 2 * SAMPLE_TOKENS
    assert (sampled == 100).sum() == pytest.approx(len(places) * 10 / 19, rel=0.35)
    assert len(even_by_tokens(np.array([5]))) == 1


def test_controls_cost_too(small_data, tiny_base):
    alone = forecast_of(small_data, base=str(tiny_base))
    controlled = forecast_of(small_data, base=str(tiny_base), control=True)
    assert controlled.arms == 3
    assert controlled.seconds > alone.seconds
    assert controlled.train_seconds == pytest.approx(alone.train_seconds)


def test_the_adapter_trains_on_sentences_encoded_once(small_data):
    adapter = forecast_of(small_data, tune="adapter", epochs=4)
    assert (adapter.arms, adapter.epochs) == (1, 4)
    assert adapter.seconds > 0


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({}, (0, 1)),
        ({"switches": 1}, (0,)),
        ({"tune": "full", "warmup_epochs": 2, "switches": 2, "epochs": 8}, (2, 4)),
        ({"tune": "adapter", "dendrites": False}, ()),
    ],
)
def test_when_switches_are_expected(small_data, changes, epochs):
    planned = settings(small_data, **changes)
    spec = plan_main(planned, ("adapter",), planned.switches)
    assert forecasting._switch_epochs(spec) == epochs


def test_data_and_settings_are_refused_as_by_the_run(tmp_path, small_data):
    with pytest.raises(DataError):
        forecast_of(tmp_path / "nothing.csv")
    with pytest.raises(ConfigError):
        forecast_of(small_data, budget="800", place=["v", "up"])


def test_the_command_measures_for_real_and_writes_nothing(
    tmp_path, small_data, tiny_base, short_guard_in_children
):
    process = subprocess.run(
        [sys.executable, "-m", "nexus_tui", "train", "--data", str(small_data), "--base",
         str(tiny_base), "--threads", "2", "--forecast", "--json"],
        capture_output=True, text=True, timeout=900, cwd=tmp_path,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"),
             "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (line,) = process.stdout.splitlines()
    printed = msgspec.convert(json.loads(line), Forecast)
    assert printed.steps == 18
    assert printed.probe_steps >= 6
    assert 0 < printed.train_seconds < printed.seconds
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
