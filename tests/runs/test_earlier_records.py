"""What earlier versions wrote, with Spearman alone and under the names of then, is read."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from nexus_engine.event_lines import decode_event, encode_event
from nexus_engine.events import DendritesAdded, Evaluated, RunFinished, RunStarted, SwitchSettled
from nexus_engine.runs.saved_model import ModelCard
from nexus_engine.scoring.evaluation import stored_measured
from nexus_engine.training.arm.spec import ArmProgress
from nexus_engine.training.saving import _stored_result

SWITCH = {
    "switch": 1, "epoch": 2, "kept": True, "spearman_before": 0.5, "spearman_after": 0.6,
    "params_added": 769,
}  # fmt: skip
CONTROL = {
    "name": "no-dendrites", "description": "d", "params_trained": 5, "dev_spearman": 0.5,
    "test_spearman": 0.4, "guard_spearman": 0.9, "best_epoch": 1, "gain_dev_spearman": 0.1,
    "gain_low": 0.0, "gain_high": 0.2,
}  # fmt: skip
FINISHED = {
    "event": "run_finished", "time_unix_s": 1.0, "arm": "main", "run_dir": "/x",
    "base_dev_spearman": 0.5, "base_test_spearman": 0.45, "best_dev_spearman": 0.6,
    "best_dev_pearson": 0.61, "best_epoch": 2, "test_spearman": 0.55, "test_pearson": 0.56,
    "guard_spearman": 0.9, "guard_scored_spearman": 0.88, "base_guard_scored_spearman": 0.91,
    "switches": 1, "switches_kept": 1, "switch_records": [SWITCH], "params_base": 10,
    "params_trained": 2, "params_added": 1, "epochs": 3, "train_seconds": 1.0,
    "total_seconds": 2.0, "pairs_per_second": 3.0, "peak_rss_mb": 4.0,
    "control_dev_spearman": 0.5, "control_test_spearman": 0.4, "controls": [CONTROL],
}  # fmt: skip
EVALUATED = {
    "event": "evaluated", "time_unix_s": 1.0, "arm": "main", "epoch": 1, "split": "dev",
    "pairs": 9, "spearman": 0.6, "pearson": 0.61, "guard_spearman": 0.9,
    "guard_scored_spearman": 0.88, "is_best": True, "best_spearman": 0.6, "best_epoch": 1,
    "eval_seconds": 0.1,
}  # fmt: skip
MEASURED = {
    "epoch": 1, "spearman": 0.6, "pearson": 0.61, "guard_spearman": 0.9,
    "guard_scored_spearman": 0.88,
}  # fmt: skip


def test_a_result_of_graded_pairs():
    result = decode_event(json.dumps(FINISHED))
    assert isinstance(result, RunFinished)
    assert (result.metric, result.base_dev, result.base_test) == ("spearman", 0.5, 0.45)
    assert (result.best_dev, result.test_score, result.control_dev) == (0.6, 0.55, 0.5)
    assert (result.switch_records[0].before, result.switch_records[0].after) == (0.5, 0.6)
    control = result.controls[0]
    assert (control.dev_score, control.test_score, control.gain_dev) == (0.5, 0.4, 0.1)
    assert result.guard_apart_spearman is None
    # Written again, it holds the same, the metric, and nothing that does not apply.
    again = json.loads(encode_event(result))
    assert {name: again[name] for name in FINISHED} == FINISHED
    assert set(again) - set(FINISHED) == {"metric", "vector_scores"}


def test_events_of_graded_pairs():
    evaluated = decode_event(json.dumps(EVALUATED))
    assert isinstance(evaluated, Evaluated)
    assert (evaluated.metric, evaluated.score, evaluated.best_score) == ("spearman", 0.6, 0.6)
    assert evaluated.keep_weight == 0.0
    settled = decode_event(json.dumps({"event": "switch_settled", **SWITCH}))
    assert isinstance(settled, SwitchSettled)
    assert (settled.before, settled.after) == (0.5, 0.6)
    grown = decode_event(
        json.dumps(
            {"event": "dendrites_added", "switch": 1, "epoch": 0, "sites": 1, "units": 1,
             "params_added": 1, "params_added_total": 1, "params_trained": 1,
             "spearman_before": 0.5}
        )
    )  # fmt: skip
    assert isinstance(grown, DendritesAdded)
    assert grown.before == 0.5


def test_a_start_without_a_task_was_one_of_graded_pairs():
    fields = {f.name: 1 for f in msgspec.structs.fields(RunStarted) if f.type is int and f.required}
    words = ("run_dir", "name", "tune", "data", "data_fingerprint", "device", "precision")
    line = {"event": "run_started", **fields, **dict.fromkeys(words, "x"), "lr": 0.1,
            "resumed": False}  # fmt: skip
    started = decode_event(json.dumps(line))
    assert isinstance(started, RunStarted)
    assert (started.task, started.metric, started.keep_general) == ("pairs", "spearman", "off")
    assert started.max_tokens == 256


def test_the_measures_of_a_checkpoint():
    measured = stored_measured(MEASURED)
    assert (measured.epoch, measured.score, measured.details) == (1, 0.6, {"pearson": 0.61})
    assert math.isnan(measured.steering_spearman)
    assert stored_measured(msgspec.to_builtins(measured)).score == 0.6
    with pytest.raises(msgspec.ValidationError):
        stored_measured({"epoch": "x"})


def test_the_finished_arm_of_a_checkpoint():
    stored = {
        "name": "main", "best": MEASURED, "test_spearman": 0.55, "test_pearson": 0.56,
        "switch_epochs": [0, 2], "records": [SWITCH], "epochs": 3, "switches": 2, "kept": 1,
        "params_trained": 2, "params_added": 1, "step_seconds": 1.0, "train_seconds": 2.0,
        "pairs": 72,
    }  # fmt: skip
    result = _stored_result(stored)
    assert (result.test, result.test_details, result.best.score) == (0.55, {"pearson": 0.56}, 0.6)
    assert result.records[0].before == 0.5
    assert _stored_result(msgspec.to_builtins(result)).test == 0.55


def test_the_progress_of_a_checkpoint():
    stored = {"epoch": 2, "step": 6, "phase_steps": 12, "switch_epochs": [0], "finished": False}
    progress = msgspec.convert(stored, ArmProgress)
    assert (progress.keep_weight, progress.tokens_since_check) == (0.0, 0)


def test_the_card_of_a_model():
    card = msgspec.convert(
        {"format": 1, "tune": "dendrites", "nonlinearity": "gelu", "base_sha256": "0" * 64,
         "base_folder": None, "weights_file": "w.safetensors", "weights_sha256": "1" * 64,
         "epoch": 1, "dev_spearman": 0.6, "params_added": 1, "data_name": "pairs",
         "data_fingerprint": "2" * 64},
        ModelCard,
    )  # fmt: skip
    assert (card.dev_score, card.max_tokens, card.tokenizer_sha256) == (0.6, 256, None)
