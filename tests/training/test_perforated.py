"""The library perforatedai as a grower: it agrees with our own, and stays in its process."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from conftest import ROOT, write_small
from test_training import StopAfter, kinds, run, settings_for, write_both

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.data import load_split
from nexus_engine.errors import ConfigError, ModelError
from nexus_engine.events import DendritesAdded, RunFailed, RunFinished, RunStopped, SwitchSettled
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.full_dendrites import full_parameters
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.similarity import evaluate
from nexus_engine.training.perforated import parent
from nexus_engine.training.perforated.readback import plain_snapshot
from nexus_engine.training.perforated_check import PERFORATED_VERSION

installed = pytest.mark.skipif(
    importlib.util.find_spec("perforatedai") is None, reason="perforatedai is not installed"
)


@pytest.fixture
def small_data(tmp_path):
    return write_both(tmp_path, 48)


# Full dendrites


@pytest.mark.parametrize("units", [(1,), (1, 1, 1), (2, 1)])
def test_full_dendrites_follow_the_formula(units):
    torch.manual_seed(0)
    layer = DendriteLinear(5, 3, "sigmoid")
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
    rows = torch.randn(4, 5)
    plain, total = layer(rows), 0
    for i, count in enumerate(units):
        added = layer.grow(count, torch.Generator().manual_seed(i), full=True)
        assert added == full_parameters(5, 3, total, count)
        total += count
        assert torch.equal(layer(rows), plain)
    with torch.no_grad():
        for parameter in layer.dendrite_parameters():
            parameter.normal_()
    outputs, expected, pair = [], plain, 0
    for k in range(total):
        drive = rows @ layer.incoming[k].T + layer.threshold[k]
        for earlier in outputs:
            drive = drive + layer.cascade[pair] * earlier
            pair += 1
        outputs.append(torch.sigmoid(drive))
        expected = expected + layer.gain[k] * outputs[-1]
    assert torch.allclose(layer(rows), expected, atol=1e-6)
    assert layer.full


def test_a_native_run_with_full_dendrites_is_saved_and_loaded(home, small_data):
    settings = settings_for(
        small_data, tune="adapter", dendrite="full", switch_epochs=(1, 2), place=None, layers=None
    )
    assert settings.nonlinearity == "sigmoid"
    result = run(settings, home / "run")[-1]
    assert isinstance(result, RunFinished), result
    loaded = load_model(str(home / "run"))
    dev = load_split(str(small_data), "dev")
    assert evaluate(loaded, dev).spearman == pytest.approx(result.best_dev_spearman, abs=1e-6)


# Parity


PARITY = [
    pytest.param("unit", [0, 1, 3], 3e-3, marks=pytest.mark.slow),
    ("full", [0, 1, 3], 3e-3),
    ("unit", [0, 1, 2, 3, 4], 0.6),  # so high a rate that a set is rolled back on the way
]


@pytest.fixture(scope="module")
def parity(request, tmp_path_factory):
    """A process for each selected case; they run side by side."""
    place = tmp_path_factory.mktemp("parity")
    data = write_small(place / "small")
    script = Path(__file__).with_name("perforated_parity.py")
    processes = {}
    for item in request.session.items:
        case = getattr(item, "callspec", None)
        if item.module is not request.module or case is None or "rate" not in case.params:
            continue
        form, switches, rate = (case.params[name] for name in ("form", "switches", "rate"))
        arguments = [str(script), str(data), form, json.dumps(switches), str(rate)]
        folder = place / f"{form}-{rate}"
        folder.mkdir()
        processes[form, rate] = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(script.parents[2]), "OMP_NUM_THREADS": "1"},
        )
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()


@installed
@pytest.mark.parametrize(("form", "switches", "rate"), PARITY)
def test_the_library_and_ours_agree_after_each_switch(parity, form, switches, rate):
    process = parity[form, rate]
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    epochs = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [epoch["epoch"] for epoch in epochs] == [0, 1, 2, 3, 4, 5]
    assert [epoch["epoch"] for epoch in epochs if epoch["grown"]] == switches
    assert all(epoch["read_back"] <= 1e-6 for epoch in epochs), epochs
    for epoch in epochs[:-1]:  # at the end only our own arm goes back to its best
        assert epoch["apart"] <= 1e-6, epochs
        assert epoch["units"][0] == epoch["units"][1]
        assert epoch["params"][0] == epoch["params"][1]
        assert epoch["kept"][0] == epoch["kept"][1]
    assert epochs[-2]["moved"] > 0.1
    if rate > 0.1:
        assert epochs[-2]["kept"][0] < len(switches) - 1


# Whole runs


def library_settings(data, **changes):
    by_library = {"tune": "adapter", "grower": "perforatedai", "lr": 3e-3, "switch_epochs": (1, 2)}
    return settings_for(data, **{**by_library, "place": None, "layers": None, **changes})


@installed
def test_a_run_by_the_library_needs_it_no_more(home, small_data, monkeypatch):
    monkeypatch.chdir(home)
    before = set(home.iterdir())
    events = run(library_settings(small_data), home / "run")
    result = events[-1]
    assert isinstance(result, RunFinished), result
    assert [e.epoch for e in kinds(events, DendritesAdded)] == [1, 2]
    assert len(kinds(events, SwitchSettled)) == 2
    assert result.params_added == sum(s.params_added for s in result.switch_records if s.kept)
    assert not any(name.split(".")[0] == "perforatedai" for name in sys.modules)
    loaded = load_model(str(home / "run"))
    dev = load_split(str(small_data), "dev")
    assert evaluate(loaded, dev).spearman == pytest.approx(result.best_dev_spearman, abs=1e-6)
    assert set(home.iterdir()) - before <= {home / "run", home / "data"}


@installed
def test_a_stop_ends_the_child_and_leaves_no_folder(home, small_data, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Four checks until the base model is measured; then one at each read of the child's pipe.
    stopped = run(library_settings(small_data), home / "run", StopAfter(8))[-1]
    assert isinstance(stopped, RunStopped), stopped
    assert not list(home.glob("nexus-perforatedai-*"))


@installed
def test_a_question_of_the_library_ends_the_run_in_words(home, small_data, monkeypatch):
    broken = home / "broken"
    (broken / "perforatedai").mkdir(parents=True)
    (broken / "perforatedai/__init__.py").write_text("import pdb\npdb.set_trace()\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    failed = run(library_settings(small_data), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert "stopped to ask" in failed.message
    assert failed.exit_code == 1


@installed
def test_the_death_of_the_child_is_reported(home, small_data, monkeypatch):
    broken = home / "broken"
    (broken / "perforatedai").mkdir(parents=True)
    (broken / "perforatedai/__init__.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    failed = run(library_settings(small_data), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert "SIGKILL" in failed.message


def test_without_the_library_it_says_what_to_do(home, small_data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    failed = run(library_settings(small_data), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.kind, failed.exit_code) == ("ConfigError", 2)
    assert "pip install 'nexus-dendrites[perforated]'" in failed.message
    assert f"perforatedai {PERFORATED_VERSION} " in failed.message


def test_the_version_in_the_message_is_the_one_that_the_extra_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pinned,) = project["optional-dependencies"]["perforated"]
    assert pinned.startswith(f"perforatedai=={PERFORATED_VERSION};")
    assert "nexus-dendrites[perforated,export]" in project["optional-dependencies"]["test"]
    assert not any(name.startswith("perforatedai") for name in project["dependencies"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tune": "dendrites"}, "on the adapter"),
        ({"dendrites": False}, "no-dendrites"),
        ({"rule": "correlation", "dendrite": "unit"}, "correlation rule"),
        ({"rule": "correlation"}, "correlation rule"),  # not by what it implies
        ({"units": 2}, "one dendrite"),
        ({"min_gain": 0.1}, "min-gain"),
        ({"grower": "native", "tune": "dendrites", "dendrite": "full"}, "--dendrite full"),
        ({"grower": "native", "dendrite": "full", "rule": "correlation"}, "--rule gradient"),
    ],
)
def test_settings_that_the_library_cannot_serve_are_refused(changes, words):
    config = TrainConfig(**{"tune": "adapter", "grower": "perforatedai", **changes})
    with pytest.raises(ConfigError, match=words):
        resolve(config)


def test_weights_of_another_version_are_refused():
    with pytest.raises(ModelError, match="lacks"):
        plain_snapshot({"adapter.weight": torch.zeros(2, 2)})
    assert parent.MAX_DIFFERENCE == 1e-6
