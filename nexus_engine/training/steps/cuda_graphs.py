"""Training steps on a CUDA device as graphs: one launch a step instead of two thousand.

An H100 or H200 computes a batch of short sentences faster than the host can launch its kernels. So
the forward pass, backward pass, clipping and optimizer step are captured once for each shape and
then replayed. Sentences are padded to a multiple of 16 tokens to keep the number of shapes small,
which costs less than the launches. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.model.encoder import PackedBatch, pad
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.training.steps.adamw import AdamW
from nexus_engine.training.steps.sharpness import sharp_gradients

__all__ = ["GraphedSteps", "StepRule"]

Targets = tuple[Tensor, ...]

TOKEN_MULTIPLE = 16
EAGER_STEPS = 2
"""Steps of a shape before its capture; they create the optimizer's state and the libraries'
workspaces."""
MAX_GRAPHS = 16
"""Graphs captured at most; steps of further shapes run eagerly."""


class StepRule(NamedTuple):
    """How a step goes from its embeddings, (m, width), and their targets to weights."""

    loss: Callable[[Tensor, tuple[Tensor, ...]], Tensor]
    parameters: Sequence[nn.Parameter]
    optimizer: AdamW
    max_norm: float
    sharpness: float


class _Shape:
    """A shape's static inputs, its graph, and the static outputs that a replay fills."""

    def __init__(self, batch: PackedBatch, targets: Targets) -> None:
        self.batch = batch
        self.targets = targets
        self.steps_made = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.loss = self.norm = targets[0]

    def fill(self, batch: PackedBatch, targets: Targets) -> None:
        given = (*self._tensors(batch), *targets)
        for static, new in zip((*self._tensors(self.batch), *self.targets), given, strict=True):
            static.copy_(new.pin_memory(), non_blocking=True)

    @staticmethod
    def _tensors(batch: PackedBatch) -> tuple[Tensor, ...]:
        return batch.ids, batch.lengths, batch.mask


class GraphedSteps:
    """The steps of one phase of an arm whose model is on a CUDA device.

    The `parameters` and the `optimizer` of `rule` must stay the same objects; `context` is entered
    around each forward pass.
    """

    def __init__(
        self,
        model: SentenceModel,
        rule: StepRule,
        context: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.model = model
        self.rule = rule
        self._context = context
        self._shapes: dict[tuple[Any, ...], _Shape] = {}
        self._stream = torch.cuda.Stream(model.device)  # type: ignore[no-untyped-call]
        self._max_graphs = MAX_GRAPHS
        self._memory = torch.cuda.graph_pool_handle()
        for group in rule.optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=model.device)

    def step(
        self,
        ids: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        targets: Targets,
        factor: float,
    ) -> tuple[Tensor, Tensor]:
        """One optimizer step: loss and gradient norm, scalars on the device.

        `ids` (t,) and `lengths` (m,) are the sentences of the batch, end to end; `targets` go to
        the loss, their shapes given by the batch's; `factor` multiplies the peak learning rates.
        """
        padded_length = -(-int(lengths.max()) // TOKEN_MULTIPLE) * TOKEN_MULTIPLE
        batch = pad(torch.from_numpy(ids), torch.from_numpy(lengths), padded_length)
        key = (batch.sentences, padded_length, *(tuple(values.shape) for values in targets))
        shape = self._shapes.get(key)
        device = self.model.device
        if shape is None:
            shape = self._shapes[key] = _Shape(
                batch.to(device), tuple(values.to(device) for values in targets)
            )
        self.rule.optimizer.scale_rates(factor)
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._stream):
            shape.fill(batch, targets)
            self._run(shape)
            loss, norm = shape.loss.detach().clone(), shape.norm.detach().clone()
        torch.cuda.current_stream(device).wait_stream(self._stream)
        return loss, norm

    def _run(self, shape: _Shape) -> None:
        shape.steps_made += 1
        if shape.graph is not None:
            shape.graph.replay()
            return
        captured = sum(s.graph is not None for s in self._shapes.values())
        if shape.steps_made <= EAGER_STEPS or captured >= self._max_graphs:
            self._compute(shape)
            return
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._memory, stream=self._stream):
                self._compute(shape)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # something here cannot be captured: run all further steps eagerly
            self._max_graphs = 0
            torch.cuda.synchronize(self.model.device)
            self._compute(shape)
            return
        shape.graph = graph
        graph.replay()

    def _compute(self, shape: _Shape) -> None:
        rule = self.rule

        def compute() -> Tensor:
            rule.optimizer.zero_grad()
            with self._context():
                vectors = self.model.adapt(self.model.encoder(shape.batch))
            loss = rule.loss(vectors, shape.targets)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        loss = sharp_gradients(compute, rule.parameters, rule.sharpness)
        norm = nn.utils.clip_grad_norm_(rule.parameters, rule.max_norm, foreach=True)
        rule.optimizer.step()
        shape.loss, shape.norm = loss, norm
