"""The form, `config show` and the forecast show the values that a run on the demo set records."""

from __future__ import annotations

import json
import os

import msgspec
import numpy as np
import pytest

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.data import load_guard
from nexus_engine.events import RunStarted
from nexus_engine.runs.folder import RunFolder
from nexus_engine.training import forecast as engine
from nexus_engine.training import inputs
from nexus_engine.training.run import train
from nexus_tui.app.new_run.run_form import FIELDS, check, measured_values
from nexus_tui.cli import main as cli
from nexus_tui.words.formats import value_text

FITTED = {"batch_size", "epochs", "units", "lr", "dendrite_lr"}


@pytest.fixture
def recorded(home, monkeypatch):
    """The settings in the run.json of a run on the demo set, which is stopped at its start."""
    monkeypatch.chdir(home)
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(inputs, "load_guard", lambda: load_guard().take(np.arange(6)))
    folder = RunFolder.create(home / "run", "x")
    events = train(resolve(TrainConfig()), folder)
    started = next(event for event in events if isinstance(event, RunStarted))
    events.close()
    settings = json.loads((home / "run" / "run.json").read_text())["settings"]
    assert (started.batch_size, started.lr) == (settings["batch_size"], settings["lr"])
    assert started.switches == len(settings["switch_epochs"]) == settings["switches"]
    return settings


def test_the_form_config_show_and_the_forecast_show_what_the_run_uses(recorded, monkeypatch, capfd):
    assert (recorded["batch_size"], recorded["epochs"], recorded["units"]) == (16, 6, 4)
    monkeypatch.setattr(engine.Probe, "measure", lambda self: (engine.Costs(0, 0, 0),) * 2)
    figures = msgspec.to_builtins(engine.forecast(resolve(TrainConfig())))
    assert all(figures[name] == recorded[name] for name in FITTED)
    assert (figures["epochs"], figures["switches"]) == (recorded["epochs"], recorded["switches"])

    form = check({})
    known = form.shown | measured_values(form.settings, figures)
    for field in FIELDS:
        if field.name in FITTED:
            assert form.shown[field.name].endswith(", to be fitted")
            assert known[field.name] == f"{value_text(recorded[field.name])}, fitted"
        elif field.name not in ("budget", "place", "control"):
            assert known[field.name] == str(recorded[field.name])
    assert known["place"] == ",".join(recorded["place"])

    assert cli.main(["config", "show", "--json"]) == 0
    rows = {row["key"]: row for row in map(json.loads, capfd.readouterr().out.splitlines())}
    for name, used in recorded.items():
        row = rows.get(f"train.{name}")
        if row is not None and not row["fitted"]:
            assert row["value"] == used, name
    assert {key for key, row in rows.items() if row["fitted"]} == {f"train.{n}" for n in FITTED}
    assert cli.main(["config", "show"]) == 0
    assert capfd.readouterr().out.count(", fitted to the data") == len(FITTED)
