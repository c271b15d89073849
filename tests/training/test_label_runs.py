"""Whole runs on label files, read directly and as they are exported."""

from __future__ import annotations

import numpy as np
import pytest
from label_texts import write_labels

from nexus_engine.config import TrainConfig
from nexus_engine.events import RunFinished, RunStarted
from nexus_engine.labels.exporting import export
from nexus_engine.labels.reading import read_labels
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.named_task import with_task
from nexus_engine.runs.folder import RunFolder
from nexus_engine.training import inputs
from nexus_engine.training.run import train

SMALL = {
    "place": ("v",), "layers": (5,), "units": 1, "lr": 1e-2, "epochs": 1, "batch_size": 8,
    "max_length": 32, "threads": 1, "keep_general": "off",
}  # fmt: skip
COUNTS = {"train": 16, "dev": 12, "test": 10}


@pytest.fixture(autouse=True)
def _short_guard(monkeypatch):
    whole = inputs.load_guard()
    monkeypatch.setattr(inputs, "load_guard", lambda: whole.take(np.arange(12)))


@pytest.mark.parametrize("kind", ["pairs", pytest.param("questions", marks=pytest.mark.slow)])
def test_a_run_on_labels_trains_and_is_judged_on_what_was_held_out(tmp_path, tiny_base, kind):
    path = write_labels(tmp_path / "labels.jsonl", **{kind: COUNTS})
    config = with_task(TrainConfig(data=str(path), base=str(tiny_base), **SMALL))
    run = RunFolder.create(tmp_path / "run", "x")
    with run.lock:
        events = list(train(resolve_for_base(config), run))
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.train_pairs, started.dev_pairs, started.test_pairs) == (16, 22, 22)
    assert started.task == ("pairs" if kind == "pairs" else "retrieval")
    assert isinstance(events[-1], RunFinished)
    fingerprint = read_labels(path).fingerprint[:16]
    assert fingerprint in (tmp_path / "run" / "events.jsonl").read_text()
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert len(files) > 4
    assert not [file for file in files if b"museum" in file.read_bytes().lower()]


@pytest.mark.slow  # loading an export is tested in tests/labels
def test_a_run_on_an_export_has_the_same_train_pairs(tmp_path, tiny_base):
    path = write_labels(tmp_path / "labels.jsonl", pairs={"train": 16, "dev": 6, "test": 6})
    out = export([read_labels(path)], tmp_path / "pairs.csv").path
    run = RunFolder.create(tmp_path / "run", "x")
    with run.lock:
        config = TrainConfig(data=str(out), base=str(tiny_base), **SMALL)
        events = list(train(resolve_for_base(config), run))
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.train_pairs, started.dev_pairs, started.test_pairs) == (16, 6, 6)
    assert isinstance(events[-1], RunFinished)
