"""The controls of a run: the same training without the dendrites whose gain is in question.

A control repeats the data order, seed, schedule and restarts of the run. In the `adapter` and
`full` regimes it restarts where the run switched, and grows nothing. In the `dendrites` regime
nothing else is trained, so there are two controls, and the gain is taken over the better one:

- a linear adapter, identity at the start, on the frozen encoder; it trains about twice the
  parameters;
- the first set alone, restarted where the run grew the others.
"""

from __future__ import annotations

import msgspec

from nexus_engine.growth import GrowthPlan
from nexus_engine.recipes import RECIPES, RETRIEVAL
from nexus_engine.training.arm.spec import ArmSpec

__all__ = ["control_specs"]


def control_specs(
    main: ArmSpec, switch_epochs: tuple[int, ...], last_epoch: int
) -> tuple[ArmSpec, ...]:
    """The controls of `main`, which switched after `switch_epochs` and ended at `last_epoch`."""
    plan = GrowthPlan(epochs=last_epoch, switches=len(switch_epochs), switch_epochs=switch_epochs)
    without = msgspec.structs.replace(
        main,
        name="control:no-dendrites",
        description="same order, seed, schedule and restarts, no dendrites",
        plan=plan,
        grow_sets=0,
    )
    if main.settings.tune != "dendrites":
        return (without,)
    recipe = RECIPES["adapter", "default"]
    if main.settings.task == "retrieval":
        recipe = {**recipe, **RETRIEVAL["adapter", "default"]}
    adapter_settings = {
        "tune": "adapter",
        "lr": recipe["lr"],
        "dendrite_lr": recipe["dendrite_lr"],
        "loss": recipe["loss"],
        "sharpness": recipe["sharpness"],
    }
    controls = [
        msgspec.structs.replace(
            without,
            description="a linear adapter on the frozen encoder, no dendrites",
            settings=msgspec.structs.replace(main.settings, **adapter_settings),
            sites=(),
        )
    ]
    if len(switch_epochs) > 1:
        first_set = msgspec.structs.replace(
            main,
            name="control:first-set",
            description="the first set alone, restarted where the run grew further ones",
            plan=plan,
            grow_sets=1,
        )
        controls.append(first_set)
    return tuple(controls)
