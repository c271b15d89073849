"""Snapshots: the trained weights at one moment, and the way back to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.model.dendrites import UNIT_PARAMETERS, DendriteLinear
from nexus_engine.scoring.evaluation import Measured

__all__ = ["BestWeights", "Snapshot", "put_back", "take_snapshot"]

Snapshot = dict[str, Tensor]
"""Trained parameters by name, copies on the CPU or device where they were trained."""


class BestWeights(NamedTuple):
    """Weights worth going back to, what they measured, and their dev similarities (n,)."""

    weights: Snapshot
    measured: Measured
    cosines: npt.NDArray[np.float64]


def take_snapshot(trained: Mapping[str, nn.Parameter]) -> Snapshot:
    """Copies of all trained parameters; which units exist follows from their shapes."""
    return {name: p.detach().clone() for name, p in trained.items()}


@torch.no_grad()
def put_back(
    snapshot: Snapshot, base: Mapping[str, nn.Parameter], sites: Mapping[str, DendriteLinear]
) -> None:
    """Make `base` and the units on `sites`, both by name, what they are in the snapshot.

    The sites then have its units and no others.

    Raises:
        KeyError, RuntimeError, ValueError: the snapshot is of another model.
    """
    for name, parameter in base.items():
        parameter.copy_(snapshot[name])
    for prefix, site in sites.items():
        held = {
            leaf: snapshot[f"{prefix}.{leaf}"]
            for leaf in UNIT_PARAMETERS
            if f"{prefix}.{leaf}" in snapshot
        }
        present = {leaf: getattr(site, leaf) for leaf in UNIT_PARAMETERS}
        if all(
            (leaf in held) == (now is not None) and (now is None or now.shape == held[leaf].shape)
            for leaf, now in present.items()
        ):
            # Same units: keep the parameter objects, which the optimizer holds.
            for leaf, tensor in held.items():
                present[leaf].copy_(tensor)
        else:
            if held and not site.fits(held):
                raise ValueError(f"the dendrites of {prefix} do not fit")
            site.load_units(held)
