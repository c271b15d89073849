"""The weight of rehearsal: rises by need, falls to zero without, and settles."""

from __future__ import annotations

import math

import pytest

from nexus_engine.training.steps.keep_general import (
    FALL,
    FIRST_WEIGHTS,
    HIGHEST,
    LIFT,
    LOWEST,
    RISE,
    TOLERANCE,
    initial_weight,
    next_weight,
)

BASE = 0.914
NAN = math.nan


@pytest.mark.parametrize(
    ("weight", "guard", "expected"),
    [
        (0.0, 0.900, LIFT),
        (LIFT / 10, 0.900, LIFT),
        (LIFT, 0.900, LIFT * RISE),
        (0.9 * HIGHEST, 0.5, HIGHEST),
        (HIGHEST, 0.5, HIGHEST),
        (0.0, 0.920, 0.0),
        (0.0, BASE, 0.0),
        (1.0, 0.930, FALL),
        (1.0, BASE - TOLERANCE + 1e-9, FALL),
        (1.0, BASE - TOLERANCE - 1e-9, RISE),
        (LOWEST / FALL, BASE, LOWEST),
        (0.99 * LOWEST / FALL, BASE, 0.0),
        (0.7, NAN, 0.7),
        (0.0, NAN, 0.0),
    ],
)
def test_the_weight_after_an_evaluation(weight, guard, expected):
    assert next_weight(weight, guard, BASE) == pytest.approx(expected, abs=0)


def test_without_a_base_the_weight_stays():
    assert next_weight(0.4, 0.9, NAN) == 0.4


def test_the_tolerance_is_the_caller_s():
    assert next_weight(1.0, 0.90, BASE, tolerance=0.02) < 1
    assert next_weight(1.0, 0.90, BASE, tolerance=0.0) > 1


def test_any_weight_falls_to_zero_exactly_and_soon():
    weight, evaluations = HIGHEST, 0
    while weight:
        weight = next_weight(weight, BASE, BASE)
        evaluations += 1
    assert evaluations <= 40


def test_the_guard_comes_back_and_stays_near_the_tolerance():
    # A model whose guard drifts down by 0.01 an evaluation, and is pulled to the base by rehearsal.
    weight, guard, lost = 0.0, BASE, []
    for _ in range(200):
        guard += -0.01 + 0.5 * weight / (weight + 1) * (BASE - guard)
        weight = next_weight(weight, guard, BASE)
        lost.append(BASE - guard)
    assert max(lost[:3]) > TOLERANCE
    without = 200 * 0.01
    assert max(lost[20:]) < without / 50
    assert 0 < weight <= HIGHEST


@pytest.mark.parametrize("task", ["pairs", "retrieval"])
@pytest.mark.parametrize(
    ("mode", "weight"), [("off", 0.0), ("auto", None), ("0.3", 0.3), ("2", 2.0)]
)
def test_the_weight_at_the_start(mode, weight, task):
    assert initial_weight(mode, task) == (FIRST_WEIGHTS[task] if weight is None else weight)
