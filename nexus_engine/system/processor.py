"""What the processor of this machine can compute natively."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cpu_has_bf16"]


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 natively (AVX-512 BF16 or AMX on x86, BF16 on ARM).

    Without it bfloat16 is emulated and slower than float32, so `auto` keeps float32.
    """
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    flags = set(line.split(":", 1)[1].split())
                    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
    except OSError:
        pass
    return False
