"""Whole runs of the engine on real pairs: each regime on real weights, the rest on a tiny model."""

import json
import math
import stat
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from conftest import write_small
from small_models import TINY, make_model

from nexus_engine.config import TrainConfig
from nexus_engine.data import load_split
from nexus_engine.errors import DivergedError, ExitCode
from nexus_engine.events import (
    TERMINAL_EVENTS,
    CheckpointSaved,
    DendritesAdded,
    EpochStarted,
    Evaluated,
    Log,
    PauseChanged,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Step,
    SwitchSettled,
    Warned,
)
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder, find_run, list_runs, remove_run
from nexus_engine.runs.saved_model import load_model, load_models
from nexus_engine.scoring.similarity import compare, evaluate, score_pairs
from nexus_engine.session import Session
from nexus_engine.system.memory_room import MemoryRoom
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.hardware import CAPACITY
from nexus_engine.training.run import train
from nexus_engine.training.steering import Steering

PAIRS = 18
"""Train pairs, three steps an epoch: nearly all of a run's time goes into its pairs."""
GUARD_PAIRS = 6
"""Instead of 300, whose scores would take most of a small run."""
SMALL = {"place": ("v",), "batch_size": 6, "epochs": 3, "keep_general": "off"}
LR = 0.3
"""So high that the tiny model of random weights gains in an epoch."""


@pytest.fixture
def small_data(tmp_path):
    return write_both(tmp_path)


def write_both(place, pairs=PAIRS):
    """Small data, and a tiny base model beside it."""
    make_model(place / "base")
    return write_small(place / "small", pairs)


def settings_for(data, **changes):
    """Of a run on the tiny base model that lies beside its data."""
    given = {"base": str(data.parent / "base"), "lr": LR, "threads": 1}
    if changes.get("grower") != "perforatedai":  # which has one unit
        given["units"] = 2
    return resolve_for_base(TrainConfig(**{"data": str(data), **SMALL, **given, **changes}))


def run(settings, path, steering=None, resume=False):
    folder = RunFolder(path) if resume else RunFolder.create(path, "test")
    events = list(train(settings, folder, steering, resume=resume, guard_pairs=GUARD_PAIRS))
    assert isinstance(events[-1], TERMINAL_EVENTS)
    assert sum(isinstance(e, TERMINAL_EVENTS) for e in events) == 1
    return events


class FinishedRun(NamedTuple):
    """A finished run that no test may change, its data, and its events."""

    path: Path
    data: Path
    events: list[Any]

    @property
    def result(self):
        return self.events[-1]


