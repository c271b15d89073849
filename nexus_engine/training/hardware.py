"""The hardware of a run: device, precision and threads; and the memory of this process."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import psutil
import torch

from nexus_engine.config import Settings
from nexus_engine.model.device import usable_device
from nexus_engine.system.memory_room import MemoryRoom, memory_room
from nexus_engine.system.processor import cpu_has_bf16

__all__ = [
    "Hardware",
    "autocast",
    "keep_few_kernels",
    "keeps_few_kernels",
    "peak_rss_mb",
    "release_memory",
    "rss_mb",
    "select",
]


LITTLE_MB = 1200.0
CAPACITY, FEW = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64"


class Hardware(NamedTuple):
    """What a run computes on. `bf16`: matrix products are computed in bfloat16."""

    device: torch.device
    bf16: bool
    threads: int

    @property
    def precision(self) -> str:
        """The number format of matrix products: "bf16" or "fp32"."""
        return "bf16" if self.bf16 else "fp32"

    @property
    def warning(self) -> str:
        """What is slow about this choice; empty where nothing is."""
        if self.bf16 and self.device.type == "cpu" and not cpu_has_bf16():
            return (
                "--precision bf16: this CPU does not multiply bfloat16, so a step takes many times "
                "as long as in float32; take --precision fp32, or auto"
            )
        return ""


def select(settings: Settings) -> Hardware:
    """The device, precision and threads of `settings`; chooses those that are `auto`.

    Raises:
        ConfigError: this machine or this build of torch lacks the device.
    """
    device = settings.device
    if device == "auto":
        # Apple's GPU is untested, so `auto` never chooses it.
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = usable_device(device)
    if settings.precision == "auto":
        bf16 = cpu_has_bf16() if device == "cpu" else device == "cuda"
    else:
        bf16 = settings.precision == "bf16"
    threads = (
        settings.threads or len(os.sched_getaffinity(0))
        if sys.platform == "linux"
        else (settings.threads or os.cpu_count() or 1)
    )
    return Hardware(chosen, bf16, threads)


def keep_few_kernels(room: MemoryRoom | None = None) -> bool:
    """Have oneDNN keep 64 kernels, not 1,024, where less than `LITTLE_MB` are free (`room`).

    It keeps one for each shape of a product, and their number grows for hundreds of steps. The
    demo set then trains within 768 MiB, in 63 s where it took 57. To have an effect, this must
    come before the process's first product. A value that the user has set stays.
    """
    room = room or memory_room()
    if sys.platform != "linux" or room.mb >= LITTLE_MB or CAPACITY in os.environ:
        return False
    os.environ[CAPACITY] = FEW
    return True


def keeps_few_kernels() -> bool:
    """Whether `keep_few_kernels` has said so in this process or in its parent."""
    return os.environ.get(CAPACITY) == FEW


def autocast(hardware: Hardware, *, cached: bool = True) -> AbstractContextManager[object]:
    """The context of a training forward pass; `cached` keeps the cast weights until its end."""
    if not hardware.bf16:
        return nullcontext()
    return torch.autocast(hardware.device.type, dtype=torch.bfloat16, cache_enabled=cached)


def rss_mb() -> float:
    """Resident memory of this process now, in MB (10^6 bytes)."""
    return float(psutil.Process().memory_info().rss) / 1e6


def release_memory() -> None:
    """Return free memory of the C heap and of Arrow's pool to the system, where it can be done.

    The tensors of training steps and of evaluations differ in size and fragment the heap. Called
    before and after an evaluation, this lowers the peak of a run on STS-B by 250 MB. Called before
    each step that is cut into chunks, it keeps steps of 256 questions at 1.4 GB, where memory grew
    to 2.1 GB in 4 steps, and takes 0.08 of 13 s (MedQuAD).
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_rss_mb() -> float:
    """The highest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024) / 1e6
