"""The number format of a run on this machine's processor."""

from __future__ import annotations

import os
import sys

import pytest
import torch

from nexus_engine.system.memory_room import MemoryRoom
from nexus_engine.training import hardware
from nexus_engine.training.hardware import CAPACITY, LITTLE_MB, Hardware, keep_few_kernels

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "bf16", "has_bf16", "warns"),
    [
        (CPU, True, False, True),
        (CPU, True, True, False),
        (CPU, False, False, False),
        (CUDA, True, False, False),
    ],
)
def test_bf16_on_a_cpu_without_it_is_warned_of(monkeypatch, device, bf16, has_bf16, warns):
    monkeypatch.setattr(hardware, "cpu_has_bf16", lambda: has_bf16)
    warning = Hardware(device, bf16, 2).warning
    assert ("take --precision fp32" in warning) is warns
    assert warns or not warning


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted on Linux alone")
def test_few_kernels_are_kept_where_memory_is_short(monkeypatch):
    monkeypatch.setenv(CAPACITY, "taken back at the end")
    monkeypatch.delenv(CAPACITY)
    assert not keep_few_kernels(MemoryRoom(LITTLE_MB, ""))
    assert CAPACITY not in os.environ
    assert keep_few_kernels(MemoryRoom(LITTLE_MB - 1, ""))
    assert os.environ[CAPACITY] == "64"
    monkeypatch.setenv(CAPACITY, "8")
    assert not keep_few_kernels(MemoryRoom(1.0, ""))
    assert os.environ[CAPACITY] == "8"
