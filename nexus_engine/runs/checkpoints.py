"""Checkpoints that are whole or not there.

A checkpoint is a folder with `state.safetensors`, `state.json` and, written last, `manifest.json`
with the size and SHA-256 of both. It is filled under a temporary name, pushed to the disk, and only
then renamed; the newest is the one with the highest number. A reader accepts a folder whose
manifest agrees with its files and else falls back to the one before. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nexus_engine.disk.files import make_folder, sync, write_json
from nexus_engine.disk.json_text import revive
from nexus_engine.disk.regular_files import MAX_JSON_BYTES, read_json, sha256_of, size_of
from nexus_engine.disk.tensor_files import MAX_WEIGHT_BYTES, write_tensors

__all__ = ["Checkpoint", "load_latest", "names", "save"]

KEEP = 2
"""The newest, and one to fall back to."""
MAX_TENSOR_BYTES = 6 * MAX_WEIGHT_BYTES
"""Weights as they are, the best, those before the switch, and the optimizer's state of two each."""
TENSORS, PLAIN, MANIFEST = "state.safetensors", "state.json", "manifest.json"
NAME_RULE = re.compile(r"checkpoint-([0-9]{6,12})")

_own: set[Path] = set()
"""Checkpoints that this process wrote: known to be whole without hashing them again."""


class Checkpoint(NamedTuple):
    """A loaded checkpoint, and the names of newer ones that were damaged and passed over."""

    name: str
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    damaged: tuple[str, ...]


def _complete(folder: Path) -> bool:
    try:
        manifest = read_json(folder / MANIFEST)
        return all(
            size_of(folder / name) == manifest[name]["size_bytes"]
            and sha256_of(folder / name, largest) == manifest[name]["sha256"]
            for name, largest in ((TENSORS, MAX_TENSOR_BYTES), (PLAIN, MAX_JSON_BYTES))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _candidates(folder: Path) -> list[tuple[int, Path]]:
    """(number, folder) of what goes by a checkpoint's name, newest first."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for place in folder.iterdir():
            match = NAME_RULE.fullmatch(place.name)
            if match and place.is_dir() and not place.is_symlink():
                found.append((int(match[1]), place))
    return sorted(found, reverse=True)


def names(folder: Path) -> list[str]:
    """The checkpoints in `folder`, whole or not, newest first."""
    return [place.name for _, place in _candidates(folder)]


def save(folder: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> tuple[str, int]:
    """Write the next checkpoint into `folder`; its name and size in bytes.

    The caller holds the run's lock: no other process writes there.
    """
    make_folder(folder, inside_run=True)
    existing = _candidates(folder)
    name = f"checkpoint-{existing[0][0] + 1 if existing else 1:06d}"
    temporary = folder / f"{name}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        make_folder(temporary, inside_run=True)
        manifest = {
            TENSORS: write_tensors(temporary / TENSORS, tensors),
            PLAIN: write_json(temporary / PLAIN, meta),
        }
        write_json(temporary / MANIFEST, manifest)
        sync(temporary)
        os.rename(temporary, folder / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder)
    _own.add(folder / name)
    _prune(folder, [place for _, place in existing])
    return name, sum(int(part["size_bytes"]) for part in manifest.values())


def _prune(folder: Path, older: list[Path]) -> None:
    """Keep the newest whole ones of `older`; take away the others and what a killed save left."""
    kept = 1  # the one just written
    for place in older:
        if kept < KEEP and (place in _own or _complete(place)):
            kept += 1
        else:
            _own.discard(place)
            shutil.rmtree(place, ignore_errors=True)
    for left in folder.glob("checkpoint-*.tmp-*"):
        shutil.rmtree(left, ignore_errors=True)


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint in `folder`; None where there is none."""
    damaged: list[str] = []
    for _, candidate in _candidates(folder):
        if _complete(candidate):
            with contextlib.suppress(OSError, ValueError, SafetensorError):
                tensors = load_file(candidate / TENSORS)
                meta = revive(read_json(candidate / PLAIN))
                if isinstance(meta, dict):
                    return Checkpoint(candidate.name, tensors, meta, tuple(damaged))
        damaged.append(candidate.name)
    return None
