"""The checks of `nexus doctor`. Each checks one thing and says what to do about it."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from nexus_engine.errors import NexusError, one_line
from nexus_engine.system.shortages import out_of_memory
from nexus_tui.words.formats import count, size

__all__ = ["OUT_OF_MEMORY", "Check", "all_checks"]

OUT_OF_MEMORY = "out of memory"
"""The detail of a check that ran out of memory."""
MEMORY_ADVICE = "close other programs, or raise ulimit -v"

TORCH_RANGE = ((2, 6), (2, 13))
"""First and last minor version of torch that pyproject.toml allows."""
MEMORY_NEEDED, MEMORY_WANTED = 0.8e9, 2e9
"""Bytes. A run on the demo set needs 0.8 GB, one on questions in batches of 64 1.9 (measured)."""
DISK_NEEDED, DISK_WANTED = 20e6, 1e9
"""Bytes. A run with `--tune full` keeps two checkpoints of 0.4 GB."""

PARAPHRASE = ("The patient was discharged home today.", "Today the patient was sent home.")
UNRELATED = ("The patient was discharged home today.", "The bridge is closed for repairs.")


class Check(NamedTuple):
    """One line of the report. `advice` is empty where there is nothing to do."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""


def all_checks() -> Iterator[Check]:
    """Run every check, the quick ones first. A check that raises counts as failed."""
    for check in (
        python,
        torch_version,
        cpu,
        memory,
        disk,
        runs_folder,
        base_model,
        demo,
        forward_pass,
        stsb,
        perforated,
        torchvision,
        terminal,
    ):
        yield _guarded(check)


def _guarded(check: Callable[[], Check]) -> Check:
    name = check.__name__.replace("_", " ")
    try:
        return check()
    except NexusError as error:
        if not out_of_memory(error):
            return Check(name, "fail", one_line(error))
        return Check(name, "fail", OUT_OF_MEMORY, MEMORY_ADVICE)
    except Exception as error:
        if out_of_memory(error):
            return Check(name, "fail", OUT_OF_MEMORY, MEMORY_ADVICE)
        return Check(name, "fail", f"cannot be checked: {type(error).__name__}")


def python() -> Check:
    """Python's version."""
    version = platform.python_version()  # an older one could not have imported this file
    return Check("python", "ok", f"{version} ({one_line(sys.executable, 200)})")


