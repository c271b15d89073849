"""A sentence model: the encoder, an optional linear adapter, and dendrites on either."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.model.cpu import FastEncoder, lay_out
from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.cpu.question_encoder import QuestionEncoder
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.encoder import Encoder
from nexus_engine.model.tokens import TokenStore

__all__ = ["SentenceModel", "cosine", "identity_adapter"]


def identity_adapter(width: int) -> DendriteLinear:
    """A linear layer (width, width) that returns its input."""
    adapter = DendriteLinear(width, width)
    with torch.no_grad():
        adapter.weight.copy_(torch.eye(width))
        adapter.bias.zero_()
    return adapter


class SentenceModel(nn.Module):
    """Sentences of a token store to embeddings; `sites` names the layers that can grow dendrites.

    On a CPU, `nexus_engine.model.cpu` computes the encoder. On other devices, and if `written_out`
    is False, its own modules do.
    """

    written_out: ClassVar[bool] = True
    dtype: torch.dtype = torch.float32
    """The default format of matrix products. bfloat16 is faster and rounds slightly."""

    def __init__(self, encoder: Encoder, adapter: DendriteLinear | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.adapter = adapter
        self._fast: dict[torch.dtype, FastEncoder] = {}
        self._question: QuestionEncoder | None = None

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.encoder.words.weight.device

    def sites(self) -> dict[str, DendriteLinear]:
        """Linear layers by site name: `LAYER.NAME`, and `adapter` if there is one."""
        sites = self.encoder.sites()
        if self.adapter is not None:
            sites["adapter"] = self.adapter
        return sites

    def adapt(self, pooled: Tensor) -> Tensor:
        """Pooled embeddings (n, width) through the adapter, if there is one."""
        return pooled if self.adapter is None else self.adapter(pooled)

    def _computes_fast(self) -> bool:
        """Whether `nexus_engine.model.cpu` computes; it does not support full dendrites."""
        if not self.written_out or self.device.type != "cpu":
            return False
        return not any(site.full for site in self.encoder.sites().values())

    def _format(self) -> AbstractContextManager[object]:
        """The format of products off the CPU: `dtype` unless it is float32, else the caller's."""
        if self.device.type == "cpu" or self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def pooled(
        self,
        store: TokenStore,
        rows: npt.NDArray[np.int64],
        dtype: torch.dtype | None = None,
        pool: DropoutPool | None = None,
        *,
        plain: bool = False,
    ) -> Tensor:
        """The encoder's output for the store's sentences `rows`, (m, width) float32.

        On a CPU, `dtype` is the format of products (None: the model's `dtype`), and dropout masks
        come from `pool`, or in training mode from a new pool. With `plain`, and on other devices,
        the encoder's own modules compute: hooks on them run, and autocast sets the format.
        """
        if plain or not self._computes_fast():
            batch = store.batch(rows).to(self.device)
            with self._format():
                vectors: Tensor = self.encoder(batch)
            return vectors.float()
        dtype = dtype or self.dtype
        layout = lay_out(*store.tokens(rows))
        if not self.training or not self.encoder.dropout:
            pool = None
        elif pool is None:
            pool = DropoutPool(self.encoder.dropout, int(torch.randint(2**31, ())), dtype)
            pool.begin(0)
        if dtype not in self._fast:
            # Training and evaluation may use different formats; only one copy is kept in memory.
            self._fast = {dtype: FastEncoder(self.encoder, dtype)}
        return self._fast[dtype](layout, pool)

    def embed(
        self,
        store: TokenStore,
        rows: npt.NDArray[np.int64],
        dtype: torch.dtype | None = None,
        pool: DropoutPool | None = None,
        *,
        plain: bool = False,
    ) -> Tensor:
        """Embeddings of the store's sentences `rows`, (m, width), not normalised; see `pooled`."""
        return self.adapt(self.pooled(store, rows, dtype, pool, plain=plain))

    @property
    def embeds_single(self) -> bool:
        """Whether `embed_single` computes this model: on a CPU, in float32, in inference mode."""
        return self._computes_fast() and self.dtype == torch.float32 and not self.training

    def embed_single(self, ids: Sequence[int]) -> Tensor:
        """The embedding of one sentence from its token ids, (1, width), not normalised.

        It equals `embed` to 1e-6 and takes a third of the time. The weights are packed at the first
        call, in 43 MB, and must not change afterwards. See `embeds_single`.
        """
        if self._question is None:
            self._question = QuestionEncoder(self.encoder)
        with torch.inference_mode():
            return self.adapt(self._question(ids))


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarity row by row: (n, width) twice to (n,), -1..1."""
    return torch.cosine_similarity(first, second, dim=1)
