"""Folding linear units into the weights of the layers on which they stand."""

import numpy as np
import pytest
import torch

from nexus_engine.exports.plain_model import SiteUnits, plain_model, published_site
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel, identity_adapter
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.saved_model import LoadedModel

SENTENCES = ["The pump leaks at the seal.", "Replace the gasket.", "A short one", "word " * 60]


def grown(layer, sets, generator, *, full=False, nonlinearity="linear"):
    """`sets` sets of 3 units with gains and cascade weights that matter."""
    layer.nonlinearity = nonlinearity
    for _ in range(sets):
        layer.grow(3, generator, full=full)
    for name in ("threshold", "cascade", "gain"):
        getattr(layer, name).data.normal_(0, 0.1, generator=generator)


def model_with_units(base, nonlinearity="linear", sites=("0.v", "2.up", "4.down", "5.q")):
    model = SentenceModel(load_encoder(base), identity_adapter(384)).eval()
    generator = torch.Generator().manual_seed(5)
    for site in (*sites, "adapter"):
        grown(model.sites()[site], 2, generator, nonlinearity=nonlinearity)
    return LoadedModel("test", model, Tokenizer(base.folder), base, None)


@pytest.mark.parametrize("full", [False, True])
def test_folded_layer_equals_the_layer_with_its_units(full):
    generator = torch.Generator().manual_seed(2)
    layer = DendriteLinear(20, 12)
    torch.nn.init.normal_(layer.weight, generator=generator)
    torch.nn.init.normal_(layer.bias, generator=generator)
    grown(layer, 3, generator, full=full)
    rows = torch.randn(50, 20, generator=generator)
    layer = layer.double()
    want = layer(rows.double()).detach().numpy()
    cascade = np.zeros((9, 9, 12) if full else (9, 9), np.float32)
    cascade[np.tril_indices(9, -1)] = layer.cascade.detach().numpy()
    arrays = [getattr(layer, n).detach().numpy().astype(np.float32)
              for n in ("weight", "bias", "incoming", "threshold", "gain")]  # fmt: skip
    weight, bias, incoming, threshold, gain = arrays
    units = SiteUnits("0.v", "linear", incoming, threshold, cascade, gain)
    new_weight, new_bias = units.folded_into(weight, bias)
    got = rows.double().numpy() @ new_weight.astype(np.float64).T + new_bias
    assert np.abs(got - want).max() < 3e-6
    without_cascade = units._replace(cascade=np.zeros_like(cascade)).folded_into(weight, bias)
    assert np.abs(without_cascade[0] - new_weight).max() > 1e-3  # the cascade matters


def test_folded_weights_give_the_same_embeddings(base_model):
    loaded = model_with_units(base_model)
    plain = plain_model(loaded)
    assert plain.units == ()
    store = TokenStore(loaded.tokenizer)
    rows = store.add([SENTENCES])
    with torch.no_grad():
        want = loaded.model.embed(store, rows)
        base = SentenceModel(load_encoder(base_model), identity_adapter(384)).eval()
        before = base.embed(store, rows)
        from nexus_engine.model.encoder_weights import published_names

        for ours, theirs in published_names().items():
            base.encoder.get_parameter(ours).copy_(torch.from_numpy(plain.weights[theirs]))
        base.adapter.weight.copy_(torch.from_numpy(plain.adapter.weight))
        base.adapter.bias.copy_(torch.from_numpy(plain.adapter.bias))
        base = SentenceModel(base.encoder, base.adapter).eval()
        got = base.embed(store, rows)
    unit = torch.nn.functional.normalize
    assert (unit(got) - unit(want)).abs().max() < 1e-6
    assert (unit(before) - unit(want)).abs().max() > 1e-2


def test_units_behind_a_nonlinearity_stay_units(base_model):
    loaded = model_with_units(base_model, "gelu", sites=("1.v",))
    plain = plain_model(loaded)
    assert [units.site for units in plain.units] == ["1.v", "adapter"]
    units = plain.units[0]
    assert units.nonlinearity == "gelu"
    shapes = [units.incoming.shape, units.threshold.shape, units.cascade.shape, units.gain.shape]
    assert shapes == [(6, 384), (6,), (6, 6), (6, 384)]
    assert np.array_equal(np.triu(units.cascade), np.zeros((6, 6)))
    layer = loaded.model.sites()["1.v"]
    assert units.cascade[2, 1] == layer.cascade[2].item()  # 1: (1,0); 2: (2,0), (2,1)
    assert np.array_equal(
        plain.weights["encoder.layer.1.attention.self.value.weight"],
        load_encoder(base_model).sites()["1.v"].weight.detach().numpy(),
    )


def test_names_are_those_of_the_base_models_file(base_model):
    from safetensors import safe_open

    base = SentenceModel(load_encoder(base_model))
    plain = plain_model(LoadedModel("base", base, Tokenizer(base_model.folder), base_model, None))
    with safe_open(base_model.folder / "model.safetensors", framework="np") as file:
        names = set(file.keys()) - {"embeddings.position_ids"}
        assert set(plain.weights) == names
        assert all(np.array_equal(plain.weights[name], file.get_tensor(name)) for name in names)
    assert published_site("3.down") == "encoder.layer.3.output.dense"
