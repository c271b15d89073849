"""The recipe of each regime: the settings that measured best over seeds (docs/recipes.md)."""

from __future__ import annotations

from typing import Any

__all__ = ["RECIPES"]

_COMMON: dict[str, Any] = {
    "batch_size": 32,
    "weight_decay": 0.01,
    "incoming_rate": 1.0,
    "layer_decay": 1.0,
    "schedule": "linear",
    "order": "random",
    "loss": "cosine-mse",
    "dropout": 0.1,
    "average": 0.0,
    "warmup_epochs": 0,
    "switches": 2,
    "switch_epochs": None,
    "patience": 1,
    "min_gain": 0.0,
    "place": ("q", "v", "o", "up", "down"),
    "layers": (0, 1, 2, 3, 4, 5),
    "units": 1,
    "unit_start": 1.0,
    "nonlinearity": "gelu",
    "threads": None,
    "base": None,
    "score_range": None,
}

RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("dendrites", "default"): {
        **_COMMON,
        "epochs": 5,
        "batch_size": 64,
        "lr": 1.7e-3,
        "dendrite_lr": 1.7e-3,
        "loss": "cosine-mse-pearson",
        "schedule": "phase",
        "switch_epochs": (0, 2),
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
    ("full", "test"): {
        **_COMMON,
        "epochs": 8,
        "lr": 1e-4,
        "dendrite_lr": 1e-3,
        "loss": "cosent",
        "switch_epochs": (4, 6),
    },
}
