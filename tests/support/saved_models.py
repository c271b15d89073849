"""Models in folders, as a run leaves them, without a training."""

from __future__ import annotations

import torch

from nexus_engine.model.regimes import build_model
from nexus_engine.runs.saved_model import save_model


def save_grown_model(folder, epoch, strength, base):
    """Save a model whose dendrites change embeddings in proportion to `strength`."""
    model = build_model(base, "dendrites")
    generator = torch.Generator().manual_seed(1)
    for site in list(model.sites().values())[:6]:
        site.grow(1, generator)
        site.gain.data.normal_(0, strength, generator=generator)
    snapshot = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in ("incoming", "threshold", "gain", "cascade")
    }
    named = None if base.published else str(base.folder)
    facts = {
        "tune": "dendrites", "nonlinearity": "gelu", "base_sha256": base.sha256,
        "base_folder": named, "epoch": epoch, "dev_spearman": 0.5, "params_added": 9,
        "data_name": "demo", "data_fingerprint": "f" * 64,
    }  # fmt: skip
    save_model(folder, snapshot, facts)
    return folder
