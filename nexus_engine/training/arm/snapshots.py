"""Snapshots: taking and restoring the trained weights of one moment."""

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
"""Copies of the trained parameters, by name, on the device where they were trained."""


class BestWeights(NamedTuple):
    """The best weights so far, their metrics, and their values on the dev examples, (n,)."""

    weights: Snapshot
    measured: Measured
    values: npt.NDArray[np.float64]


def take_snapshot(trained: Mapping[str, nn.Parameter]) -> Snapshot:
    """Copies of all trained parameters; their shapes also tell which units exist."""
    return {name: p.detach().clone() for name, p in trained.items()}


@torch.no_grad()
def put_back(
    snapshot: Snapshot, base: Mapping[str, nn.Parameter], sites: Mapping[str, DendriteLinear]
) -> None:
    """Restore `base` and the units on `sites`, both by name, from the snapshot.

    Afterwards the sites have the snapshot's units and no others.

    Raises:
        KeyError, RuntimeError, ValueError: the snapshot is of another model.
    """
    for name, parameter in base.items():
        parameter.copy_(snapshot[name])
    for prefix, site in sites.items():
        saved = {
            leaf: snapshot[f"{prefix}.{leaf}"]
            for leaf in UNIT_PARAMETERS
            if f"{prefix}.{leaf}" in snapshot
        }
        present = {leaf: getattr(site, leaf) for leaf in UNIT_PARAMETERS}
        if all(
            (leaf in saved) == (now is not None) and (now is None or now.shape == saved[leaf].shape)
            for leaf, now in present.items()
        ):
            # Same units: keep the parameter objects, which the optimizer refers to.
            for leaf, tensor in saved.items():
                present[leaf].copy_(tensor)
        else:
            if saved and not site.fits(saved):
                raise ValueError(f"the dendrites of {prefix} do not fit")
            site.load_units(saved)
