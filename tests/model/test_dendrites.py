"""A set of dendrites: no effect when grown, the documented formula, exact counts and roll-back."""

import pytest
import torch

from nexus_engine.model.dendrites import NONLINEARITIES, DendriteLinear, unit_parameters


def layer(inputs=5, outputs=3, units=(), seed=0, nonlinearity="gelu"):
    torch.manual_seed(seed)
    made = DendriteLinear(inputs, outputs, nonlinearity)
    with torch.no_grad():
        made.weight.normal_()
        made.bias.normal_()
    generator = torch.Generator().manual_seed(seed)
    for count in units:
        made.grow(count, generator)
    return made


def randomise(made):
    with torch.no_grad():
        for parameter in made.dendrite_parameters():
            parameter.normal_()


@pytest.mark.parametrize("units", [(1,), (2,), (1, 1), (2, 3)])
def test_a_new_set_leaves_every_output_bit_as_it_was(units):
    made = layer()
    rows = torch.randn(7, 5)
    before = made(rows)
    generator = torch.Generator().manual_seed(1)
    for count in units:
        made.grow(count, generator)
        assert torch.equal(made(rows), before)


def test_a_new_set_leaves_a_trained_layer_as_it_was():
    made = layer(units=(2,))
    randomise(made)
    rows = torch.randn(7, 5)
    before = made(rows)
    made.grow(2, torch.Generator().manual_seed(3))
    assert torch.allclose(made(rows), before, atol=1e-6)


@pytest.mark.parametrize("nonlinearity", sorted(NONLINEARITIES))
def test_outputs_follow_the_formula(nonlinearity):
    made = layer(units=(1, 2), nonlinearity=nonlinearity)
    randomise(made)
    f = NONLINEARITIES[nonlinearity]
    rows = torch.randn(4, 5)
    c = made.cascade  # c_10, c_20, c_21: row by row below the diagonal
    d0 = f(rows @ made.incoming[0] + made.threshold[0])
    d1 = f(rows @ made.incoming[1] + made.threshold[1] + c[0] * d0)
    d2 = f(rows @ made.incoming[2] + made.threshold[2] + c[1] * d0 + c[2] * d1)
    expected = rows @ made.weight.T + made.bias
    for d, gain in zip((d0, d1, d2), made.gain, strict=True):
        expected = expected + d[:, None] * gain
    assert torch.allclose(made(rows), expected, atol=1e-6)


@pytest.mark.parametrize("units", [(1,), (3,), (1, 1), (2, 2, 1)])
def test_parameters_are_counted_to_the_unit(units):
    made = layer(units=units)
    total = sum(units)
    by_hand = total * (5 + 1 + 3) + total * (total - 1) // 2
    assert sum(p.numel() for p in made.dendrite_parameters()) == by_hand
    grown = sum(unit_parameters(5, 3, sum(units[:i]), n) for i, n in enumerate(units))
    assert grown == by_hand


def test_rolling_back_is_exact():
    made = layer(units=(2,))
    randomise(made)
    rows = torch.randn(6, 5)
    before = made(rows)
    held = {
        n: getattr(made, n).detach().clone() for n in ("incoming", "threshold", "cascade", "gain")
    }
    made.grow(3, torch.Generator().manual_seed(5))
    randomise(made)
    assert not torch.equal(made(rows), before)
    made.load_units(held)
    assert made.units == 2
    assert torch.equal(made(rows), before)
    made.load_units({})
    assert made.units == 0
    assert list(made.dendrite_parameters()) == []


def test_gradients_reach_gains_first_and_all_parts_later():
    made = layer(units=(1, 1))
    made(torch.randn(8, 5)).square().sum().backward()
    assert made.gain.grad.abs().sum() > 0
    assert made.incoming.grad.abs().sum() == 0  # gains are zero: nothing comes back yet
    randomise(made)
    made.zero_grad()
    made(torch.randn(8, 5)).square().sum().backward()
    for parameter in made.dendrite_parameters():
        assert parameter.grad.abs().sum() > 0


def test_the_same_seed_grows_the_same_units():
    assert torch.equal(layer(units=(2,), seed=4).incoming, layer(units=(2,), seed=4).incoming)
    assert not torch.equal(layer(units=(2,), seed=4).incoming, layer(units=(2,), seed=5).incoming)
