"""A changed tokenizer of the base model is detected by a resumed run and by a trained model."""

from __future__ import annotations

import json
import shutil

import pytest

from nexus_engine.errors import ExitCode, ModelError, RunError
from nexus_engine.model.base_model import TOKENIZER_SHA256, BaseModel, find_base_model
from nexus_engine.runs.saved_model import load_model, save_model
from nexus_engine.training.inputs import Inputs
from nexus_engine.training.preparation import _check_same

FACTS = {
    "tune": "dendrites",
    "nonlinearity": "gelu",
    "epoch": 1,
    "dev_spearman": 0.5,
    "params_added": 0,
    "data_name": "pairs",
    "data_fingerprint": "0" * 16,
}


class Data:
    fingerprint = "f"


@pytest.fixture
def own_base(tmp_path):
    """A copy of the base model, with a link to its weights."""
    original = find_base_model().folder
    folder = tmp_path / "base"
    folder.mkdir()
    for file in original.iterdir():
        if file.is_file() and file.name != "model.safetensors":
            shutil.copy(file, folder / file.name)
    (folder / "model.safetensors").symlink_to((original / "model.safetensors").resolve())
    return folder


def change_tokenizer(folder):
    """Make the tokenizer case-sensitive: it stays valid but gives other tokens."""
    path = folder / "tokenizer.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["normalizer"]["lowercase"] = False
    path.write_text(json.dumps(facts), encoding="utf-8")


def test_the_published_models_tokenizer_is_known():
    assert find_base_model().tokenizer_sha256 == TOKENIZER_SHA256


def test_a_model_trained_with_another_tokenizer_is_refused(own_base, tmp_path):
    base = find_base_model(own_base)
    known = {"base_sha256": base.sha256, "base_folder": str(own_base)}
    save_model(tmp_path / "new", {}, {**FACTS, **known, "tokenizer_sha256": base.tokenizer_sha256})
    save_model(tmp_path / "old", {}, {**FACTS, **known})
    assert load_model(str(tmp_path / "new")).card.tokenizer_sha256 == base.tokenizer_sha256
    change_tokenizer(own_base)
    with pytest.raises(ModelError, match=r"another tokenizer than .*tokenizer\.json") as caught:
        load_model(str(tmp_path / "new"))
    assert caught.value.exit_code == ExitCode.DATA
    assert load_model(str(tmp_path / "old")).card.tokenizer_sha256 is None


def test_a_run_is_not_resumed_with_another_tokenizer(tmp_path):
    base = BaseModel(tmp_path, "given", "w", published=False, tokenizer_sha256="t")
    recorded = {"sha256": "w", "tokenizer_sha256": "t"}
    inputs = Inputs(None, base, Data)
    for known in (recorded, {"sha256": "w"}):  # earlier versions did not record the tokenizer
        _check_same({"data_fingerprint": "f", "base": known}, inputs)
    with pytest.raises(RunError, match=r"tokenizer\.json is not what the run was started with"):
        _check_same({"data_fingerprint": "f", "base": recorded | {"tokenizer_sha256": "u"}}, inputs)
