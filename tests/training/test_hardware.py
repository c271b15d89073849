"""The number format of a run on this machine's processor."""

from __future__ import annotations

import pytest
import torch

from nexus_engine.training import hardware
from nexus_engine.training.hardware import Hardware

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
