"""The growth policy, as a table: when a set grows, whether it is kept, when a run ends."""

import msgspec
import pytest

from nexus_engine.growth import GrowthPlan, GrowthState, decide


def play(plan, scores, requests=None):
    """The decision after each epoch, as letters: i(mproved), k(eep), r(oll back), g(row), f(inish).

    Also returns the last state.
    """
    requests = requests or {}
    state, story = GrowthState(), []
    for epoch, score in enumerate(scores):
        state, decision = decide(plan, state, epoch=epoch, score=score, request=requests.get(epoch))
        letters = "i" if decision.improved else ""
        letters += {"keep": "k", "roll_back": "r", None: ""}[decision.settle]
        letters += "g" if decision.grow else ""
        letters += "f" if decision.finish else ""
        story.append(letters)
        if decision.finish:
            break
    return story, state


FIXED = GrowthPlan(epochs=4, switches=2, switch_epochs=(0, 2))
STALL = GrowthPlan(epochs=10, switches=2, warmup_epochs=2, patience=2)


@pytest.mark.parametrize(
    ("plan", "scores", "expected"),
    [
        # Fixed epochs: grow before training and after epoch 2, settle at the next switch and end.
        (FIXED, [0.5, 0.6, 0.7, 0.8, 0.75], ["ig", "i", "ikg", "i", "kf"]),
        # The second set does not help: rolled back at the end.
        (FIXED, [0.5, 0.6, 0.7, 0.65, 0.69], ["ig", "i", "ikg", "", "rf"]),
        # The first set does not help, the second does.
        (FIXED, [0.5, 0.4, 0.45, 0.6, 0.6], ["ig", "", "rg", "i", "kf"]),
        # Equal is not better.
        (FIXED, [0.5, 0.5, 0.5, 0.5, 0.5], ["ig", "", "rg", "", "rf"]),
        # Stall: no switch before the warm-up ends, then one after two epochs without a gain.
        (
            STALL,
            [0.1, 0.5, 0.4, 0.4, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7],
            ["i", "i", "", "g", "i", "", "kg", "i", "", "kf"],
        ),
        # With no switch left, a stall ends the run before its last epoch.
        (GrowthPlan(epochs=9, switches=0, patience=1), [0.1, 0.2, 0.2], ["i", "i", "f"]),
        # A stall does not end the run before an epoch was trained.
        (GrowthPlan(epochs=9, switches=0, patience=1), [0.5, 0.2], ["i", "f"]),
        (
            GrowthPlan(epochs=9, switches=0, warmup_epochs=1, patience=1),
            [0.1, 0.2, 0.2],
            ["i", "i", "f"],
        ),
        # The last epoch ends the run whatever else.
        (GrowthPlan(epochs=2, switches=5, switch_epochs=(0, 1)), [0, 1, 2], ["ig", "ikg", "ikf"]),
        # A gain below `min_gain` is not worth the parameters.
        (
            GrowthPlan(epochs=2, switches=1, switch_epochs=(0,), min_gain=0.1),
            [0.5, 0.55, 0.59],
            ["ig", "i", "irf"],
        ),
        # Nor is a difference that rounding alone may cause.
        (GrowthPlan(epochs=1, switches=1, switch_epochs=(0,)), [0.5, 0.5 + 2e-16], ["ig", "irf"]),
        # A NaN never improves anything.
        (FIXED, [0.5, float("nan"), 0.6, float("nan"), 0.7], ["ig", "", "ikg", "", "ikf"]),
    ],
)
def test_stories(plan, scores, expected):
    story, _ = play(plan, scores)
    assert story == expected


def test_counts_of_switches_and_kept():
    _, state = play(FIXED, [0.5, 0.6, 0.7, 0.65, 0.69])
    assert (state.switches, state.kept, state.best) == (2, 1, 0.7)


def test_growing_now_settles_the_trial_and_ignores_the_plan():
    plan = GrowthPlan(epochs=6, switches=1, switch_epochs=(0,))
    story, state = play(plan, [0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.9], {2: "grow"})
    assert story == ["ig", "i", "ikg", "i", "", "", "ikf"]
    assert (state.switches, state.kept) == (2, 2)


def test_rolling_back_now_takes_back_a_set_that_helped():
    plan = GrowthPlan(epochs=4, switches=1, switch_epochs=(0,))
    story, state = play(plan, [0.5, 0.6, 0.7, 0.4, 0.45], {2: "roll_back"})
    assert story == ["ig", "i", "ir", "", "f"]
    assert state.best == 0.5
    assert state.kept == 0


@pytest.mark.parametrize(
    ("switch_epochs", "scores", "expected"),
    [
        ((0, 3), [0.5, 0.6, 0.55], ["ig", "i", "rg"]),  # the second set comes earlier
        ((0,), [0.5, 0.6, 0.55], ["ig", "i", "rf"]),
        ((0, 1), [0.5, 0.6, 0.55], ["ig", "ikg", "r"]),  # the first set goes on
    ],
)
def test_nothing_but_dendrites_to_train_and_the_only_set_rolled_back(
    switch_epochs, scores, expected
):
    plan = GrowthPlan(
        epochs=6, switches=len(switch_epochs), switch_epochs=switch_epochs, trains_alone=False
    )
    assert play(plan, scores, {2: "roll_back"})[0] == expected
    trains_alone = msgspec.structs.replace(plan, trains_alone=True)
    assert play(trains_alone, scores, {2: "roll_back"})[0][:2] == expected[:2]
    assert play(trains_alone, scores, {2: "roll_back"})[0][2] == "r"


def test_a_plan_never_makes_more_switches_than_it_may():
    plan = GrowthPlan(epochs=30, switches=3, patience=1)
    _, state = play(plan, [0.5] * 31)
    assert state.switches == 3