def finish(place, **changes):
    """A run at `place` for several tests, in a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(place / "data"))
        data = write_both(place)
        events = run(settings_for(data, **changes), place / "run")
        return FinishedRun(place / "run", data, events)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("uninterrupted"))


@pytest.fixture(scope="module")
def controlled(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("controlled"), control=True, switch_epochs=(0, 2))


def kinds(events, kind, arm="main"):
    return [e for e in events if isinstance(e, kind) and e.arm == arm]


def test_a_run_grows_settles_and_reports(controlled):
    events = controlled.events
    started, result = events[0], events[-1]
    logged = [e for e in events if isinstance(e, RunStarted)]
    assert len(logged) == 1, started
    assert isinstance(result, RunFinished), result
    grown, settled = kinds(events, DendritesAdded), kinds(events, SwitchSettled)
    assert [g.epoch for g in grown] == [0, 2]
    assert len(settled) == 2
    # Two units on two v layers: 2 · (24 + 24 + 1) + 1 each, and 5 where the first stayed.
    unit = 2 * TINY.width + 1
    assert grown[0].params_added == 2 * (2 * unit + 1)
    assert settled[0].kept
    assert grown[1].params_added == 2 * (2 * unit + 5)
    dev = [e for e in kinds(events, Evaluated) if e.split == "dev"]
    assert [e.epoch for e in dev] == [0, 1, 2, 3]
    assert dev[0].guard_spearman == 1.0
    assert result.base_dev_spearman == dev[0].spearman
    assert result.best_dev_spearman == max(e.spearman for e in dev)
    assert settled[0].spearman_before == dev[0].spearman
    assert settled[0].spearman_after == max(dev[1].spearman, dev[2].spearman)
    assert result.switches_kept == sum(s.kept for s in settled)
    assert result.params_added == sum(s.params_added for s in settled if s.kept)
    base = load_models(["base", str(controlled.path)])[0].model.encoder
    assert result.params_base == sum(p.numel() for p in base.parameters())
    assert [c.name for c in result.controls] == ["no-dendrites", "first-set"]
    assert result.control_dev_spearman == max(c.dev_spearman for c in result.controls)
    for control in result.controls:
        assert control.gain_low <= control.gain_high
        assert control.gain_dev_spearman == pytest.approx(
            result.best_dev_spearman - control.dev_spearman
        )
    assert all(math.isfinite(e.loss) for e in events if isinstance(e, Step))
    written = json.loads((controlled.path / "result.json").read_text())
    assert written["best_dev_spearman"] == result.best_dev_spearman


def test_the_saved_model_is_the_one_that_was_measured(uninterrupted):
    result = uninterrupted.result
    loaded = load_model(str(uninterrupted.path))
    dev, test = (
        load_split(str(uninterrupted.data), "dev"),
        load_split(str(uninterrupted.data), "test"),
    )
    assert evaluate(loaded, dev).spearman == pytest.approx(result.best_dev_spearman, abs=1e-9)
    assert evaluate(loaded, test).spearman == pytest.approx(result.test_spearman, abs=1e-9)
    both = score_pairs(loaded, test)
    base = load_models(["base", str(uninterrupted.path)])[0]
    assert np.allclose(both.base, score_pairs(base, test).base, atol=1e-6)
    assert not np.allclose(both.base, both.tuned, atol=1e-4)
    gains = compare([evaluate(base, dev), evaluate(loaded, dev)], dev)
    assert gains[0].value == 0
    assert gains[1].value == pytest.approx(
        result.best_dev_spearman - result.base_dev_spearman, abs=1e-6
    )


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"place": ("v",), "layers": (1, 3), "epochs": 1, "switch_epochs": (0,)}, 0),
        ({"tune": "adapter", "epochs": 2, "switch_epochs": (1,)}, 147_840),
        ({"tune": "full", "epochs": 1, "switch_epochs": (), "lr": 3e-4}, 22_713_216),
        ({"tune": "adapter", "epochs": 1, "dendrites": False}, 147_840),
    ],
)
def test_each_regime_on_the_real_weights(home, small_data, changes, trained):
    real = {"base": None, "place": None, "lr": 3e-2, "threads": 2}
    result = run(settings_for(small_data, **{**real, **changes}), home / "run")[-1]
    assert isinstance(result, RunFinished), result
    assert result.params_base == (22_713_216 if trained else 22_565_376)
    assert result.best_epoch > 0  # else the base model would be compared with itself
    assert result.params_trained == trained + result.params_added
    loaded = load_model(str(home / "run"))
    dev = load_split(str(small_data), "dev")
    assert evaluate(loaded, dev).spearman == pytest.approx(result.best_dev_spearman, abs=1e-6)


def test_the_frozen_encoder_is_not_touched(uninterrupted):
    base, loaded = load_models(["base", str(uninterrupted.path)])
    tuned = loaded.model.state_dict()
    for name, weight in base.model.state_dict().items():
        assert torch.equal(weight, tuned[name]), name


def test_the_same_seed_gives_the_same_run(home, uninterrupted):
    second = run(settings_for(uninterrupted.data), home / "b")[-1]
    other = run(settings_for(uninterrupted.data, seed=2), home / "c")[-1]
    assert uninterrupted.result.best_dev_spearman == second.best_dev_spearman
    assert weights_of(uninterrupted.path) == weights_of(home / "b")
    assert weights_of(uninterrupted.path) != weights_of(home / "c")
    assert other.best_dev_spearman != uninterrupted.result.best_dev_spearman


def weights_of(path):
    return json.loads((path / "best/model.json").read_text())["weights_sha256"]


class StopAfter(Steering):
    """Requests a stop at the n-th check of the loop."""

    def __init__(self, checks):
        super().__init__()
        self.checks_left = checks

    def check(self):
        self.checks_left -= 1
        if self.checks_left == 0:
            self.stop("test", ExitCode.INTERRUPTED)
        super().check()


# The loop makes 3 checks until the base model is measured; in each epoch one for each of 3 steps,
# one for dev and one for guard; then one for the test of the best weights and one for that of the
# base model. Check 2 comes before the first step, 5 in an epoch, 7 and 18 in an evaluation, 14 just
# after a switch, 20 in the last test.
@pytest.mark.parametrize("checks", [2, 5, 7, 14, 18, 20])
def test_a_stopped_run_resumes_to_the_same_weights(home, small_data, checks, uninterrupted):
    events = run(settings_for(small_data), home / "run", StopAfter(checks))
    stopped = events[-1]
    assert isinstance(stopped, RunStopped), stopped
    assert stopped.exit_code == 130
    result = run(settings_for(small_data), home / "run", resume=True)[-1]
    assert isinstance(result, RunFinished), result
    assert result.best_dev_spearman == uninterrupted.result.best_dev_spearman
    assert weights_of(home / "run") == weights_of(uninterrupted.path)
    assert sum(s.params_added for s in result.switch_records if s.kept) == result.params_added


@pytest.mark.parametrize("checks", [5, 9])
def test_a_run_that_stopped_before_its_first_switch_resumes(home, small_data, checks):
    """Before the first switch there are no weights to go back to, and no similarities."""
    settings = settings_for(
        small_data, tune="adapter", epochs=2, switch_epochs=(1,), control=False, lr=3e-2
    )
    run(settings, home / "uninterrupted")
    assert isinstance(run(settings, home / "run", StopAfter(checks))[-1], RunStopped)
    assert isinstance(run(settings, home / "run", resume=True)[-1], RunFinished)
    assert weights_of(home / "run") == weights_of(home / "uninterrupted")


def test_growing_and_rolling_back_on_request(home, small_data):
    class GrowThenRollBack(Steering):
        checks = 0

        def check(self):
            self.checks += 1
            if self.checks in (5, 13):
                self.submit("grow" if self.checks == 5 else "roll_back")
            super().check()

    settings = settings_for(small_data, epochs=4, switch_epochs=(0,))
    events = run(settings, home / "run", GrowThenRollBack())
    assert len(kinds(events, DendritesAdded)) == 2
    settled = kinds(events, SwitchSettled)
    assert settled[-1].kept is False
    assert isinstance(events[-1], RunFinished)


def test_a_paused_session_waits_and_goes_on(home, small_data):
    session = Session(settings_for(small_data, epochs=1), RunFolder.create(home / "run", "x"))
    watcher = session.subscribe()
    session.steering.pause()
    session.start()
    following = watcher.follow()
    events = []
    while not events or not isinstance(events[-1], PauseChanged):
        events.append(next(following))
    assert not session.wait(0.5)
    assert watcher.drain() == []
    session.steering.resume()
    events += following
    assert isinstance(events[-1], RunFinished), events[-1]
    assert session.wait(10)
    assert RunFolder(home / "run").events() == events


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_best(home, small_data, monkeypatch):
    make_step = Arm.make_step

    def with_nan_loss(self, batch):
        result = make_step(self, batch)
        if self.progress.epoch == 2:
            return result._replace(loss=torch.tensor(float("nan")))
        return result

    monkeypatch.setattr(Arm, "make_step", with_nan_loss)
    events = run(settings_for(small_data), home / "run")
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.kind, failed.exit_code) == (DivergedError.__name__, 5)
    assert "loss is not finite" in failed.message
    last_step = [e for e in events if isinstance(e, Step)][-1]
    assert math.isnan(last_step.loss)
    assert load_model(str(home / "run")).card is not None


def test_a_weight_that_is_not_finite_is_seen_before_it_is_saved(home, small_data, monkeypatch):
    make_step = Arm.make_step

    def with_infinite_weight(self, batch):
        result = make_step(self, batch)
        if self.progress.epoch == 2:
            next(iter(self.trained().values())).data[0] = float("inf")
        return result

    monkeypatch.setattr(Arm, "make_step", with_infinite_weight)
    failed = run(settings_for(small_data), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert failed.exit_code == 5
    assert load_model(str(home / "run")).card.epoch == 1


def test_a_full_disk_ends_the_run_with_its_code(home, small_data, monkeypatch):
    def no_space(*arguments):
        raise OSError(28, "No space left on device", "state.safetensors")

    monkeypatch.setattr(checkpoints, "save", no_space)
    failed = run(settings_for(small_data, epochs=1), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert failed.exit_code == 4
    assert "No space left" in failed.message


def test_an_internal_error_names_its_place_and_no_data(home, small_data, monkeypatch):
    def broken(self, epoch):
        return [np.arange(4)] * epoch if epoch < 2 else 1 / 0

    monkeypatch.setattr(Arm, "batches", broken)
    failed = run(settings_for(small_data), home / "run")[-1]
    assert isinstance(failed, RunFailed)
    assert failed.message.startswith("internal error: ZeroDivisionError at test_training.py:")


def test_a_run_folder_is_for_its_owner_alone(controlled):
    for path in [controlled.path, *controlled.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_no_sentence_of_the_data_is_in_the_run_folder(controlled):
    sentences = [s.encode() for s in load_split(str(controlled.data), "all").first.to_pylist()]
    assert len(sentences) == 2 * PAIRS
    for path in controlled.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(sentence in content for sentence in sentences), path


def test_a_damaged_checkpoint_falls_back_to_the_one_before(home, small_data):
    events = run(settings_for(small_data), home / "run", StopAfter(16))
    names = [e.path for e in events if isinstance(e, CheckpointSaved)]
    newest = home / "run" / names[-1] / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    checkpoint = checkpoints.load_latest(home / "run/checkpoints")
    assert checkpoint.name == names[-2].rsplit("/", 1)[-1]
    assert checkpoint.damaged == (names[-1].rsplit("/", 1)[-1],)
    assert isinstance(run(settings_for(small_data), home / "run", resume=True)[-1], RunFinished)


def test_other_data_under_the_same_name_cannot_be_resumed(home, small_data):
    run(settings_for(small_data), home / "run", StopAfter(12))
    with (small_data / "train.csv").open("a") as file:
        file.write("one more,and another,3\n")
    failed = run(settings_for(small_data), home / "run", resume=True)[-1]
    assert isinstance(failed, RunFailed)
    assert "fingerprint differs" in failed.message


def test_runs_are_listed_found_and_removed(home, small_data):
    settings = settings_for(small_data, epochs=1)
    folder = RunFolder.create(None, "demo/../x y")
    list(train(settings, folder))
    assert folder.path.parent == home / "data/nexus/runs"
    (only,) = list_runs()
    assert (only.state, only.name) == ("finished", folder.name)
    assert find_run("latest").path == folder.path
    assert find_run(folder.name).path == folder.path
    assert find_run(str(folder.path)).path == folder.path
    facts = folder.read_run()
    assert msgspec.convert(facts["settings"], type(settings)) == settings
    remove_run(folder.name)
    assert list_runs() == []


def test_a_control_whose_only_set_is_rolled_back_ends(home):
    """Its later switches grow nothing, and on a frozen encoder nothing else is trained."""
    changes = {"control": True, "switch_epochs": (0, 1), "lr": 1e-6, "epochs": 2}  # gains nothing
    events = run(settings_for(write_both(home), **changes), home / "run")
    assert isinstance(events[-1], RunFinished), events[-1]
    (settled, *_) = kinds(events, SwitchSettled, "control:first-set")
    assert not settled.kept


def test_a_run_with_sharp_steps_resumes_to_the_same_weights(home, small_data, uninterrupted):
    sharp = settings_for(small_data, sharpness=0.5)
    assert isinstance(run(sharp, home / "a")[-1], RunFinished)
    assert weights_of(home / "a") != weights_of(uninterrupted.path)
    assert isinstance(run(sharp, home / "b", StopAfter(7))[-1], RunStopped)
    assert isinstance(run(sharp, home / "b", resume=True)[-1], RunFinished)
    assert weights_of(home / "b") == weights_of(home / "a")


def test_epochs_may_be_parts_of_a_pass(home, small_data):
    events = run(settings_for(small_data, epochs_per_pass=3), home / "run")
    assert [e.steps for e in events if isinstance(e, EpochStarted)] == [1, 1, 1]  # of 3 in a pass
    dev = [e.epoch for e in events if isinstance(e, Evaluated) and e.split == "dev"]
    assert dev == [0, 1, 2, 3]
    assert next(e for e in events if isinstance(e, RunStarted)).epochs_per_pass == 3


def test_a_run_says_that_its_cpu_has_no_bf16(small_data, monkeypatch, tmp_path):
    monkeypatch.setattr("nexus_engine.training.hardware.cpu_has_bf16", lambda: False)
    settings = settings_for(small_data, precision="bf16", epochs=1)
    events = run(settings, tmp_path / "run")
    assert any("does not multiply bfloat16" in e.message for e in kinds(events, Warned))


def test_a_run_says_before_its_first_step_that_memory_is_short(small_data, monkeypatch, tmp_path):
    monkeypatch.setenv(CAPACITY, "taken back at the end")
    monkeypatch.delenv(CAPACITY)
    for module in ("hardware", "memory_need"):
        room = MemoryRoom(50.0, "free on this machine")
        monkeypatch.setattr(f"nexus_engine.training.{module}.memory_room", lambda room=room: room)
    events = run(settings_for(small_data, epochs=1), tmp_path / "run")
    first_step = next(i for i, event in enumerate(events) if isinstance(event, Step))
    said = [e.message for e in events[:first_step] if isinstance(e, Warned | Log)]
    assert any("fewer kernels are kept" in message for message in said)
    assert any("50 MB are free on this machine; no batch size fits" in each for each in said)
    assert isinstance(events[-1], RunFinished)  # a warning, not a refusal
