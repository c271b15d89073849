"""The encoder on a CPU, forward and backward, in float32 or bfloat16."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.model.cpu.attention import attend
from nexus_engine.model.cpu.grown_linear import LinearBlock
from nexus_engine.model.cpu.layout import Layout
from nexus_engine.model.cpu.mask_pool import DropoutPool, Mask
from nexus_engine.model.cpu.norm import add_norm
from nexus_engine.model.encoder import Encoder, EncoderLayer

__all__ = ["FastEncoder"]


class _FastLayer:
    def __init__(self, layer: EncoderLayer, dtype: torch.dtype) -> None:
        self.layer = layer
        self.qkv = LinearBlock((layer.q, layer.k, layer.v), dtype)
        self.o = LinearBlock((layer.o,), dtype)
        self.up = LinearBlock((layer.up,), dtype)
        self.down = LinearBlock((layer.down,), dtype)

    def refresh(self) -> None:
        for block in (self.qkv, self.o, self.up, self.down):
            block.refresh()

    def __call__(self, rows: Tensor, layout: Layout, pool: DropoutPool | None) -> Tensor:
        layer = self.layer

        def mask() -> Mask | None:
            return None if pool is None else pool.mark(rows.numel())

        # Up to the first grown layer, nothing needs the gradient of an attention score.
        scores_matter = rows.requires_grad or any(
            p.requires_grad for site in (layer.q, layer.k) for p in site.parameters()
        )
        mixed = attend(self.qkv(rows), layout, layer.heads, pool, values_only=not scores_matter)
        rows = add_norm(rows, self.o(mixed), layer.attention_norm, mask())
        inner = self.down(self.up.gelu(rows))
        return add_norm(rows, inner, layer.output_norm, mask())


class FastEncoder:
    """Computes the same as `encoder`, from the encoder's present parameters at each call.

    `dtype` is the format of products and activations, float32 or bfloat16. Parameters, their
    gradients, the softmax of attention and the pooled embeddings are float32.
    """

    def __init__(self, encoder: Encoder, dtype: torch.dtype = torch.float32) -> None:
        self.encoder = encoder
        self.dtype = dtype
        layers = [layer for layer in encoder.layers if isinstance(layer, EncoderLayer)]
        self._layers = [_FastLayer(layer, dtype) for layer in layers]

    def __call__(self, layout: Layout, pool: DropoutPool | None = None) -> Tensor:
        """Each sentence's vector, (n, width) float32: the mean of its tokens', or its first's.

        Dropout is active if there is a `pool`. An autocast context has no effect.
        """
        with torch.autocast("cpu", enabled=False):
            return self._pooled(layout, pool)

    def _pooled(self, layout: Layout, pool: DropoutPool | None) -> Tensor:
        encoder = self.encoder
        rows = F.embedding(layout.ids, encoder.words.weight)
        rows = rows + F.embedding(layout.positions, encoder.places.weight)
        rows = encoder.norm(rows + encoder.segments.weight[0]).to(self.dtype)
        if pool is not None:
            rows = rows * pool.take(rows.numel()).view(rows.shape)
        for layer in self._layers:
            layer.refresh()
            rows = layer(rows, layout, pool)
        n = len(layout.lengths)
        if encoder.shape.pooling == "cls":
            return rows.index_select(0, layout.firsts()).float()
        total = rows.new_zeros(n + 1, rows.shape[1], dtype=torch.float32)
        total = total.index_add(0, layout.owners, rows.float())[:n]
        return total / layout.lengths[:, None]
