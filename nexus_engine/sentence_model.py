"""A sentence model: the encoder, an optional linear adapter, and dendrites on either."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.dendrites import DendriteLinear
from nexus_engine.encoder import Encoder
from nexus_engine.tokens import TokenStore

__all__ = ["SentenceModel", "cosine", "identity_adapter"]


def identity_adapter(width: int) -> DendriteLinear:
    """A linear layer (width, width) that changes nothing yet."""
    adapter = DendriteLinear(width, width)
    with torch.no_grad():
        adapter.weight.copy_(torch.eye(width))
        adapter.bias.zero_()
    return adapter


class SentenceModel(nn.Module):
    """Packed sentences to embeddings; `sites` names every layer on which dendrites may grow."""

    def __init__(self, encoder: Encoder, adapter: DendriteLinear | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.adapter = adapter

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.words.weight.device

    def sites(self) -> dict[str, DendriteLinear]:
        """Linear layers by site name: `LAYER.NAME`, and `adapter` where there is one."""
        found = self.encoder.sites()
        if self.adapter is not None:
            found["adapter"] = self.adapter
        return found

    def adapt(self, pooled: Tensor) -> Tensor:
        """Pooled embeddings (n, width) through the adapter, where there is one."""
        return pooled if self.adapter is None else self.adapter(pooled)

    def embed(self, store: TokenStore, rows: npt.NDArray[np.int64]) -> Tensor:
        """(m, width): embeddings of the store's sentences `rows`, not normalised."""
        return self.adapt(self.encoder(store.batch(rows).to(self.device)))


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarity row by row: (n, width) twice to (n,), -1..1."""
    return torch.cosine_similarity(first, second, dim=1)
