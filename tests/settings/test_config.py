"""Recipes fill the settings that are left open; contradictions are refused with a reason."""

import itertools

import pytest

from nexus_engine.config import TrainConfig, config_from_mapping, parse_budget, resolve
from nexus_engine.errors import ConfigError
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.encoder import Encoder
from nexus_engine.model.placement import choose_placement, parameters_of_sets
from nexus_engine.recipes import BUDGET_LADDER, RECIPES
from nexus_engine.training.little_data import fit_to_data


@pytest.fixture(scope="module")
def sites():
    import torch

    with torch.device("meta"):
        return Encoder().sites()


@pytest.mark.parametrize(("tune", "recipe"), sorted(RECIPES))
def test_every_recipe_resolves(tune, recipe):
    settings = resolve(TrainConfig(tune=tune, recipe=recipe))
    assert (settings.tune, settings.recipe) == (tune, recipe)
    assert resolve(TrainConfig(tune=tune, recipe=recipe, epochs=1)).epochs == 1


@pytest.mark.parametrize("rung", BUDGET_LADDER, ids=lambda rung: str(rung.parameters))
def test_every_rung_costs_what_it_says_and_fits(rung, sites):
    settings = resolve(TrainConfig(budget=str(rung.parameters)))
    placed = choose_placement(settings, sites)
    total = parameters_of_sets([sites[n] for n in placed.sites], settings.units, placed.switches)
    assert total == rung.parameters


def test_a_budget_just_below_a_rung_takes_the_next(sites):
    for dearer, cheaper in itertools.pairwise(BUDGET_LADDER):
        settings = resolve(TrainConfig(budget=str(dearer.parameters - 1)))
        placed = choose_placement(settings, sites)
        chosen = [sites[n] for n in placed.sites]
        assert parameters_of_sets(chosen, settings.units, placed.switches) == cheaper.parameters


def test_the_hundredth_of_a_percent_is_met(sites):
    settings = resolve(TrainConfig(budget="0.01%"))
    placed = choose_placement(settings, sites)
    assert settings.budget_parameters == 2256
    assert placed.sites == ("1.up",)


def test_a_budget_limits_the_switches_of_a_placement_by_name(sites):
    settings = resolve(TrainConfig(budget="1600", place=("v",), layers=(0,), switches=5))
    assert choose_placement(settings, sites).switches == 2
    too_small = resolve(TrainConfig(budget="800", place=("up",), layers=(0,)))
    with pytest.raises(ConfigError, match="one set as placed here has 1921"):
        choose_placement(too_small, sites)


def test_a_budget_in_the_other_regimes_limits_the_adapters_dendrites():
    available = {"adapter": DendriteLinear(384, 384)}
    settings = resolve(TrainConfig(tune="full", budget="0.01%", switches=9, switch_epochs=None))
    assert choose_placement(settings, available).switches == 2


def test_sites_by_name_and_layer(sites):
    settings = resolve(TrainConfig(place=("down", "q"), layers=(3, 1)))
    assert choose_placement(settings, sites).sites == ("1.q", "1.down", "3.q", "3.down")


@pytest.mark.parametrize(
    ("text", "expected"), [("0.01%", 2256), ("1%", 225_653), ("5000", 5000), ("5,000", 5000)]
)
def test_budgets(text, expected):
    assert parse_budget(text, 22_565_376) == expected


@pytest.mark.parametrize("text", ["", "%", "x", "-5", "0", "nan%", "inf%", "0.0000001%"])
def test_bad_budgets(text):
    with pytest.raises(ConfigError, match="--budget"):
        parse_budget(text, 22_565_376)


def test_the_users_values_override_the_recipe():
    settings = resolve(TrainConfig(lr=5e-4, epochs=1))
    assert (settings.lr, settings.dendrite_lr, settings.epochs) == (5e-4, 5e-4, 1)
    assert settings.switch_epochs == (0,)
    stall = resolve(TrainConfig(tune="full", warmup_epochs=3))
    assert (stall.switch_epochs, stall.warmup_epochs) == (None, 3)
    assert resolve(TrainConfig(switch_epochs=(0, 1, 2))).switches == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"epochs": 0}, "--epochs 0: must be between"),
        ({"lr": float("nan")}, "--lr nan"),
        ({"batch_size": 1}, "--batch-size"),
        ({"layers": (6,)}, "--layers 6"),
        ({"layers": (1, 1)}, "each once"),
        ({"place": ()}, "--place"),
        ({"switch_epochs": (2, 1)}, "rising"),
        ({"switch_epochs": (9,)}, "--switch-epochs 9"),
        ({"switch_epochs": (1, 2)}, "--switch-epochs begins with 1"),
        ({"dendrites": False}, "nothing is trained"),
        ({"switches": 0}, "nothing is trained"),
        ({"recipe": "magic"}, "unknown for --tune dendrites"),
        ({"tune": "full", "dendrites": False, "control": True}, "leave out --no-dendrites"),
        ({"score_range": (5.0, 0.0)}, "LOW,HIGH"),
    ],
)
def test_contradictions_are_refused(config, words):
    with pytest.raises(ConfigError, match=words):
        resolve(TrainConfig(**config))


