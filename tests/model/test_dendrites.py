"""Sets of dendrites: no effect when grown, the documented formula, exact counts and roll-back."""

import pytest
import torch

from nexus_engine.model.dendrites import NONLINEARITIES, DendriteLinear, unit_parameters


def layer(inputs=5, outputs=3, units=(), seed=0, nonlinearity="gelu"):
    torch.manual_seed(seed)
    dendrite_layer = DendriteLinear(inputs, outputs, nonlinearity)
    with torch.no_grad():
        dendrite_layer.weight.normal_()
        dendrite_layer.bias.normal_()
    generator = torch.Generator().manual_seed(seed)
    for count in units:
        dendrite_layer.grow(count, generator)
    return dendrite_layer


def randomise(dendrite_layer):
    with torch.no_grad():
        for parameter in dendrite_layer.dendrite_parameters():
            parameter.normal_()


@pytest.mark.parametrize("units", [(1,), (2,), (1, 1), (2, 3)])
def test_a_new_set_leaves_every_output_bit_as_it_was(units):
    dendrite_layer = layer()
    rows = torch.randn(7, 5)
    before = dendrite_layer(rows)
    generator = torch.Generator().manual_seed(1)
    for count in units:
        dendrite_layer.grow(count, generator)
        assert torch.equal(dendrite_layer(rows), before)


def test_a_new_set_leaves_a_trained_layer_as_it_was():
    dendrite_layer = layer(units=(2,))
    randomise(dendrite_layer)
    rows = torch.randn(7, 5)
    before = dendrite_layer(rows)
    dendrite_layer.grow(2, torch.Generator().manual_seed(3))
    assert torch.allclose(dendrite_layer(rows), before, atol=1e-6)


@pytest.mark.parametrize("nonlinearity", sorted(NONLINEARITIES))
def test_outputs_follow_the_formula(nonlinearity):
    dendrite_layer = layer(units=(1, 2), nonlinearity=nonlinearity)
    randomise(dendrite_layer)
    f = NONLINEARITIES[nonlinearity]
    rows = torch.randn(4, 5)
    c = dendrite_layer.cascade  # c_10, c_20, c_21: row by row below the diagonal
    d0 = f(rows @ dendrite_layer.incoming[0] + dendrite_layer.threshold[0])
    d1 = f(rows @ dendrite_layer.incoming[1] + dendrite_layer.threshold[1] + c[0] * d0)
    d2 = f(rows @ dendrite_layer.incoming[2] + dendrite_layer.threshold[2] + c[1] * d0 + c[2] * d1)
    expected = rows @ dendrite_layer.weight.T + dendrite_layer.bias
    for d, gain in zip((d0, d1, d2), dendrite_layer.gain, strict=True):
        expected = expected + d[:, None] * gain
    assert torch.allclose(dendrite_layer(rows), expected, atol=1e-6)


@pytest.mark.parametrize("units", [(1,), (3,), (1, 1), (2, 2, 1)])
def test_parameters_are_counted_to_the_unit(units):
    dendrite_layer = layer(units=units)
    total = sum(units)
    by_hand = total * (5 + 1 + 3) + total * (total - 1) // 2
    assert sum(p.numel() for p in dendrite_layer.dendrite_parameters()) == by_hand
    grown = sum(unit_parameters(5, 3, sum(units[:i]), n) for i, n in enumerate(units))
    assert grown == by_hand


def test_rolling_back_is_exact():
    dendrite_layer = layer(units=(2,))
    randomise(dendrite_layer)
    rows = torch.randn(6, 5)
    before = dendrite_layer(rows)
    earlier = {
        n: getattr(dendrite_layer, n).detach().clone()
        for n in ("incoming", "threshold", "cascade", "gain")
    }
    dendrite_layer.grow(3, torch.Generator().manual_seed(5))
    randomise(dendrite_layer)
    assert not torch.equal(dendrite_layer(rows), before)
    dendrite_layer.load_units(earlier)
    assert dendrite_layer.units == 2
    assert torch.equal(dendrite_layer(rows), before)
    dendrite_layer.load_units({})
    assert dendrite_layer.units == 0
    assert list(dendrite_layer.dendrite_parameters()) == []


def test_gradients_reach_gains_first_and_all_parts_later():
    dendrite_layer = layer(units=(1, 1))
    dendrite_layer(torch.randn(8, 5)).square().sum().backward()
    assert dendrite_layer.gain.grad.abs().sum() > 0
    assert (
        dendrite_layer.incoming.grad.abs().sum() == 0
    )  # gains are zero, so no gradient reaches the inputs
    randomise(dendrite_layer)
    dendrite_layer.zero_grad()
    dendrite_layer(torch.randn(8, 5)).square().sum().backward()
    for parameter in dendrite_layer.dendrite_parameters():
        assert parameter.grad.abs().sum() > 0


def test_the_same_seed_grows_the_same_units():
    assert torch.equal(layer(units=(2,), seed=4).incoming, layer(units=(2,), seed=4).incoming)
    assert not torch.equal(layer(units=(2,), seed=4).incoming, layer(units=(2,), seed=5).incoming)
