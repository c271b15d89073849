"""A step of the rule `correlation` on an arm: its newest units' input weights alone learn."""

from __future__ import annotations

import numpy as np
import torch

from nexus_engine.model.sentence_model import cosine
from nexus_engine.model.tokens import Rows
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.hardware import autocast
from nexus_engine.training.steps.correlation_rule import ActivationHooks, climb, hold_length
from nexus_engine.training.steps.losses import LOSSES

__all__ = ["correlation_step"]


def correlation_step(arm: Arm, picked: Rows) -> float:
    """One step of the rule on the train pairs `picked`, (b,); with the last a new phase begins.

    The model computes as in inference: what its neurons get wrong, without dropout's noise.
    Returns the mean of S over sites (see `correlation_rule`), before the step.
    """
    assert arm.optimizer is not None
    arm.model.eval()
    settings = arm.spec.settings
    pairs, b, units = arm.corpus.train, len(picked), settings.units
    sites = arm.sites()
    scores = torch.from_numpy(pairs.scores[picked]).to(arm.model.device)
    with ActivationHooks(sites) as taps, autocast(arm.hardware):
        # The taps hang on the sites' own modules.
        rows = np.concatenate([pairs.first[picked], pairs.second[picked]])
        vectors = arm.embed(rows, plain=True)
    loss = LOSSES[settings.loss](cosine(vectors[:b].float(), vectors[b:].float()), scores)
    summed = climb(sites, arm.covariances, taps, loss, units)
    arm.optimizer.step()
    for site in sites.values():
        hold_length(site, units)
    arm.progress.pairs += b
    arm.progress.rule_steps_left -= 1
    if not arm.progress.rule_steps_left:
        arm.covariances = {}
        arm.start_phase()
    return summed