def test_an_unknown_name_brings_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean epochs"):
        config_from_mapping({"epoch": 3}, "nexus.toml")
    with pytest.raises(ConfigError, match=r'nexus.toml: epochs is "three": give a whole number'):
        config_from_mapping({"epochs": "three"}, "nexus.toml")
    assert config_from_mapping({"batch-size": 8}, "x").batch_size == 8


@pytest.mark.parametrize(
    ("pairs", "config", "expected"),
    [
        (5749, {}, (64, 3)),
        (1104, {}, (16, 6)),
        (1105, {}, (16, 3)),
        (3000, {}, (32, 3)),
        (100, {}, (16, 6)),
        (100, {"batch_size": 64}, (64, 6)),
        (100, {"epochs": 9}, (16, 9)),
        (100, {"tune": "full"}, (64, 8)),
        (100, {"tune": "adapter"}, (32, 12)),
    ],
)
def test_little_data_gets_smaller_batches_unless_the_user_says_otherwise(pairs, config, expected):
    fitted = fit_to_data(resolve(TrainConfig(**config)), pairs)
    assert (fitted.batch_size, fitted.epochs) == expected


@pytest.mark.parametrize(
    ("pairs", "config", "rate"),
    [
        (5749, {}, 1.7e-3),
        (1104, {}, 1.7e-3),
        (1104, {"epochs": 3}, 1.7e-3 * (400 / 207) ** 0.5),
        (300, {}, 1.7e-3 * (400 / 114) ** 0.5),
        (100, {}, 3 * 1.7e-3),
        (1, {}, 3 * 1.7e-3),
        (100, {"lr": 1e-3}, 1e-3),
        (100, {"dendrite_lr": 1e-3}, 1e-3),
        (100, {"dendrite_lr": 1.7e-3}, 1.7e-3),
        (1104, {"epochs": 6, "epochs_per_pass": 2}, 1.7e-3 * (400 / 207) ** 0.5),
        (100, {"recipe": "best"}, 4e-3),
        (100, {"budget": "0.01%"}, 4e-3),
        (100, {"tune": "full"}, 1e-3),
    ],
)
def test_little_data_gets_a_larger_rate_unless_the_user_says_otherwise(pairs, config, rate):
    fitted = fit_to_data(resolve(TrainConfig(**config)), pairs)
    assert fitted.dendrite_lr == pytest.approx(rate)


@pytest.mark.parametrize(
    ("pairs", "config", "units"),
    [
        (1104, {}, 4),
        (1105, {}, 2),
        (100, {"units": 1}, 1),
        (100, {"recipe": "test"}, 2),
    ],
)
def test_few_pairs_get_four_units_unless_the_user_says_otherwise(pairs, config, units):
    assert fit_to_data(resolve(TrainConfig(**config)), pairs).units == units


@pytest.mark.parametrize(
    ("questions", "config", "expected"),
    [
        (5000, {}, (256, 2, 8e-3)),
        (1000, {}, (128, 4, 8e-3 * 0.5**0.5)),
        (300, {}, (64, 4, 4e-3)),
        (100, {}, (32, 5, 8e-3 * 0.125**0.5)),
        (300, {"epochs": 3}, (64, 3, 4e-3)),
        (300, {"epochs_per_pass": 2}, (64, 14, 4e-3)),
        (300, {"passes_per_epoch": 1}, (64, 7, 4e-3)),
        (300, {"batch_size": 256, "lr": 1e-2}, (256, 8, 1e-2)),
    ],
)
def test_few_questions_get_smaller_batches_and_more_passes(questions, config, expected):
    fitted = fit_to_data(resolve(TrainConfig(task="retrieval", **config)), questions)
    assert (fitted.batch_size, fitted.epochs, fitted.lr) == pytest.approx(expected)


def test_parts_of_a_pass_take_the_place_of_passes_in_an_epoch():
    questions = {"task": "retrieval", "epochs_per_pass": 2}
    assert resolve(TrainConfig(task="retrieval")).passes_per_epoch == 2
    assert resolve(TrainConfig(**questions)).passes_per_epoch == 1
    with pytest.raises(ConfigError, match="needs questions with passages and --epochs-per-pass 1"):
        resolve(TrainConfig(passes_per_epoch=2, **questions))
