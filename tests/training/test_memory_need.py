"""The estimate of a run's memory, and the batch size that it names."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from nexus_engine.config import TrainConfig
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.model.shape import EncoderShape
from nexus_engine.system.memory_room import MemoryRoom
from nexus_engine.training.hardware import CAPACITY, Hardware
from nexus_engine.training.inputs import open_inputs, tokenise
from nexus_engine.training.memory_need import memory_need_mb, memory_shortage

SHAPE = EncoderShape()
FP32 = Hardware(torch.device("cpu"), False, 1)
BF16 = FP32._replace(bf16=True)


@pytest.fixture(scope="module")
def demo():
    """The demo set's settings and corpus."""
    settings = resolve_for_base(TrainConfig(batch_size=64))
    return settings, tokenise(open_inputs(settings), settings)


def test_larger_batches_and_wider_numbers_need_more(demo):
    settings, corpus = demo
    sizes = [memory_need_mb(settings, corpus, SHAPE, FP32, size) for size in (8, 16, 32, 64)]
    assert (np.diff(sizes) > 10).all()
    full = TrainConfig(batch_size=64, tune="full")
    assert memory_need_mb(resolve_for_base(full), corpus, SHAPE, FP32) > sizes[-1] + 200
    adapter = resolve_for_base(TrainConfig(tune="adapter"))
    assert memory_need_mb(adapter, corpus, SHAPE, FP32) < sizes[0] + 20
    deeper = SHAPE._replace(layers=12)
    assert memory_need_mb(settings, corpus, deeper, FP32) > sizes[-1] + 100
    # Activations take half, and kernels of two formats more.
    assert memory_need_mb(settings, corpus, SHAPE, BF16, 128) < memory_need_mb(
        settings, corpus, SHAPE, FP32, 128
    )


def test_a_shortage_names_the_largest_batch_that_fits(demo):
    settings, corpus = demo
    fits = memory_need_mb(settings, corpus, SHAPE, FP32, 16)
    room = MemoryRoom(fits + 1, "free on this machine")
    said = memory_shortage(settings, corpus, SHAPE, FP32, room)
    assert re.fullmatch(
        r"the run needs about [\d,]+ MB more, and \d+ MB are free on this machine; "
        r"--batch-size 16 needs about \d+ MB",
        said,
    )
    assert memory_shortage(settings, corpus, SHAPE, FP32, room._replace(mb=9000.0)) == ""
    none = memory_shortage(settings, corpus, SHAPE, FP32, room._replace(mb=90.0))
    assert none.endswith("; no batch size fits")


def test_fewer_kernels_need_less(demo, monkeypatch):
    settings, corpus = demo
    usual = memory_need_mb(settings, corpus, SHAPE, FP32)
    monkeypatch.setenv(CAPACITY, "64")
    assert memory_need_mb(settings, corpus, SHAPE, FP32) == usual - 130


def test_on_a_gpu_nothing_is_estimated(demo):
    settings, corpus = demo
    hardware = Hardware(torch.device("cuda"), True, 1)
    assert memory_shortage(settings, corpus, SHAPE, hardware, MemoryRoom(1.0, "")) == ""
