"""Models to export, grown by hand, and NEXUS's own embeddings to compare with."""

from __future__ import annotations

import numpy as np
import torch

from nexus_engine.exports.plain_model import plain_model
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.regimes import build_model
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.saved_model import LoadedModel

SENTENCES = [
    "The cat sleeps on the warm windowsill.",
    "a",
    "",
    "Prices rose by 3.5 % in 2024, although wages did not; économie générale, naïve Übung.",
    "東京の天気 is fine today.",
    "Which layers of a frozen encoder gain most from a few added units? " * 5,
    "A text that is longer than the model reads. " * 60,
]
"""Short, empty, accented, wide and long texts; the last one is truncated."""

MODELS = {
    "base": {},
    "linear": {"nonlinearity": "linear", "sites": ("0.v", "3.up", "5.down"), "sets": (4,)},
    "gelu": {"nonlinearity": "gelu", "sites": ("0.v", "1.q", "3.up", "5.o"), "sets": (4, 4)},
    "sigmoid": {"nonlinearity": "sigmoid", "sites": ("0.k", "5.up"), "sets": (1, 2)},
    "tanh": {"nonlinearity": "tanh", "sites": ("2.down",), "sets": (1,)},
    "relu": {"nonlinearity": "relu", "sites": ("4.v",), "sets": (3,)},
    "full dendrites": {"nonlinearity": "gelu", "sites": ("2.v",), "sets": (1, 1), "full": True},
    "adapter": {"tune": "adapter"},
    "adapter with linear units": {
        "tune": "adapter", "nonlinearity": "linear", "sites": ("adapter",), "sets": (3,),
    },
    "adapter with gelu units": {
        "tune": "adapter", "nonlinearity": "gelu", "sites": ("adapter",), "sets": (2, 2),
    },
}  # fmt: skip


def grown(name="base", max_tokens=256, base=None):
    """A LoadedModel of `MODELS` whose units and adapter change every embedding.

    `base` is a base model of six layers; None takes the published weights.
    """
    case = MODELS[name]
    base = base or find_base_model()
    model = build_model(base, case.get("tune", "dendrites"))
    generator = torch.Generator().manual_seed(7)
    if model.adapter is not None:
        with torch.no_grad():
            width = model.adapter.inputs
            model.adapter.weight += 0.02 * torch.randn(width, width, generator=generator)
            model.adapter.bias += 0.02 * torch.randn(width, generator=generator)
    for site, layer in model.sites().items():
        layer.nonlinearity = case.get("nonlinearity", "gelu")
        if site not in case.get("sites", ()):
            continue
        for units in case["sets"]:
            layer.grow(units, generator, full=case.get("full", False))
        with torch.no_grad():
            for part in ("threshold", "cascade", "gain"):
                values = getattr(layer, part)
                if values is not None:
                    values.normal_(0, 0.2 if part != "gain" else 0.1, generator=generator)
    tokenizer = Tokenizer(base.folder, max_tokens)
    return LoadedModel(name, model.eval(), tokenizer, base, None)


def plain(name="base", max_tokens=256, base=None):
    return plain_model(grown(name, max_tokens, base))


def tokens_of(loaded, sentences=None):
    """Token ids end to end and lengths of `sentences`."""
    store = TokenStore(loaded.tokenizer)
    return store.tokens(store.add([SENTENCES if sentences is None else sentences]))


@torch.no_grad()
def own_embeddings(loaded, sentences=None):
    """NEXUS's embeddings in float32, of unit length, (n, width)."""
    store = TokenStore(loaded.tokenizer)
    rows = store.add([SENTENCES if sentences is None else sentences])
    vectors = loaded.model.embed(store, rows, torch.float32)
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def largest_difference(first, second):
    return float(np.abs(np.asarray(first) - np.asarray(second)).max())