def torch_version() -> Check:
    """Whether torch is installed in a supported version."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Check("torch", "fail", "not installed", "pip install torch")
    low, high = TORCH_RANGE
    parts = version.split("+")[0].split(".")
    minor = (int(parts[0]), int(parts[1]))
    if low <= minor <= high:
        return Check("torch", "ok", version)
    versions = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    detail = f"{version}; NEXUS supports {versions}"
    return Check("torch", "warn", detail, f"install torch {versions}")


def cpu() -> Check:
    """Cores, bfloat16, and accelerators."""
    import torch

    from nexus_engine.system.processor import cpu_has_bf16

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    precision = "bf16" if cpu_has_bf16() else "no bf16: fp32"
    detail = f"{platform.machine()}, {allowed} threads allowed, {precision}"
    if torch.cuda.is_available():
        detail += f", CUDA: {one_line(torch.cuda.get_device_name(), 60)}"
    limit = os.environ.get("OMP_NUM_THREADS")
    if limit:
        detail += f", OMP_NUM_THREADS={one_line(limit, 10)}"
    return Check("cpu", "ok", detail)


def memory() -> Check:
    """Whether enough memory is free."""
    from nexus_engine.system.memory_room import memory_room

    free = 1e6 * memory_room().mb
    return _free_space("memory", free, MEMORY_NEEDED, MEMORY_WANTED, "close other programs")


def disk() -> Check:
    """Whether enough disk space is free where runs are saved."""
    folder = _existing_parent(_runs_root())
    free = float(shutil.disk_usage(folder).free)
    return _free_space(
        "disk", free, DISK_NEEDED, DISK_WANTED, "free some space, or train with --out DIR"
    )


def _free_space(name: str, free: float, needed: float, wanted: float, advice: str) -> Check:
    detail = f"{size(free)} free"
    if free < needed:
        return Check(name, "fail", f"{detail}, {size(needed)} needed", advice)
    if free < wanted:
        return Check(name, "warn", f"{detail}, {size(wanted)} wanted", advice)
    return Check(name, "ok", detail)


def _runs_root() -> Path:
    from nexus_engine.runs.folder import runs_root

    return runs_root()


def _existing_parent(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def runs_folder() -> Check:
    """Whether the user, and nobody else, can write runs."""
    root = _runs_root()
    shown = one_line(root, 200)
    if not os.access(_existing_parent(root), os.W_OK | os.X_OK):
        return Check(
            "runs folder", "fail", f"{shown}: no permission", "set XDG_DATA_HOME, or use --out DIR"
        )
    if root.is_dir() and stat.S_IMODE(root.stat().st_mode) & 0o022:
        return Check(
            "runs folder", "warn", f"{shown}: others may write there", f"chmod go-w {shown}"
        )
    return Check("runs folder", "ok", shown)


def base_model() -> Check:
    """Whether the base model is there with the published SHA-256."""
    from nexus_engine.model.base_model import find_base_model

    model = find_base_model()
    place = f"{model.origin}, {one_line(model.folder, 200)}"
    return Check("base model", "ok", f"{place}, SHA-256 {model.sha256[:12]}… as published")


def demo() -> Check:
    """Whether the shipped pairs can be read."""
    from nexus_engine.data import load_data, load_guard

    data, guard = load_data("demo"), load_guard()
    sizes = f"{count(len(data.train))}/{count(len(data.dev))}/{count(len(data.test))} pairs"
    return Check("demo data", "ok", f"{sizes}, {count(len(guard))} guard pairs")


def forward_pass() -> Check:
    """Whether the model computes finite values, and scores a paraphrase above unrelated text."""
    import pyarrow as pa

    from nexus_engine.data import Pairs
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.similarity import score_pairs

    first, second = (pa.array(column) for column in zip(PARAPHRASE, UNRELATED, strict=True))
    near, far = score_pairs(load_model("base"), Pairs(first, second, None)).base.tolist()
    detail = f"paraphrase {near:.4f}, unrelated {far:.4f}"
    if math.isfinite(near) and math.isfinite(far) and near > far + 0.2:
        return Check("forward pass", "ok", detail)
    return Check("forward pass", "fail", detail, "the model computes wrongly: reinstall torch")


def stsb() -> Check:
    """Whether the STS Benchmark is in the local cache."""
    from nexus_engine.data.files.stsb_cache import find_stsb
    from nexus_engine.errors import DataError

    try:
        find_stsb()
    except DataError:
        advice = "nexus fetch stsb, for --data stsb"
        return Check("stsb", "ok", "not in the cache (optional)", advice)
    return Check("stsb", "ok", "in the Hugging Face cache")


def perforated() -> Check:
    """Whether the perforatedai library is installed. It is not imported here."""
    try:
        version = importlib.metadata.version("perforatedai")
    except importlib.metadata.PackageNotFoundError:
        advice = "pip install 'nexus-dendrites[perforated]', for --grower perforatedai"
        return Check("perforatedai", "ok", "not installed (optional)", advice)
    return Check("perforatedai", "ok", one_line(version, 40))


def torchvision() -> Check:
    """Whether an installed torchvision fits torch."""
    from nexus_tui.doctor.torchvision_fit import torchvision_fit

    fit = torchvision_fit()
    if fit.state == "absent":
        return Check("torchvision", "ok", "not installed (not needed)")
    if fit.state == "fits":
        return Check("torchvision", "ok", f"{fit.version} (not needed)")
    if fit.state == "unknown":
        return Check("torchvision", "warn", f"{fit.version} cannot be tried: {fit.reason}")
    torch = one_line(importlib.metadata.version("torch"), 40)
    return Check(
        "torchvision",
        "warn",
        f"{fit.version} was built for another torch than {torch}, so that "
        f"import sentence_transformers fails ({fit.reason})",
        "pip uninstall torchvision (NEXUS works without it), or install the build for this torch",
    )


def terminal() -> Check:
    """Whether the terminal can show bars, colours and the app."""
    if not sys.stderr.isatty():
        return Check("terminal", "ok", "none: no bars, no colours")
    term = one_line(os.environ.get("TERM", ""), 40) or "not set"
    columns, rows = shutil.get_terminal_size()
    if os.environ.get("NO_COLOR"):
        colour = "no colour (NO_COLOR)"
    else:
        colour = one_line(os.environ.get("COLORTERM", ""), 20) or "standard colours"
    detail = f"TERM {term}, {columns}x{rows}, {colour}"
    if term in ("not set", "dumb", "unknown"):
        return Check(
            "terminal", "warn", detail, "set TERM, for example to xterm-256color, to see bars"
        )
    if columns < 60 or rows < 20:
        return Check("terminal", "warn", detail, "make the window 60x20 or larger")
    return Check("terminal", "ok", detail)
