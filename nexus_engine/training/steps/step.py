"""A training step: forward pass, backward pass, clipping, optimizer; eagerly or as a CUDA graph.

A batch that is too large for memory runs eagerly and in chunks (`gradient_cache`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nexus_engine.config import Settings
from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.tokens import Rows
from nexus_engine.training.hardware import Hardware, autocast, release_memory
from nexus_engine.training.steps.adamw import AdamW
from nexus_engine.training.steps.cuda_graphs import GraphedSteps, StepRule
from nexus_engine.training.steps.features import Embedder
from nexus_engine.training.steps.gradient_cache import (
    ChunkMasks,
    Chunks,
    activation_bytes,
    cached_gradients,
    cut_chunks,
    memory_limits,
)
from nexus_engine.training.steps.objective import Objective
from nexus_engine.training.steps.sharpness import sharp_gradients

__all__ = ["MAX_GRAD_NORM", "StepResult", "TrainingSteps"]

MAX_GRAD_NORM = 1.0


class StepResult(NamedTuple):
    """`loss` and `grad_norm` are scalars on the device; reading them may wait for it."""

    loss: Tensor
    grad_norm: Tensor
    lr: float
    pairs: int


class TrainingSteps:
    """The steps of a model on the examples of `objective`, phase by phase.

    `graphs` allows CUDA graphs; where they cannot be used, steps run eagerly.
    """

    def __init__(
        self, embed: Embedder, objective: Objective, settings: Settings, hardware: Hardware
    ) -> None:
        self.graphs = True
        self.pool = DropoutPool(
            settings.dropout, settings.seed, torch.bfloat16 if hardware.bf16 else torch.float32
        )
        self._embed = embed
        self._model = embed.model
        self._objective = objective
        self._hardware = hardware
        self._sharpness = settings.sharpness
        self._learning: Sequence[nn.Parameter] = ()
        self._optimizer: AdamW | None = None
        self._graphed: GraphedSteps | None = None

    def begin(self, learning: Sequence[nn.Parameter], optimizer: AdamW | None) -> None:
        """Begin a phase in which `optimizer` updates the parameters `learning`."""
        self._learning, self._optimizer = learning, optimizer
        self.drop_graphs()

    def drop_graphs(self) -> None:
        """Drop the phase's graphs; later steps of the phase capture them again."""
        self._graphed = None

    def step(self, batch: Rows, number: int, factor: float) -> StepResult:
        """Step `number` of the arm, from 0, on a `batch` of example indices, (b,).

        `factor` multiplies the peak learning rates.
        """
        assert self._optimizer is not None
        self._model.train()
        rows = self._objective.rows(batch)
        targets = tuple(torch.from_numpy(values) for values in self._objective.targets(batch))
        chunks = self._chunks(rows)
        graphs = None if chunks is not None else self._as_graphs()
        if graphs is not None:
            ids, lengths = self._embed.store.tokens(rows)
            loss, norm = graphs.step(ids, lengths, targets, factor)
        else:
            loss, norm = self._eager_step(rows, targets, number, factor, chunks)
        lr = float(self._optimizer.param_groups[0]["base_lr"]) * factor
        return StepResult(loss.detach(), norm, lr, len(batch))

    def _eager_step(
        self,
        rows: Rows,
        targets: tuple[Tensor, ...],
        number: int,
        factor: float,
        chunks: Chunks | None,
    ) -> tuple[Tensor, Tensor]:
        """Loss and gradient norm of a step; `rows`, (m,), are the sentences of its batch."""
        assert self._optimizer is not None
        self._optimizer.scale_rates(factor)
        device = self._model.device
        on_device = tuple(values.to(device, non_blocking=True) for values in targets)
        masks = ChunkMasks(self.pool, number, device)  # both passes of a step use the same masks

        def loss_of(vectors: Tensor) -> Tensor:
            return self._objective.loss(vectors, on_device)

        def embed(chunk: Rows) -> Tensor:
            with autocast(self._hardware):
                return self._embed(rows[chunk], self.pool.dtype, self.pool)

        def compute() -> Tensor:
            assert self._optimizer is not None
            self._optimizer.zero_grad()
            if chunks is not None:
                release_memory()
                return cached_gradients(embed, chunks, loss_of, masks)
            self.pool.begin(number)
            loss = loss_of(embed(np.arange(len(rows))))
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        loss = sharp_gradients(compute, self._learning, self._sharpness)
        norm = nn.utils.clip_grad_norm_(self._learning, MAX_GRAD_NORM)
        self._optimizer.step()
        return loss, norm

    def _chunks(self, rows: Rows) -> Chunks | None:
        """The chunks of a batch of the sentences `rows`, (m,); None if it fits in memory."""
        if self._embed.features is not None:
            return None
        device, lengths = self._model.device, self._embed.store.lengths_of(rows)
        on_cpu = device.type == "cpu"
        if not on_cpu:  # sentences are padded to the longest
            lengths = np.full_like(lengths, lengths.max())
        number_bytes = 2 if self._hardware.bf16 else 4
        costs = activation_bytes(lengths, self._model.encoder.shape, number_bytes)
        return cut_chunks(costs, memory_limits(device), mixed=on_cpu)

    def _as_graphs(self) -> GraphedSteps | None:
        """The phase's steps as CUDA graphs; None if they run eagerly."""
        encoder_frozen = self._embed.features is not None
        if not self.graphs or self._model.device.type != "cuda" or encoder_frozen:
            return None
        if self._graphed is None:
            assert self._optimizer is not None
            rule = StepRule(
                self._objective.loss,
                self._learning,
                self._optimizer,
                MAX_GRAD_NORM,
                self._sharpness,
            )
            self._graphed = GraphedSteps(
                self._model, rule, lambda: autocast(self._hardware, cached=False)
            )
        return self._graphed
