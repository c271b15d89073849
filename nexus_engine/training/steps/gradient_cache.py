"""The gradient of a batch that is too large for memory, in chunks of its sentences.

A ranking loss compares every sentence of a batch with every other, so it cannot be summed over
parts of the batch. But it depends on the model through the embeddings alone:

1. Embed the chunks without gradient.
2. Compute the loss and its gradient at all embeddings.
3. Embed each chunk once more, with gradient, and go back from its rows of that gradient.

That is exact (Gao et al., arXiv 2101.06983), and costs one more forward pass. The activations of
some chunks fit in memory: those chunks are embedded once, with gradient, and not again.

Both passes over a chunk must draw the same dropout masks, and so must both passes of a
sharpness-aware step: `ChunkMasks` sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.dropout import no_tape
from nexus_engine.model.encoder import EncoderShape

__all__ = [
    "CPU_LIMITS",
    "ChunkMasks",
    "Chunks",
    "MemoryLimits",
    "activation_bytes",
    "cached_gradients",
    "cut_chunks",
    "memory_limits",
]

Integers = npt.NDArray[np.int64]

CHUNKS_PER_WHOLE = 2
"""A chunk costs this part of the largest batch that is not cut."""
CUDA_SHARE = 0.3
"""Of a CUDA device's memory, for activations as `activation_bytes` counts them."""


class MemoryLimits(NamedTuple):
    """Bytes of activations, by `activation_bytes`."""

    whole: float
    """A batch that costs more is cut into chunks."""
    kept: float
    """The activations of this many chunks are kept between the passes."""


CPU_LIMITS = MemoryLimits(400e6, 700e6)
"""Cutting saves time beside memory: the C library returns larger tensors to the system at once,
which takes 6 % of a step. Keeping 900 MB in place of 550 makes a step of 256 questions about 5 %
faster, and its peak 0.6 GB higher (MedQuAD, two cores, bf16)."""


def memory_limits(device: torch.device) -> MemoryLimits:
    """What a step may keep on `device`."""
    if device.type == "cuda" and torch.cuda.is_available():
        total = CUDA_SHARE * torch.cuda.get_device_properties(device).total_memory
        return MemoryLimits(total, total)
    return CPU_LIMITS


def activation_bytes(
    lengths: Integers, shape: EncoderShape, number_bytes: int
) -> npt.NDArray[np.float64]:
    """Bytes that a backward pass keeps for sentences of `lengths` (m,) tokens, (m,).

    In each layer and for each token: query, key and value, the inputs of both normalisations and
    their outputs, the input of GELU, and a row of attention weights for each head.
    """
    numbers = 7 * shape.width + shape.inner + shape.heads * lengths
    return (number_bytes * shape.layers * lengths * numbers).astype(np.float64)


class Chunks(NamedTuple):
    """A batch's rows in chunks: `places`, each (c,), hold every row's place in the batch once.

    The activations of the last `kept` chunks fit in memory together.
    """

    places: tuple[Integers, ...]
    kept: int


def cut_chunks(
    costs: npt.NDArray[np.float64], limits: MemoryLimits, *, mixed: bool
) -> Chunks | None:
    """The chunks of a batch whose rows cost `costs` (m,) bytes; None if it need not be cut.

    Chunks cost about the same. `mixed` deals rows of all lengths to each, which fills the bins of
    a CPU's layout; otherwise rows of like cost stay together, which saves padding.
    """
    total = float(costs.sum())
    if total <= limits.whole or len(costs) < 2:
        return None
    count = min(len(costs), int(np.ceil(CHUNKS_PER_WHOLE * total / limits.whole)))
    by_cost = np.argsort(-costs, kind="stable")
    place = np.arange(len(costs))
    if mixed:
        # To and fro, so that no chunk gets the costlier row of every round.
        round_, seat = np.divmod(place, count)
        chunk_of = np.where(round_ % 2, count - 1 - seat, seat)
    else:
        middle = np.cumsum(costs[by_cost]) - costs[by_cost] / 2
        chunk_of = (middle / total * count).astype(np.int64).clip(max=count - 1)
    chunks = [np.sort(by_cost[chunk_of == chunk]) for chunk in range(count)]
    chunks = [chunk for chunk in chunks if len(chunk)]
    kept_costs = np.cumsum([costs[chunk].sum() for chunk in reversed(chunks)])
    return Chunks(tuple(chunks), int((kept_costs <= limits.kept).sum()))


class ChunkMasks:
    """The dropout masks of a step's chunks, the same at each entry to `of`.

    On a CPU they come from `pool`, which repeats them by step and chunk; elsewhere from torch's
    random numbers, whose state at a chunk's first entry is kept, some kilobytes.
    """

    def __init__(self, pool: DropoutPool, step: int, device: torch.device) -> None:
        self._pool = pool
        self._step = step
        self._device = device
        self._states: dict[int, tuple[Tensor, Tensor | None]] = {}

    @contextmanager
    def of(self, chunk: int) -> Iterator[None]:
        """Within this context, dropout draws the masks of `chunk`, from 0."""
        self._pool.begin(self._step, chunk)
        with no_tape():
            if chunk not in self._states:
                self._states[chunk] = self._state()
                yield
                return
            now = self._state()
            self._set(self._states[chunk])
            try:
                yield
            finally:
                self._set(now)

    def _state(self) -> tuple[Tensor, Tensor | None]:
        if self._device.type == "cpu":
            return torch.get_rng_state(), None
        own = torch.get_device_module(self._device).get_rng_state(self._device)
        return torch.get_rng_state(), own

    def _set(self, state: tuple[Tensor, Tensor | None]) -> None:
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.get_device_module(self._device).set_rng_state(state[1], self._device)


def cached_gradients(
    embed: Callable[[Integers], Tensor],
    chunks: Chunks,
    loss_of: Callable[[Tensor], Tensor],
    masks: ChunkMasks,
) -> Tensor:
    """Add the gradient of a batch to the parameters' gradients; returns the loss, a scalar.

    Args:
        embed: From places in the batch, (c,), to embeddings, (c, width).
        chunks: What the batch's rows are cut into.
        loss_of: The loss of the embeddings of the batch, (m, width).
        masks: The dropout masks of each chunk.
    """
    first_kept = len(chunks.places) - chunks.kept
    embeddings: list[Tensor] = []
    graphs: list[Tensor] = []
    for chunk, places in enumerate(chunks.places):
        keeps = chunk >= first_kept
        with torch.set_grad_enabled(keeps), masks.of(chunk):
            embedded = embed(places)
        embeddings.append(embedded.detach())
        if keeps:
            graphs.append(embedded)
    # The place of each row of the batch among the chunks' rows.
    order = np.argsort(np.concatenate(chunks.places), kind="stable")
    joined = torch.cat(embeddings)
    vectors = joined[torch.from_numpy(order).to(joined.device)].requires_grad_()
    loss = loss_of(vectors)
    (gradient,) = torch.autograd.grad(loss, [vectors])
    for chunk in range(len(chunks.places) - 1, -1, -1):
        places = chunks.places[chunk]
        if graphs:  # freed by its backward pass
            embedded = graphs.pop()
        else:
            with masks.of(chunk):
                embedded = embed(places)
        own = gradient[torch.from_numpy(places).to(gradient.device)]
        embedded.backward(own)  # type: ignore[no-untyped-call]
    return loss.detach()
