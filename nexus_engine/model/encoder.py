"""The sentence encoder: a BERT of any size, on packed tokens.

The sentences of a batch follow each other without padding. Linear layers, normalisation and
activations work on `(tokens, width)` rows; only attention uses a `(sentences, longest)` layout. The
linear layers (query, key, value, output, up and down in each layer) are `DendriteLinear`s, so
dendrites can grow on any of them.

Architecture: Devlin et al., arXiv 1810.04805.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.dropout import dropout
from nexus_engine.model.shape import EncoderShape

__all__ = ["Encoder", "EncoderShape", "PackedBatch", "pack", "pad"]

SITE_NAMES = ("q", "k", "v", "o", "up", "down")
"""The linear layers of an encoder layer, by the names that `--place` takes."""


class PackedBatch(NamedTuple):
    """`n` sentences with `t` tokens in total; the longest sentence has `l` tokens.

    `ids` and `positions` are (t,). `slots` (t,) is the place of each token in the (n, l) layout.
    `lengths` (n,) counts the tokens of each sentence. `mask` (n, 1, 1, l) is 0 for tokens and -inf
    for empty places. If `padded`, the rows are the (n, l) layout itself with its empty places, and
    t = n · l.
    """

    ids: Tensor
    positions: Tensor
    slots: Tensor
    lengths: Tensor
    mask: Tensor
    sentences: int
    longest: int
    padded: bool = False

    @property
    def firsts(self) -> Tensor:
        """The row of each sentence's first token, (n,); not of a padded batch."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    @property
    def dense(self) -> bool:
        """Whether the rows fill the (n, l) layout, so that attention need not rearrange them."""
        return self.ids.shape[0] == self.sentences * self.longest

    def to(self, device: torch.device) -> PackedBatch:
        """The same batch on `device`."""
        if device.type == "cpu":
            return self
        return PackedBatch(
            ids=self.ids.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            slots=self.slots.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
            mask=self.mask.to(device, non_blocking=True),
            sentences=self.sentences,
            longest=self.longest,
            padded=self.padded,
        )


def pack(ids: Tensor, lengths: Tensor) -> PackedBatch:
    """Pack sentences: `ids` (t,) int64, one sentence after another; `lengths` (n,) int64."""
    n = int(lengths.shape[0])
    longest = int(lengths.max()) if n else 0
    places = torch.arange(longest)
    real = places[None, :] < lengths[:, None]
    slots = real.reshape(-1).nonzero().squeeze(1)
    positions = places.expand(n, longest)[real]
    mask = torch.zeros(n, 1, 1, longest).masked_fill_(~real[:, None, None, :], float("-inf"))
    return PackedBatch(ids, positions, slots, lengths, mask, n, longest)


def pad(ids: Tensor, lengths: Tensor, longest: int) -> PackedBatch:
    """Pad sentences to (n, `longest`); `ids` and `lengths` as for `pack`."""
    n = int(lengths.shape[0])
    places = torch.arange(longest)
    real = places[None, :] < lengths[:, None]
    padded = torch.zeros(n, longest, dtype=torch.int64)
    padded[real] = ids
    mask = torch.zeros(n, 1, 1, longest).masked_fill_(~real[:, None, None, :], float("-inf"))
    return PackedBatch(
        ids=padded.view(-1),
        positions=places.repeat(n),
        slots=torch.arange(n * longest),
        lengths=lengths,
        mask=mask,
        sentences=n,
        longest=longest,
        padded=True,
    )


