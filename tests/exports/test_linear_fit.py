"""`--fold approximate`: the linear fit of nonlinear units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_runs import embeddings, export_to, make_run, write_pairs

from nexus_engine.data.files.general import load_general
from nexus_engine.errors import ConfigError, ExportError
from nexus_engine.exports import exporting, linear_fit
from nexus_engine.exports.checking import embedded
from nexus_engine.exports.dev_texts import run_data
from nexus_engine.exports.linear_fit import fitted
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import load_model, load_saved


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("fit")
    data = write_pairs(folder / "data")
    return make_run(folder / "run", tiny_model, data, nonlinearity="gelu", gain=0.2, batch_size=4)


def test_the_fit_is_that_of_ordinary_least_squares(run, tiny_model):
    loaded = load_saved(run.best, run.name)
    plain = plain_model(loaded)
    data = run_data(run, tiny_model)
    folded, [words] = fitted(loaded, plain, data)
    assert folded.units == ()
    assert "of 3 layers" in words
    # The same by numpy on the rows themselves, for the first layer.
    layer, rows = loaded.model.sites()["0.v"], []
    handle = layer.register_forward_pre_hook(lambda _, given: rows.append(given[0].detach()))
    store = TokenStore(loaded.tokenizer)
    own = list(dict.fromkeys(text for batch in data.train.sentences() for text in batch))
    texts = [*own, *load_general()[: linear_fit.MIN_TEXTS - len(own)]]
    for start in range(0, len(texts), 100):
        loaded.model.embed(store, store.add([texts[start : start + 100]]), plain=True)
    handle.remove()
    x = torch.cat([each.reshape(-1, layer.inputs) for each in rows])
    d = layer.activations(x).detach().double().numpy()
    wide = np.hstack([x.double().numpy(), np.ones((len(x), 1))])
    solution = np.linalg.lstsq(wide, d, rcond=None)[0]
    change = solution @ layer.gain.detach().double().numpy()
    name = "encoder.layer.0.attention.self.value"
    added = folded.weights[f"{name}.weight"] - plain.weights[f"{name}.weight"].astype(np.float64)
    shift = folded.weights[f"{name}.bias"] - plain.weights[f"{name}.bias"].astype(np.float64)
    want, got = wide @ change, wide[:, :-1] @ added.T + shift
    assert np.abs(want).max() > 0.05
    # A little apart, because inputs that hardly vary are held back.
    assert np.abs(got - want).mean() < 0.01 * np.abs(want).mean()
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()


def test_an_approximate_folder_is_near_and_says_what_it_is(run, tmp_path, tiny_base):
    exported = export_to(run, "st", tmp_path / "out", approximate=True, max_loss=1.0)
    assert (tmp_path / "out/model.safetensors").exists()
    assert any("This is not the run's model" in note for note in exported.notes)
    assert "This is not the run's model" in (tmp_path / "out/README.md").read_text()
    texts = ["The pump leaks.", "A valve of unit 3", "Replace the gasket"]
    own = embeddings(run, texts)
    near = embedded(load_model(str(tmp_path / "out"), base=str(tiny_base)), texts)
    without = embedded(load_model(f"base:{tiny_base}"), texts)
    cosine, cosine_without = (own * near).sum(1), (own * without).sum(1)
    assert cosine.min() > 0.95
    assert (cosine > cosine_without).all()


def test_more_than_the_allowed_loss_is_refused(run, tmp_path, monkeypatch):
    checked = exporting.Checked("a reader", 0.01, 0.99, score=0.4, own_score=0.41)
    monkeypatch.setattr(exporting, "_check", lambda *_: checked)
    with pytest.raises(ExportError, match=r"loses 0\.0100 Spearman"):
        export_to(run, "st", tmp_path / "out", approximate=True)
    assert list(tmp_path.iterdir()) == []


def test_without_the_train_text_it_is_refused(tmp_path, tiny_model):
    data = write_pairs(tmp_path / "data")
    run = make_run(tmp_path / "run", tiny_model, data, nonlinearity="gelu", batch_size=4)
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="--fold approximate needs the run's train text"):
        export_to(run, "st", tmp_path / "out", approximate=True)
