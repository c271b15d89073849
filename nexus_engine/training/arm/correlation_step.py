"""A step of the rule `correlation` on an arm: only the input weights of its newest units learn."""

from __future__ import annotations

import torch

from nexus_engine.model.tokens import Rows
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.hardware import autocast
from nexus_engine.training.steps.correlation_rule import (
    ActivationHooks,
    hold_length,
    set_gradients,
)

__all__ = ["correlation_step"]


def correlation_step(arm: Arm, batch: Rows) -> float:
    """One step of the rule on a `batch` of example indices, (b,); the last starts a new phase.

    The model runs in inference mode, so that the neurons' errors are free of dropout noise.
    Returns the mean of S over the sites (see `correlation_rule`) before the step.
    """
    assert arm.optimizer is not None
    arm.model.eval()
    settings = arm.spec.settings
    sites, units, device = arm.sites(), settings.units, arm.model.device
    targets = tuple(torch.from_numpy(values).to(device) for values in arm.objective.targets(batch))
    with ActivationHooks(sites) as hooks, autocast(arm.hardware):
        # plain: the hooks need the sites' own modules
        vectors = arm.embed(arm.objective.rows(batch), plain=True)
    loss = arm.objective.loss(vectors, targets)
    covariance = set_gradients(sites, arm.covariances, hooks, loss, units)
    arm.optimizer.step()
    for site in sites.values():
        hold_length(site, units)
    arm.progress.pairs += len(batch)
    arm.progress.rule_steps_left -= 1
    if not arm.progress.rule_steps_left:
        arm.covariances = {}
        arm.start_phase()
    return covariance
