"""Whether a run fits into memory, and the batch size with which it would.

An estimate before the first step, from the corpus alone. A forecast says this one too, unless the
few steps that it measures take more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nexus_engine.config import Settings
from nexus_engine.model.shape import EncoderShape
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, QuestionCorpus
from nexus_engine.system.memory_room import MemoryRoom, memory_room
from nexus_engine.training.arm.examples import example_rows
from nexus_engine.training.hardware import Hardware, keeps_few_kernels
from nexus_engine.training.steps.batching import epoch_batches
from nexus_engine.training.steps.gradient_cache import CPU_LIMITS, activation_bytes

__all__ = ["memory_need_mb", "memory_shortage"]

FIXED_MB = {"fp32": 350.0, "bf16": 400.0}
"""Kernels for the products of many shapes, an optimizer's libraries, evaluations, fragmentation."""
FEW_KERNELS_MB, ADAPTER_MB = 130.0, 235.0
"""What fewer kernels save of it (`keep_few_kernels`); and it all, where the encoder is frozen."""
COPIES = {"dendrites": 0.5, "full": 4.5, "adapter": 0.5}
"""By `tune`: the encoder's weights, gradients and moments beside the weights as they are loaded."""
PER_ACTIVATION = 2.7
"""Bytes that a step takes for a byte of activations that its backward pass keeps. These figures
were fitted to whole runs; tests/benchmarks/memory_need.py compares them with others."""
BATCH_SIZES = (512, 256, 128, 64, 32, 16, 8, 4, 2)


def memory_shortage(
    settings: Settings,
    corpus: Corpus | QuestionCorpus,
    shape: EncoderShape,
    hardware: Hardware,
    room: MemoryRoom | None = None,
) -> str:
    """Why the run will not fit, and with which batch size it would; empty if it should fit.

    `room` is what the process may still take, once data and model are loaded.
    """
    if hardware.device.type != "cpu":
        return ""
    room = room or memory_room()
    need = memory_need_mb(settings, corpus, shape, hardware)
    if need <= room.mb:
        return ""
    said = f"the run needs about {need:,.0f} MB more, and {room.mb:,.0f} MB are {room.limit}"
    for size in (size for size in BATCH_SIZES if size < settings.batch_size):
        needs = memory_need_mb(settings, corpus, shape, hardware, size)
        if needs <= room.mb:
            return f"{said}; --batch-size {size} needs about {needs:,.0f} MB"
    return f"{said}; no batch size fits"


def memory_need_mb(
    settings: Settings,
    corpus: Corpus | QuestionCorpus,
    shape: EncoderShape,
    hardware: Hardware,
    batch_size: int | None = None,
) -> float:
    """MB that a run on a CPU adds to a process that has loaded model and data.

    `batch_size` is tried instead of that of the settings.
    """
    weights = 4e-6 * shape.parameters
    need = COPIES[settings.tune] * weights
    if settings.tune == "adapter":  # the encoder's output, once; steps are small
        return need + ADAPTER_MB + 4e-6 * len(corpus.store) * shape.width
    need += FIXED_MB[hardware.precision] - (FEW_KERNELS_MB if keeps_few_kernels() else 0)
    number_bytes = 2 if hardware.bf16 else 4
    costs = _example_costs(settings, corpus, shape, number_bytes)
    largest = _largest_batch(costs, settings, batch_size or settings.batch_size)
    return need + PER_ACTIVATION * min(largest, CPU_LIMITS.whole) / 1e6


def _example_costs(
    settings: Settings, corpus: Corpus | QuestionCorpus, shape: EncoderShape, number_bytes: int
) -> npt.NDArray[np.float64]:
    """Bytes of activations of each training example, (n,)."""
    lengths = corpus.store.lengths

    def cost(rows: Rows) -> npt.NDArray[np.float64]:
        return activation_bytes(lengths[rows], shape, number_bytes)

    if isinstance(corpus, Corpus):
        return cost(corpus.train.first) + cost(corpus.train.second)
    questions, answers = example_rows(corpus)
    # Hard negatives are passages like the answers.
    return cost(questions) + (1 + settings.hard_negatives) * cost(answers)


def _largest_batch(costs: npt.NDArray[np.float64], settings: Settings, batch_size: int) -> float:
    """Bytes of the costliest batch of the first pass."""
    batches = epoch_batches(
        costs.astype(np.int64), batch_size, seed=settings.seed, epoch=1,
        like_length=settings.order == "length",
    )  # fmt: skip
    return max((float(costs[batch].sum()) for batch in batches), default=0.0)
