"""One sentence through the encoder on a CPU in float32, for questions that somebody waits for.

A batch is limited by arithmetic, one sentence by the 43 MB of weights that it reads and by the
number of operations. So weights are packed once in oneDNN's own order, rows are padded to few
counts instead of whole bins, nothing is recorded for a gradient, and linear units are part of the
weights.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.model.cpu.products import has_onednn, linear
from nexus_engine.model.dendrites import NONLINEARITIES, DendriteLinear
from nexus_engine.model.encoder import Encoder, EncoderLayer
from nexus_engine.model.folding import cascade_matrix, fold

__all__ = ["QuestionEncoder", "folded"]

ROW_COUNTS = (4, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""The number of rows is padded to one of these: oneDNN builds and keeps kernels for each count."""
TYPICAL_ROWS = 16
"""What weights are packed for. Products of 8 to 128 rows are as fast as with packs of their own."""


class QuestionEncoder:
    """Computes the same as `encoder`, one sentence at a time, from its parameters at construction.

    It holds a copy of the weights of all linear layers, 43 MB. It does not support full dendrites.
    """

    def __init__(self, encoder: Encoder) -> None:
        with torch.inference_mode():
            self._encoder = encoder
            self._places = encoder.places.weight + encoder.segments.weight[0]
            layers = [layer for layer in encoder.layers if isinstance(layer, EncoderLayer)]
            self._layers = [_Layer(layer) for layer in layers]

    @torch.inference_mode()
    def __call__(self, ids: Sequence[int]) -> Tensor:
        """The vector of one sentence, (1, width) float32, from its token ids."""
        count = len(ids)
        rows_count = ROW_COUNTS[bisect.bisect_left(ROW_COUNTS, count)]
        rows_count = min(rows_count, len(self._places))
        padded = torch.tensor([*ids, *[0] * (rows_count - count)])
        encoder = self._encoder
        rows = F.embedding(padded, encoder.words.weight) + self._places[:rows_count]
        rows = F.layer_norm(
            rows, rows.shape[1:], encoder.norm.weight, encoder.norm.bias, encoder.norm.eps
        )
        for layer in self._layers:
            rows = layer(rows, count)
        if encoder.shape.pooling == "cls":
            return rows[:1]
        return rows[:count].mean(0, keepdim=True)


class _Layer:
    def __init__(self, layer: EncoderLayer) -> None:
        self._heads = layer.heads
        self._qkv = _Product((layer.q, layer.k, layer.v))
        self._o = _Product((layer.o,))
        self._up = _Product((layer.up,))
        self._down = _Product((layer.down,))
        self._attention_norm, self._output_norm = layer.attention_norm, layer.output_norm

    def __call__(self, rows: Tensor, count: int) -> Tensor:
        """The layer's output, (t, width), for rows whose first `count` are tokens.

        Keys and values are those of the tokens alone, so the other rows influence nothing.
        """
        length, width = rows.shape
        parts = self._qkv(rows).view(1, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1, :, :, :count], parts[2, :, :, :count]
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(length, width)
        rows = _norm(self._o(mixed) + rows, self._attention_norm)
        return _norm(self._down(self._up(rows, gelu=True)) + rows, self._output_norm)


def _norm(rows: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    return F.layer_norm(rows, rows.shape[1:], norm.weight, norm.bias, norm.eps)


class _Product:
    """Sites with the same input as one product; units are folded in or are further columns."""

    def __init__(self, sites: tuple[DendriteLinear, ...]) -> None:
        self._units: list[_Units] = []
        weights, biases = zip(*map(folded, sites), strict=True)
        columns = [torch.cat(weights)]
        start, outputs = 0, sum(site.outputs for site in sites)
        for site in sites:
            if site.units and site.nonlinearity != "linear":
                assert site.gain is not None
                column = torch.zeros(outputs, site.units)
                column[start : start + site.outputs] = site.gain.t()
                columns.append(column)
                self._units.append(_Units(site))
            start += site.outputs
        weight = torch.cat(columns, 1).contiguous()
        self._weight = _packed(weight)
        self._bias = torch.cat(biases)

    def __call__(self, rows: Tensor, *, gelu: bool = False) -> Tensor:
        if self._units:
            rows = torch.cat([rows, *(units(rows) for units in self._units)], 1)
        return linear(rows, self._weight, self._bias, gelu=gelu)


class _Units:
    """The outputs of a site's units that are not linear, (t, in) to (t, K)."""

    def __init__(self, site: DendriteLinear) -> None:
        assert site.incoming is not None
        assert site.threshold is not None
        self._incoming, self._threshold = site.incoming.detach(), site.threshold.detach()[:, None]
        self._function: Callable[[Tensor], Tensor] = NONLINEARITIES[site.nonlinearity]
        self._cascade: list[Tensor] = []
        if site.cascade is not None:
            lengths = list(range(1, site.units))
            self._cascade = list(torch.split(site.cascade.detach(), lengths))

    def __call__(self, rows: Tensor) -> Tensor:
        drive = torch.addmm(self._threshold, self._incoming, rows.t())
        if not self._cascade:
            return self._function(drive).t()
        outputs = torch.empty_like(drive)
        outputs[0] = self._function(drive[0])
        for k, weights in enumerate(self._cascade, 1):
            outputs[k] = self._function(torch.addmv(drive[k], outputs[:k].t(), weights))
        return outputs.t()


def folded(site: DendriteLinear) -> tuple[Tensor, Tensor]:
    """The weight (out, in) and bias (out,) that equal `site` with its linear units, in float32.

    Units with another nonlinearity are left out.
    """
    weight, bias = site.weight.detach(), site.bias.detach()
    if not site.units or site.nonlinearity != "linear":
        return weight, bias
    assert site.incoming is not None
    assert site.threshold is not None
    assert site.gain is not None
    stored = None if site.cascade is None else site.cascade.detach().numpy()
    incoming, threshold, gain = (
        each.detach().numpy() for each in (site.incoming, site.threshold, site.gain)
    )
    cascade = cascade_matrix(stored, threshold)
    whole = fold(weight.numpy(), bias.numpy(), incoming, threshold, cascade, gain)
    return torch.from_numpy(whole[0]), torch.from_numpy(whole[1])


def _packed(weight: Tensor) -> Tensor:
    """`weight` (out, in) in the order in which oneDNN reads it, where there is oneDNN."""
    if not has_onednn():
        return weight
    try:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, TYPICAL_ROWS)
    except (AttributeError, RuntimeError, NotImplementedError):
        return weight
    return packed
