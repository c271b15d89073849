"""What recipes and budgets become for a base model of other sizes."""

from __future__ import annotations

import pytest

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.errors import ConfigError
from nexus_engine.recipes import (
    BUDGET_LADDER,
    RECIPES,
    RETRIEVAL_LADDER,
    BaseSizes,
    placed_parameters,
)

L12 = BaseSizes(33_360_000, 12, max_tokens=128)
L3 = BaseSizes(17_242_368, 3, max_tokens=128)
WIDE = BaseSizes(109_000_000, 12, 768, 3072, 512, 512)


def test_the_measured_model_keeps_its_measured_placements():
    for ladder in (BUDGET_LADDER, RETRIEVAL_LADDER):
        for rung in ladder:
            recipe = {**RECIPES["dendrites", "default"], **rung.recipe}
            assert placed_parameters(recipe, BaseSizes()) == rung.parameters


@pytest.mark.parametrize(
    ("base", "layers", "lr", "max_length"),
    [
        (BaseSizes(), 6, 1.7e-3, 256),
        (L12, 12, 1.2e-3, 128),
        (L3, 3, 2.4e-3, 128),
        (WIDE, 12, 8.5e-4, 512),
    ],
)
def test_layers_rates_and_length_follow_the_model(base, layers, lr, max_length):
    settings = resolve(TrainConfig(), base)
    assert settings.layers == tuple(range(layers))
    assert settings.lr == settings.dendrite_lr == pytest.approx(lr, rel=0.01)
    assert settings.max_length == max_length
    assert resolve(TrainConfig(task="retrieval"), base).max_length == min(160, max_length)


def test_the_radius_follows_the_root_of_the_parameters():
    assert resolve(TrainConfig(recipe="best")).sharpness == 6.0
    assert resolve(TrainConfig(recipe="best"), L12).sharpness == pytest.approx(6 * 2**0.5, rel=0.01)
    assert resolve(TrainConfig(recipe="best"), L3).sharpness == pytest.approx(6 / 2**0.5, rel=0.01)


def test_what_the_user_says_is_not_scaled():
    config = TrainConfig(lr=1e-3, layers=(1,), max_length=64, recipe="best", sharpness=2.0)
    settings = resolve(config, L12)
    assert (settings.lr, settings.dendrite_lr) == (1e-3, 1e-3)
    assert (settings.layers, settings.max_length, settings.sharpness) == ((1,), 64, 2.0)


def test_the_adapter_keeps_its_rates():
    assert resolve(TrainConfig(tune="adapter"), WIDE).lr == resolve(TrainConfig(tune="adapter")).lr


@pytest.mark.parametrize("base", [L3, L12, WIDE])
@pytest.mark.parametrize("budget", ["0.5%", "0.05%", "0.02%"])
def test_a_budget_is_a_share_of_the_model_and_is_kept(base, budget):
    settings = resolve(TrainConfig(budget=budget), base)
    limit = base.parameters * float(budget[:-1]) / 100
    assert settings.budget_parameters == int(limit)
    placed = {"place": settings.place, "layers": settings.layers, "units": settings.units}
    assert 0 < placed_parameters(placed, base) * settings.switches <= limit
    assert max(settings.layers) < base.layers


def test_named_layers_keep_their_depth():
    assert resolve(TrainConfig(budget="3842"), L12).layers == (2, 4)
    assert resolve(TrainConfig(budget="1921")).layers == (1,)
    assert resolve(TrainConfig(budget="4000"), L3).layers == (0, 1)


@pytest.mark.parametrize(
    ("config", "base", "words"),
    [
        ({"layers": (6,)}, BaseSizes(), "--layers 6: must be between 0 and 5"),
        ({"layers": (0, 3)}, L3, "--layers 3: must be between 0 and 2"),
        ({"dims": (400,)}, BaseSizes(), "--dims 400: must be between 8 and 384"),
        ({"max_length": 256}, BaseSizes(positions=128, max_tokens=128), "--max-length 256"),
        ({"budget": "100"}, L12, "the smallest set that it chooses from has 769"),
    ],
)
def test_what_the_model_is_too_small_for_is_refused(config, base, words):
    with pytest.raises(ConfigError, match=words):
        resolve(TrainConfig(**config), base)
