"""The correlation rule against sums by hand, the weights it must not change, and whole runs."""

import pytest
import torch
from test_training import (
    StopAfter,
    finish,
    kinds,
    run,
    settings_for,
    weights_of,
    write_both,
)

from nexus_engine.events import DendritesAdded, Log, RunFinished, RunStopped
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.runs.saved_model import load_model
from nexus_engine.training.steps.correlation_rule import (
    ActivationHooks,
    Covariances,
    covariance,
    hold_length,
    residual,
    set_gradients,
)

OUTPUTS = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
ERROR = torch.tensor([[2.0, 0.0], [1.0, 0.0], [-1.0, 4.0], [-2.0, 0.0]])


def test_covariance_by_hand():
    # d centred: -1.5, -0.5, 0.5, 1.5; first error has mean 0, second 1.
    # first: (-3 - 0.5 - 0.5 - 3) / 4; second: (1.5 + 0.5 + 1.5 - 1.5) / 4
    assert torch.allclose(covariance(OUTPUTS, ERROR), torch.tensor([[-1.75, 0.5]]))


def test_the_objective_is_the_sum_of_absolute_covariances_of_scaled_errors():
    running = Covariances(torch.zeros(1, 2))
    objective = running.objective(OUTPUTS, ERROR)
    # Centred errors: 2, 1, -1, -2 and -1, -1, 3, -1; their mean square is (10 + 12) / 8.
    assert objective.item() == pytest.approx((1.75 + 0.5) / (22 / 8) ** 0.5)
    assert running.mean.sign().tolist() == [[-1.0, 1.0]]


def test_the_sign_is_the_running_one():
    running = Covariances(torch.tensor([[9.0, 9.0]]))
    objective = running.objective(OUTPUTS, ERROR)
    assert objective.item() == pytest.approx((-1.75 + 0.5) / (22 / 8) ** 0.5)


def test_the_gradient_is_fahlman_and_lebieres():
    torch.manual_seed(0)
    site = DendriteLinear(3, 2, "tanh")
    with torch.no_grad():
        site.weight.normal_()
        site.bias.zero_()
    site.grow(1, torch.Generator().manual_seed(1))
    rows = torch.randn(6, 3)
    with ActivationHooks({"s": site}) as hooks:
        y = site(rows)
    loss = y.square().sum() + y[:, 0].sum()
    set_gradients({"s": site}, {"s": Covariances(torch.zeros(1, 2))}, hooks, loss, 1)
    with torch.no_grad():
        error = 2 * (rows @ site.weight.T)
        error[:, 0] += 1
        error = error - error.mean(0)
        scale = error.square().mean().sqrt()
        d = torch.tanh(rows @ site.incoming[0] + site.threshold[0])
        expected = torch.zeros(3)
        for o in range(2):
            sign = ((d - d.mean()) @ error[:, o]).sign()
            for p in range(6):
                expected += sign * error[p, o] * (1 - d[p] ** 2) * rows[p]
        expected = -expected / 6 / scale
    assert torch.allclose(site.incoming.grad[0], expected, atol=1e-6)
    assert site.gain.grad is None


def test_a_later_unit_of_a_set_gets_what_the_earlier_leave():
    rest = residual(ERROR, OUTPUTS[:, 0])
    assert torch.allclose(covariance(OUTPUTS, rest), torch.zeros(1, 2), atol=1e-6)
    twice = torch.cat([OUTPUTS, OUTPUTS], 1)
    alone = Covariances(torch.zeros(1, 2)).objective(OUTPUTS, ERROR)
    assert torch.allclose(Covariances(torch.zeros(2, 2)).objective(twice, ERROR), alone, atol=1e-6)


@pytest.mark.parametrize("nonlinearity", ["gelu", "sigmoid"])
def test_older_units_stay_and_new_ones_keep_their_length(nonlinearity):
    torch.manual_seed(0)
    site = DendriteLinear(5, 3, nonlinearity)
    with torch.no_grad():
        site.weight.normal_()
        site.bias.zero_()
    for seed in (1, 2):
        site.grow(2, torch.Generator().manual_seed(seed))
    before = [site.incoming[:2].clone(), site.threshold[:2].clone(), site.cascade[:1].clone()]
    rows = torch.randn(20, 5)
    optimizer = torch.optim.AdamW(
        [site.incoming, site.threshold, site.cascade], lr=0.1, weight_decay=0.0
    )
    running = {"s": Covariances(torch.zeros(2, 3))}
    objectives = []
    for _ in range(30):
        with ActivationHooks({"s": site}) as hooks:
            y = site(rows)
        objectives.append(set_gradients({"s": site}, running, hooks, y.pow(3).sum(), 2))
        optimizer.step()
        hold_length(site, 2)
    assert objectives[-1] > 1.2 * objectives[0]
    after = [site.incoming[:2], site.threshold[:2], site.cascade[:1]]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert site.cascade[1:].abs().min() > 0
    lengths = [
        torch.cat([site.incoming[k], site.cascade[k * (k - 1) // 2 : k * (k + 1) // 2]]).norm()
        for k in (2, 3)
    ]
    have_length_1 = all(length.item() == pytest.approx(1, abs=1e-5) for length in lengths)
    assert have_length_1 == (nonlinearity == "gelu")


# Whole runs


def correlating(data, **changes):
    return settings_for(data, rule="correlation", rule_steps=4, **changes)


def test_input_weights_stand_still_once_the_gains_learn(home, small_data):
    events = run(correlating(small_data, epochs=2, switch_epochs=(0,)), home / "run")
    assert isinstance(events[-1], RunFinished), events[-1]
    assert events[-1].switches == 1
    texts = [e.message for e in kinds(events, Log)]
    assert any("4 correlation steps" in text for text in texts)
    shorter = run(correlating(small_data, epochs=1, switch_epochs=(0,)), home / "other")
    assert isinstance(shorter[-1], RunFinished)
    long, short = (load_model(str(home / name)).model.sites()["1.v"] for name in ("run", "other"))
    assert torch.equal(long.incoming, short.incoming)
    assert torch.equal(long.threshold, short.threshold)
    assert not torch.equal(long.gain, short.gain)
    assert long.incoming[0].norm().item() == pytest.approx(1.0, abs=1e-5)


# The loop makes 4 checks until the base model is measured; then, in each epoch after a switch, one
# for each of 4 correlation steps and 3 steps, one for dev and one for guard. Check 6 comes in the
# correlation steps, 9 at their end, 10 in the steps, 21 in the correlation steps after the second
# switch.
@pytest.mark.parametrize("checks", [6, 9, 10, 21])
def test_a_stopped_run_resumes_to_the_same_weights(home, small_data, checks, uninterrupted):
    events = run(correlating(small_data), home / "run", StopAfter(checks))
    assert isinstance(events[-1], RunStopped), events[-1]
    result = run(correlating(small_data), home / "run", resume=True)[-1]
    assert isinstance(result, RunFinished), result
    assert (result.best_dev_spearman, weights_of(home / "run")) == uninterrupted


@pytest.fixture
def small_data(tmp_path):
    return write_both(tmp_path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    finished = finish(folder, rule="correlation", rule_steps=4)
    assert len(kinds(finished.events, DendritesAdded)) == 2
    return finished.result.best_dev_spearman, weights_of(finished.path)
