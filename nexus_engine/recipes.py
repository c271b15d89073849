"""The recipes of each regime, by task: settings that measured best.

The figures are in docs/recipes.md and docs/retrieval.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = [
    "BUDGET_LADDER",
    "MEASURED",
    "RECIPES",
    "RETRIEVAL",
    "RETRIEVAL_LADDER",
    "BaseSizes",
    "Rung",
    "placed_parameters",
    "scaled",
]


class BaseSizes(NamedTuple):
    """Sizes of the base model that settings depend on; the defaults are all-MiniLM-L6-v2's.

    `parameters` are its weights, of which a budget in percent is a share. `max_tokens` is how much
    of a text it reads, and `positions` how much it can read.
    """

    parameters: int = 22_565_376
    layers: int = 6
    width: int = 384
    inner: int = 1536
    positions: int = 512
    max_tokens: int = 256


MEASURED = BaseSizes()
"""The base model that the recipes were measured on."""

_COMMON: dict[str, Any] = {
    "batch_size": 32,
    "fit": (),
    "weight_decay": 0.01,
    "layer_decay": 1.0,
    "schedule": "linear",
    "order": "random",
    "loss": "cosine-mse",
    "dropout": 0.1,
    "sharpness": 0.0,
    "epochs_per_pass": 1,
    "warmup_epochs": 0,
    "switches": 2,
    "switch_epochs": None,
    "patience": 1,
    "min_gain": 0.0,
    "place": ("q", "v", "o", "up", "down"),
    "layers": (0, 1, 2, 3, 4, 5),
    "units": 1,
    "nonlinearity": "gelu",
    "dendrite": "unit",
    "rule_steps": 100,
    "threads": None,
    "base": None,
    "score_range": None,
    "columns": None,
    "corpus": None,
    "train_share": 1.0,
    "eval_corpus": None,
    "max_length": 256,
    "hard_negatives": 0,
    "weak_epochs": 0,
    "passes_per_epoch": 1,
    "negative_margin": None,
    "dims": None,
}

_SHARP: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 64,
    "fit": ("batch_size",),
    "lr": 4e-3,
    "dendrite_lr": 4e-3,
    "switches": 1,
    "switch_epochs": (0,),
    "place": ("v", "up"),
    "nonlinearity": "linear",
}
"""One set of linear units, trained with sharpness-aware steps. The radius that measured best grows
with the square root of the number of parameters; it is 6 for 64,632."""

RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("dendrites", "default"): {
        **_COMMON,
        "epochs": 3,
        "batch_size": 64,
        "fit": ("batch_size", "epochs", "units", "lr"),
        "lr": 1.7e-3,
        "dendrite_lr": 1.7e-3,
        "loss": "cosine-mse-pearson",
        "schedule": "phase",
        "switch_epochs": (0, 1),
        "place": ("v", "up"),
        "units": 2,
    },
    ("dendrites", "fast"): {
        **_COMMON,
        "epochs": 3,
        "epochs_per_pass": 3,
        "batch_size": 64,
        "fit": ("batch_size",),
        "lr": 2.5e-3,
        "dendrite_lr": 2.5e-3,
        "loss": "cosine-mse-pearson",
        "switches": 1,
        "switch_epochs": (0,),
        "place": ("v", "up"),
        "units": 4,
    },
    ("dendrites", "best"): {
        **_COMMON,
        **_SHARP,
        "loss": "cosine-mse-pearson",
        "units": 4,
        "sharpness": 6.0,
    },
    ("dendrites", "test"): {
        **_COMMON,
        "epochs": 8,
        "lr": 2e-3,
        "dendrite_lr": 2e-3,
        "loss": "cosent",
        "switch_epochs": (0, 4),
        "place": ("v", "up"),
        "units": 2,
    },
    ("adapter", "default"): {
        **_COMMON,
        "epochs": 12,
        "lr": 1e-4,
        "dendrite_lr": 1e-4,
        "switch_epochs": (4, 8),
        "dropout": 0.0,
    },
    ("full", "default"): {
        **_COMMON,
        "epochs": 8,
        "batch_size": 64,
        "lr": 5e-5,
        "dendrite_lr": 1e-3,
        "layer_decay": 0.8,
        "switch_epochs": (2, 4),
    },
}


class Rung(NamedTuple):
    """A measured placement: the number of its parameters, and its settings."""

    parameters: int
    recipe: dict[str, Any]


def _one_set(
    parameters: int, place: tuple[str, ...], layers: tuple[int, ...], lr: float, **overrides: Any
) -> Rung:
    return Rung(
        parameters,
        {
            "place": place,
            "layers": layers,
            "units": 1,
            "switches": 1,
            "switch_epochs": (0,),
            "lr": lr,
            "dendrite_lr": lr,
            "epochs": 4,
            "fit": ("batch_size",),
            **overrides,
        },
    )


BUDGET_LADDER: tuple[Rung, ...] = (
    Rung(64_632, {**_SHARP, "units": 4, "sharpness": 6.0}),
    Rung(32_292, {**_SHARP, "units": 2, "sharpness": 4.2}),
    Rung(16_140, {**_SHARP, "units": 1, "sharpness": 3.0}),
    _one_set(7_684, ("up",), (0, 1, 2, 3), 3e-3, nonlinearity="linear", sharpness=2.1),
    _one_set(3_842, ("up",), (1, 2), 4e-3),
    _one_set(1_921, ("up",), (1,), 4e-3),
    _one_set(1_538, ("v",), (0, 3), 5e-3),
    _one_set(769, ("v",), (0,), 1.6e-2),
)
"""The placements that `--budget` chooses from: the best one measured at each size, largest first
(docs/recipes.md). No other placement of its size gains as much as the up-projection of layer 1."""

_RANKING: dict[str, Any] = {
    "loss": "ranking",
    "batch_size": 256,
    "fit": (
        *("batch_size", "epochs", "epochs_per_pass", "passes_per_epoch", "units", "lr"),
        "hard_negatives",
    ),
    "schedule": "warmup",
    "epochs": 2,
    "epochs_per_pass": 1,
    "passes_per_epoch": 2,
    "order": "neighbours",
    "weak_epochs": 1,
    "max_length": 160,
}
_UNITS: dict[str, Any] = {
    **_RANKING,
    "lr": 8e-3,
    "dendrite_lr": 8e-3,
    "switches": 1,
    "switch_epochs": (0,),
    "place": ("v", "up"),
    "nonlinearity": "linear",
    "sharpness": 0.0,
    "units": 16,
}
_NEGATIVES: dict[str, Any] = {
    "order": "random",
    "hard_negatives": 2,
    # In one epoch, the negatives are those of the base model. Drawn anew after two passes, they
    # cost 0.003 of test nDCG@10 on MedQuAD (3 seeds; docs/retrieval.md).
    "epochs": 1,
    "passes_per_epoch": 4,
}
_FOUR_UNITS: dict[str, Any] = {"units": 4, "epochs": 3, "order": "random", "hard_negatives": 1}

RETRIEVAL: dict[tuple[str, str], dict[str, Any]] = {
    ("dendrites", "default"): _UNITS,
    ("dendrites", "fast"): {**_UNITS, "units": 4, "epochs": 1},
    ("dendrites", "best"): {**_UNITS, **_NEGATIVES},
    ("dendrites", "test"): {**_UNITS, **_FOUR_UNITS},
    ("adapter", "default"): {**_RANKING, "lr": 1e-3, "dendrite_lr": 1e-3, "epochs": 4},
    ("full", "default"): {**_RANKING, "lr": 2e-4, "layer_decay": 1.0},
}
"""What differs from `RECIPES` where the data are questions with passages: default and best measured
over three seeds, fast over two, test, full and adapter over one (docs/retrieval.md)."""

RETRIEVAL_LADDER: tuple[Rung, ...] = (
    Rung(259_680, {**_UNITS, **_NEGATIVES}),
    Rung(64_632, {**_UNITS, **_FOUR_UNITS}),
    Rung(
        9_605,
        {
            **_UNITS,
            **_FOUR_UNITS,
            "place": ("up",),
            "layers": (0, 1, 2, 3, 4),
            "units": 1,
            "lr": 2e-2,
            "dendrite_lr": 2e-2,
        },
    ),
)
"""As `BUDGET_LADDER`, for questions with passages: the largest and the smallest placement measured
over three seeds, the other over one (docs/retrieval.md)."""


def placed_parameters(recipe: Mapping[str, Any], base: BaseSizes) -> int:
    """The parameters of one set as `recipe` places it, for a recipe scaled to `base`."""
    narrow, wide = base.width + 1 + base.width, base.width + 1 + base.inner
    each = sum(wide if site in ("up", "down") else narrow for site in recipe["place"])
    units, layers = recipe["units"], len(recipe["layers"])
    cascade = units * (units - 1) // 2
    return int(layers * (units * each + cascade * len(recipe["place"])))


def scaled(recipe: dict[str, Any], tune: str, base: BaseSizes) -> dict[str, Any]:
    """`recipe` for another base model than the measured one; docs/bases.md has the reasons.

    - All layers stay all layers; named ones keep their relative depth.
    - Learning rates of dendrites and of the encoder shrink with the square root of layers and
      width.
    - The radius of sharpness-aware steps grows with the square root of the dendrites' number.
    - Texts are read as far as the base model reads them, and no further.
    """
    if base == MEASURED:
        return recipe
    chosen = recipe["layers"]
    layers = tuple(range(base.layers))
    if len(chosen) < MEASURED.layers:
        layers = tuple(dict.fromkeys(each * base.layers // MEASURED.layers for each in chosen))
    changes: dict[str, Any] = {"layers": layers}
    if tune != "adapter":
        depth, width = MEASURED.layers / base.layers, MEASURED.width / base.width
        for name in ("lr", "dendrite_lr"):
            changes[name] = float(f"{recipe[name] * (depth * width) ** 0.5:.3g}")
    if recipe["sharpness"]:
        before = placed_parameters(recipe, MEASURED)
        after = placed_parameters({**recipe, "layers": layers}, base)
        changes["sharpness"] = float(f"{recipe['sharpness'] * (after / before) ** 0.5:.3g}")
    if recipe["max_length"] == MEASURED.max_tokens:
        changes["max_length"] = base.max_tokens
    else:
        changes["max_length"] = min(recipe["max_length"], base.max_tokens)
    return {**recipe, **changes}
