"""The switches of a run: every combination of options gives what the help promises."""

import itertools

import msgspec
import pytest

from nexus_engine.config import Settings, TrainConfig, resolve
from nexus_engine.errors import ConfigError
from nexus_engine.growth import GrowthState, decide
from nexus_engine.recipes import RECIPES
from nexus_engine.training.arm.spec import plan_main

TYPED = list(
    itertools.product(
        sorted(RECIPES),
        (None, 1, 2, 3, 4, 5, 6),
        (None, 0, 1, 2, 3),
        (None, 0, 1, 3),
        (None, (0,), (0, 2), (1,), ()),
        (True, False),
    )
)
"""Regime and recipe, epochs, switches, warm-up, switch epochs, dendrites."""


def promised(combination):
    """The switch epochs that the help promises; "stall" if they follow stalls, or "refused"."""
    (tune, recipe), epochs, switches, warmup, named, dendrites = combination
    plan = RECIPES[tune, recipe]
    epochs = epochs or plan["epochs"]
    if not dendrites or switches == 0 or named == ():
        return "refused" if tune == "dendrites" else ()
    if named and (max(named) >= epochs or (tune == "dendrites" and min(named) > 0)):
        return "refused"
    if named:
        return named
    if warmup is not None or (switches or 0) > len(plan["switch_epochs"]):
        return "stall"
    return tuple(e for e in plan["switch_epochs"][:switches] if e < epochs)


def resolved(combination):
    (tune, recipe), epochs, switches, warmup, named, dendrites = combination
    return resolve(
        TrainConfig(
            tune=tune,
            recipe=recipe,
            epochs=epochs,
            switches=switches,
            warmup_epochs=warmup,
            switch_epochs=named,
            dendrites=dendrites,
        )
    )


def simulated(settings, scores):
    """The last epoch of a run with these dev scores, and the epochs of its switches."""
    plan = plan_main(settings, ("adapter",), settings.switches).plan
    state, grown = GrowthState(), []
    for epoch in itertools.count():
        state, decision = decide(plan, state, epoch=epoch, score=scores(epoch))
        if decision.grow:
            grown.append(epoch)
        if decision.finish:
            return epoch, grown
    raise AssertionError


def test_every_combination_gives_what_the_help_promises():
    wrong, seen = [], set()
    for combination in TYPED:
        expected = promised(combination)
        try:
            switch_epochs = resolved(combination).switch_epochs
        except ConfigError:
            switch_epochs = "refused"
        seen.add(expected if isinstance(expected, str) else "fixed")
        if ("stall" if switch_epochs is None else switch_epochs) != expected:
            wrong.append((combination, switch_epochs, expected))
    assert not wrong, f"{len(wrong)} of {len(TYPED)}, such as {wrong[:3]}"
    assert seen == {"refused", "stall", "fixed"}


@pytest.mark.parametrize(
    "scores",
    [lambda e: e / 100, lambda e: -e / 100, lambda e: 0.5],
    ids=["rising", "falling", "flat"],
)
def test_no_combination_ends_before_it_has_trained(scores):
    for combination in TYPED:
        expected = promised(combination)
        if expected == "refused":
            continue
        settings = resolved(combination)
        trained, grown = simulated(settings, scores)
        assert trained >= 1, combination
        if expected == "stall":
            first = 0 if settings.tune == "dendrites" else settings.warmup_epochs
            assert all(e >= settings.warmup_epochs or e == first for e in grown), combination
            continue
        assert set(grown) <= set(expected), combination
        if settings.tune != "dendrites" or scores(1) > scores(0):
            limited = expected[: settings.switches]  # `--switches` also limits `--switch-epochs`
            assert (trained, tuple(grown)) == (settings.epochs, limited), combination


def test_a_warm_up_holds_for_the_second_set_where_the_first_must_grow_at_once():
    settings = resolve(TrainConfig(warmup_epochs=4, epochs=9))
    _, grown = simulated(settings, lambda epoch: 1.0 if epoch == 1 else epoch / 100)
    assert grown == [0, 4]


@pytest.mark.parametrize(
    ("config", "switches", "fixed"),
    [
        ({"epochs": 1}, 1, (0,)),
        ({"tune": "full", "epochs": 2}, 0, ()),
        ({"tune": "full", "epochs": 3}, 1, (2,)),
        ({"tune": "adapter", "dendrites": False}, 0, ()),
        ({"tune": "adapter", "switches": 1}, 1, (4,)),
        ({"tune": "adapter", "switch_epochs": ()}, 0, ()),
        ({"tune": "adapter", "switch_epochs": (0, 2), "switches": 5}, 2, (0, 2)),
        ({"switches": 3}, 3, None),
    ],
)
def test_a_run_says_how_many_switches_it_makes(config, switches, fixed):
    settings = resolve(TrainConfig(**config))
    assert (settings.planned_switches, settings.switch_epochs) == (switches, fixed)


def test_a_run_of_an_earlier_version_is_resumed_with_the_policy_that_it_began_with():
    """Its record lacks the field. The warm-up was 0 then if nothing but dendrites is trained."""
    recorded = msgspec.to_builtins(resolve(TrainConfig(warmup_epochs=4, epochs=9)))
    del recorded["warmup_after_first_set"]
    settings = msgspec.convert(recorded, Settings)
    _, grown = simulated(settings, lambda epoch: 1.0 if epoch == 1 else epoch / 100)
    assert grown == [0, 2]


def test_a_roll_back_that_comes_before_training_leaves_the_first_set_to_grow():
    plan = plan_main(resolve(TrainConfig()), ("1.v",), 2).plan
    _, decision = decide(plan, GrowthState(), epoch=0, score=0.5, request="roll_back")
    assert (decision.grow, decision.finish) == (True, False)