class EncoderLayer(nn.Module):
    """One transformer layer; as in BERT, normalisation follows the residual sum."""

    def __init__(self, shape: EncoderShape, rate: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = rate
        self.q = DendriteLinear(shape.width, shape.width)
        self.k = DendriteLinear(shape.width, shape.width)
        self.v = DendriteLinear(shape.width, shape.width)
        self.o = DendriteLinear(shape.width, shape.width)
        self.up = DendriteLinear(shape.width, shape.inner)
        self.down = DendriteLinear(shape.inner, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)
        self.output_norm = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)

    def _heads(self, rows: Tensor, batch: PackedBatch) -> Tensor:
        """Rows (t, width) as (n, heads, l, width / heads), with zeros in empty places."""
        width = rows.shape[1]
        if not batch.dense:
            padded = rows.new_zeros(batch.sentences * batch.longest, width)
            rows = padded.index_copy(0, batch.slots, rows)
        shaped = rows.view(batch.sentences, batch.longest, self.heads, width // self.heads)
        return shaped.transpose(1, 2)

    def attend(self, rows: Tensor, batch: PackedBatch) -> Tensor:
        """Multi-head self-attention within each sentence: (t, width) to (t, width)."""
        query = self._heads(self.q(rows), batch)
        key = self._heads(self.k(rows), batch)
        value = self._heads(self.v(rows), batch)
        scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5)
        if batch.padded or not batch.dense:
            scores = scores + batch.mask.to(scores.dtype)
        weights = dropout(scores.softmax(-1), self.dropout, self.training)
        mixed = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(-1, rows.shape[1])
        return mixed if batch.dense else mixed.index_select(0, batch.slots)

    def forward(self, rows: Tensor, batch: PackedBatch) -> Tensor:
        """The layer's output: (t, width) to (t, width)."""
        mixed = self.o(self.attend(rows, batch))
        rows = self.attention_norm(rows + dropout(mixed, self.dropout, self.training))
        inner = self.down(F.gelu(self.up(rows)))
        normed: Tensor = self.output_norm(rows + dropout(inner, self.dropout, self.training))
        return normed


def _embedding_table(rows: int, width: int) -> nn.Embedding:
    """An embedding table without initial values: drawing 12 million of them takes 0.1 s."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))


class Encoder(nn.Module):
    """Token ids to one embedding per sentence, the mean of its tokens or its first; not normalised.

    `shape.pooling` decides which.
    """

    def __init__(self, shape: EncoderShape | None = None, rate: float = 0.1) -> None:
        super().__init__()
        shape = shape or EncoderShape()
        self.shape = shape
        self.dropout = rate
        self.words = _embedding_table(shape.vocabulary, shape.width)
        self.places = _embedding_table(shape.positions, shape.width)
        self.segments = _embedding_table(shape.segments, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)
        self.layers = nn.ModuleList(EncoderLayer(shape, rate) for _ in range(shape.layers))

    def set_dropout(self, rate: float) -> None:
        """Set the dropout rate, 0..1, of all layers."""
        self.dropout = rate
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            layer.dropout = rate

    def forward(self, batch: PackedBatch) -> Tensor:
        """Each sentence's vector, (n, width) float32: the mean of its tokens', or its first's."""
        rows: Tensor = self.words(batch.ids) + self.places(batch.positions)
        rows = rows + self.segments.weight[0]
        rows = dropout(self.norm(rows), self.dropout, self.training)
        for layer in self.layers:
            rows = layer(rows, batch)
        rows = rows.float()
        if self.shape.pooling == "cls":
            if batch.dense:
                return rows.view(batch.sentences, batch.longest, -1)[:, 0]
            return rows.index_select(0, batch.firsts)
        if batch.padded:
            padded = rows.view(batch.sentences, batch.longest, -1)
            real = (batch.mask.view(batch.sentences, batch.longest, 1) == 0).float()
            return (padded * real).sum(1) / batch.lengths[:, None]
        if batch.dense:
            return rows.view(batch.sentences, batch.longest, -1).mean(1)
        padded = rows.new_zeros(batch.sentences * batch.longest, rows.shape[1])
        padded = padded.index_copy(0, batch.slots, rows)
        total = padded.view(batch.sentences, batch.longest, -1).sum(1)
        return total / batch.lengths[:, None]

    def sites(self) -> dict[str, DendriteLinear]:
        """The linear layers on which dendrites can grow, by `LAYER.NAME`, in forward order."""
        sites: dict[str, DendriteLinear] = {}
        for index, layer in enumerate(self.layers):
            for name in SITE_NAMES:
                site = getattr(layer, name)
                assert isinstance(site, DendriteLinear)
                sites[f"{index}.{name}"] = site
        return sites
