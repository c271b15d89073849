"""`--fold approximate`: the linear fit of nonlinear units."""

from __future__ import annotations

import numpy as np
import pytest
from export_runs import embeddings, export_to, make_run, write_pairs

from nexus_engine.errors import ConfigError, ExportError
from nexus_engine.exports.dev_texts import run_data
from nexus_engine.exports.linear_fit import fitted
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.runs.saved_model import load_model, load_saved


@pytest.fixture(scope="module")
def run(tmp_path_factory, base_model):
    folder = tmp_path_factory.mktemp("fit")
    data = write_pairs(folder / "data")
    return make_run(folder / "run", base_model, data, nonlinearity="gelu", batch_size=4)


def test_the_fit_is_that_of_ordinary_least_squares(run, base_model):
    loaded = load_saved(run.best, run.name)
    plain = plain_model(loaded)
    data = run_data(run, base_model)
    folded, [words] = fitted(loaded, plain, data)
    assert folded.units == ()
    assert "of 3 layers" in words
    # The same by numpy on the rows themselves, for the first layer.
    layer, rows = loaded.model.sites()["0.v"], []
    handle = layer.register_forward_pre_hook(lambda _, given: rows.append(given[0].detach()))
    from nexus_engine.model.tokens import TokenStore

    store = TokenStore(loaded.tokenizer)
    texts = list(dict.fromkeys(text for batch in data.train.sentences() for text in batch))
    loaded.model.embed(store, store.add([texts]), plain=True)
    handle.remove()
    import torch

    x = torch.cat(rows).reshape(-1, 384)
    d = layer.activations(x).detach().double().numpy()
    wide = np.hstack([x.double().numpy(), np.ones((len(x), 1))])
    # Fewer token rows than inputs: many maps fit, so the outputs are compared.
    name = "encoder.layer.0.attention.self.value"
    added = folded.weights[f"{name}.weight"] - plain.weights[f"{name}.weight"].astype(np.float64)
    shift = folded.weights[f"{name}.bias"] - plain.weights[f"{name}.bias"].astype(np.float64)
    got = wide[:, :-1] @ added.T + shift
    solution = np.linalg.lstsq(wide, d, rcond=None)[0]
    want = wide @ solution @ layer.gain.detach().double().numpy()
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()
    exact = d @ layer.gain.detach().double().numpy()
    assert np.abs(got - exact).mean() < 0.3 * np.abs(exact - exact.mean(0)).mean()


def test_an_approximate_folder_is_near_and_says_what_it_is(run, tmp_path):
    exported = export_to(run, "st", tmp_path / "out", approximate=True, max_loss=1.0)
    assert (tmp_path / "out/model.safetensors").exists()
    assert any("This is not the run's model" in note for note in exported.notes)
    assert "This is not the run's model" in (tmp_path / "out/README.md").read_text()
    from nexus_engine.exports.checking import embedded

    texts = ["The pump leaks.", "A valve of unit 3", "Replace the gasket"]
    own = embeddings(run, texts)
    near = embedded(load_model(str(tmp_path / "out")), texts)
    without = embedded(load_model("base"), texts)
    cosine, cosine_without = (own * near).sum(1), (own * without).sum(1)
    assert cosine.min() > 0.95
    assert (cosine > cosine_without).all()


def test_more_than_the_allowed_loss_is_refused(run, tmp_path, monkeypatch):
    from nexus_engine.exports import exporting

    real = exporting.check_vectors
    monkeypatch.setattr(
        exporting, "check_vectors",
        lambda *a: real(*a)._replace(score=0.4, own_score=0.41),
    )  # fmt: skip
    with pytest.raises(ExportError, match=r"loses 0\.0100 Spearman"):
        export_to(run, "st", tmp_path / "out", approximate=True)
    assert list(tmp_path.iterdir()) == []


def test_without_the_train_text_it_is_refused(tmp_path, base_model):
    data = write_pairs(tmp_path / "data")
    run = make_run(tmp_path / "run", base_model, data, nonlinearity="gelu", batch_size=4)
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="--fold approximate needs the run's train text"):
        export_to(run, "st", tmp_path / "out", approximate=True)
