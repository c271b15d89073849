"""A step of the rule `correlation` on an arm: only the input weights of its newest units learn."""

from __future__ import annotations

import numpy as np
import torch

from nexus_engine.model.sentence_model import cosine
from nexus_engine.model.tokens import Rows
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.hardware import autocast
from nexus_engine.training.steps.correlation_rule import (
    ActivationHooks,
    hold_length,
    set_gradients,
)
from nexus_engine.training.steps.losses import LOSSES

__all__ = ["correlation_step"]


def correlation_step(arm: Arm, batch: Rows) -> float:
    """One step of the rule on a `batch` of train pair indices, (b,); the last starts a new phase.

    The model runs in inference mode, so that the neurons' errors are free of dropout noise.
    Returns the mean of S over the sites (see `correlation_rule`) before the step.
    """
    assert arm.optimizer is not None
    arm.model.eval()
    settings = arm.spec.settings
    pairs, b, units = arm.corpus.train, len(batch), settings.units
    sites = arm.sites()
    scores = torch.from_numpy(pairs.scores[batch]).to(arm.model.device)
    with ActivationHooks(sites) as hooks, autocast(arm.hardware):
        rows = np.concatenate([pairs.first[batch], pairs.second[batch]])
        vectors = arm.embed(rows, plain=True)  # plain: the hooks need the sites' own modules
    loss = LOSSES[settings.loss](cosine(vectors[:b].float(), vectors[b:].float()), scores)
    objective = set_gradients(sites, arm.covariances, hooks, loss, units)
    arm.optimizer.step()
    for site in sites.values():
        hold_length(site, units)
    arm.progress.pairs += b
    arm.progress.rule_steps_left -= 1
    if not arm.progress.rule_steps_left:
        arm.covariances = {}
        arm.start_phase()
    return objective
