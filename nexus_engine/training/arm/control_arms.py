"""The controls of a run: the same training without the dendrites whose gain is in question.

A control repeats data order, seed, schedule and restarts. In the `adapter` and `full` regimes it
restarts where the run switched and grows nothing. In the `dendrites` regime nothing would be left
to train, so there are two controls, each the strongest thing left, and a gain counts against the
better one: a linear adapter (identity at the start) on the frozen encoder, which trains about twice
the parameters; and the first set alone, restarted where the run grew the further ones.
"""

from __future__ import annotations

import msgspec

from nexus_engine.growth import GrowthPlan
from nexus_engine.recipes import RECIPES
from nexus_engine.training.arm.spec import ArmSpec

__all__ = ["control_specs"]


def control_specs(
    main: ArmSpec, switch_epochs: tuple[int, ...], last_epoch: int
) -> tuple[ArmSpec, ...]:
    """The controls of `main`, which switched after `switch_epochs` and ended with `last_epoch`."""
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
    adapter = RECIPES["adapter", "default"]
    changed = {
        "tune": "adapter",
        "lr": adapter["lr"],
        "dendrite_lr": adapter["dendrite_lr"],
        "loss": adapter["loss"],
        "sharpness": adapter["sharpness"],
    }
    controls = [
        msgspec.structs.replace(
            without,
            description="a linear adapter on the frozen encoder, no dendrites",
            settings=msgspec.structs.replace(main.settings, **changed),
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
