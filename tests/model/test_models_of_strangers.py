"""Model folders with links, FIFOs, endless files, or weights too large to compute with."""

from __future__ import annotations

import hashlib
import json
import os
import signal

import pytest
import torch
from safetensors.torch import save_file

from nexus_engine.data import Pairs, arrow_strings
from nexus_engine.errors import ExitCode, ModelError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.runs.saved_model import load_model, save_model
from nexus_engine.scoring.similarity import evaluate


@pytest.fixture(autouse=True)
def in_time():
    """End a test that waits for a FIFO or reads a device without end."""

    def stop(*_):
        raise TimeoutError("did not end")

    former = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


CARD = {
    "tune": "dendrites",
    "nonlinearity": "gelu",
    "epoch": 1,
    "dev_spearman": 0.5,
    "params_added": 0,
    "data_name": "pairs",
    "data_fingerprint": "f" * 64,
}
SITE = "encoder.layers.0.v"


@pytest.fixture(scope="module")
def known():
    return {"base_sha256": find_base_model().sha256, "base_folder": None}


def units(size=0.1, kind=torch.float32):
    shapes = {"incoming": (1, 384), "threshold": (1,), "gain": (1, 384)}
    return {f"{SITE}.{name}": torch.full(shape, size).to(kind) for name, shape in shapes.items()}


def saved(folder, tensors, known):
    """Save a model folder with only these tensors and a valid card; return the weights file."""
    save_model(folder, {}, {**CARD, **known})
    weights = next(folder.glob("weights-*"))
    save_file(tensors, weights)
    card = json.loads((folder / "model.json").read_text())
    card["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    return weights


def refused(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        load_model(str(folder))
    assert caught.value.exit_code == ExitCode.DATA
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [0.1, 3e37])
def test_weights_too_large_to_compute_with_are_refused_when_used(tmp_path, known, size):
    saved(tmp_path / "best", units(size), known)
    pairs = Pairs(
        arrow_strings(["a pump", "a door"]),
        arrow_strings(["the pump", "rain"]),
        torch.tensor([1.0, 0.0], dtype=torch.float64).numpy(),
    )
    model = load_model(str(tmp_path / "best"))
    if size < 1:
        assert -1 <= evaluate(model, pairs).spearman <= 1
        return
    with pytest.raises(ModelError, match="too large to compute with"):
        evaluate(model, pairs)


def test_no_file_of_a_model_is_waited_for_or_read_without_end(tmp_path, known):
    weights = saved(tmp_path / "best", units(), known)
    load_model(str(tmp_path / "best"))
    card = tmp_path / "best" / "model.json"
    content = card.read_bytes()
    for path in (weights, card):
        path.unlink()
        os.mkfifo(path)
        refused(tmp_path / "best", "not a regular file")
        path.unlink()
        path.symlink_to("/dev/zero")
        refused(tmp_path / "best", "symbolic link")
        path.unlink()
        path.touch()
        os.truncate(path, 1 << 40)
        refused(tmp_path / "best", "larger than")
        path.unlink()
        if path == weights:
            save_file(units(), weights)
    card.write_bytes(content)
    load_model(str(tmp_path / "best"))
