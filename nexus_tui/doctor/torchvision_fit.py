"""Whether an installed torchvision was built for the installed torch.

NEXUS needs no torchvision, but perforatedai requires it, and transformers imports it if it is
installed. A build for another torch has operators that this torch cannot load; then
`import sentence_transformers` fails in the same environment. Version numbers do not show the
difference. So a child process tries the import, and this process never imports torchvision.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import Literal, NamedTuple

from nexus_engine.errors import one_line
from nexus_engine.system.shortages import out_of_memory

__all__ = ["TorchvisionFit", "torchvision_fit"]

TIME_LIMIT = 60.0
"""Seconds for the child. The import takes 2 s of processor time (measured on two cores)."""

UNFIT = 3
"""Exit code of the child if torchvision cannot be loaded."""
IMPORT = f"""
try:
    import torchvision
except (ImportError, OSError, RuntimeError, AttributeError) as error:
    print(type(error).__name__, str(error).partition("\\n")[0])
    raise SystemExit({UNFIT})
"""


class TorchvisionFit(NamedTuple):
    """The outcome of an attempt to import torchvision.

    `version` is empty if it is absent. `reason` is a line of text, empty if it fits.
    """

    state: Literal["absent", "fits", "unfit", "unknown"]
    version: str = ""
    reason: str = ""


def torchvision_fit(time_limit: float = TIME_LIMIT) -> TorchvisionFit:
    """Import torchvision in a child process, for `time_limit` seconds at most.

    Raises:
        MemoryError: the child ran out of memory, which says nothing about the fit.
    """
    try:
        version = one_line(importlib.metadata.version("torchvision"), 40)
    except importlib.metadata.PackageNotFoundError:
        return TorchvisionFit("absent")
    try:
        child = subprocess.run(
            [sys.executable, "-c", IMPORT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TorchvisionFit("unknown", version, f"its import takes over {time_limit:g} s")
    if child.returncode == UNFIT:
        reason = one_line(child.stdout.decode("utf-8", "replace").strip(), 100)
        if out_of_memory(RuntimeError(reason)):
            raise MemoryError(reason)
        return TorchvisionFit("unfit", version, reason)
    if child.returncode:
        return TorchvisionFit("unknown", version, f"its import ends with {child.returncode}")
    return TorchvisionFit("fits", version)
