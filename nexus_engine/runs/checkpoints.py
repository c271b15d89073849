"""Atomic checkpoints: one is complete on disk, or it does not exist.

A checkpoint is a folder with `state.safetensors`, `state.json` and `manifest.json`. The manifest is
written last and holds the size and SHA-256 of the other two files. The folder is written under a
temporary name, synced, and then renamed; the highest number is the newest. If a manifest does not
match its files, the reader falls back to the previous checkpoint. Nothing is pickled.
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
"""Checkpoints to keep: the newest, and one to fall back to."""
MAX_TENSOR_BYTES = 6 * MAX_WEIGHT_BYTES
"""The weights now, the best, and before the switch, with the optimizer's state of two each."""
TENSOR_FILE, JSON_FILE, MANIFEST_FILE = "state.safetensors", "state.json", "manifest.json"
NAME_RULE = re.compile(r"checkpoint-([0-9]{6,12})")

_written_here: set[Path] = set()
"""Checkpoints that this process wrote; they are complete and need not be hashed again."""


class Checkpoint(NamedTuple):
    """A loaded checkpoint, and the names of newer ones that were skipped as damaged."""

    name: str
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    damaged: tuple[str, ...]


def _complete(folder: Path) -> bool:
    """Whether the files of the checkpoint match its manifest."""
    try:
        manifest = read_json(folder / MANIFEST_FILE)
        return all(
            size_of(folder / name) == manifest[name]["size_bytes"]
            and sha256_of(folder / name, max_bytes) == manifest[name]["sha256"]
            for name, max_bytes in ((TENSOR_FILE, MAX_TENSOR_BYTES), (JSON_FILE, MAX_JSON_BYTES))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _candidates(folder: Path) -> list[tuple[int, Path]]:
    """(number, path) of every folder named like a checkpoint, newest first."""
    candidates = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            match = NAME_RULE.fullmatch(path.name)
            if match and path.is_dir() and not path.is_symlink():
                candidates.append((int(match[1]), path))
    return sorted(candidates, reverse=True)


def names(folder: Path) -> list[str]:
    """The names of the checkpoints in `folder`, complete or not, newest first."""
    return [path.name for _, path in _candidates(folder)]


def save(folder: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> tuple[str, int]:
    """Write the next checkpoint into `folder`; return its name and size in bytes.

    The caller must hold the run's lock, so that no other process writes there.
    """
    make_folder(folder, inside_run=True)
    existing = _candidates(folder)
    name = f"checkpoint-{existing[0][0] + 1 if existing else 1:06d}"
    temporary = folder / f"{name}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        make_folder(temporary, inside_run=True)
        manifest = {
            TENSOR_FILE: write_tensors(temporary / TENSOR_FILE, tensors),
            JSON_FILE: write_json(temporary / JSON_FILE, meta),
        }
        write_json(temporary / MANIFEST_FILE, manifest)
        sync(temporary)
        os.rename(temporary, folder / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder)
    _written_here.add(folder / name)
    _prune(folder, [path for _, path in existing])
    return name, sum(int(entry["size_bytes"]) for entry in manifest.values())


def _prune(folder: Path, older: list[Path]) -> None:
    """Keep the newest complete ones of `older`; remove the others and leftovers of killed saves."""
    kept = 1  # the one just written
    for path in older:
        if kept < KEEP and (path in _written_here or _complete(path)):
            kept += 1
        else:
            _written_here.discard(path)
            shutil.rmtree(path, ignore_errors=True)
    for leftover in folder.glob("checkpoint-*.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest complete checkpoint in `folder`; None if there is none."""
    damaged: list[str] = []
    for _, candidate in _candidates(folder):
        if _complete(candidate):
            with contextlib.suppress(OSError, ValueError, SafetensorError):
                tensors = load_file(candidate / TENSOR_FILE)
                meta = revive(read_json(candidate / JSON_FILE))
                if isinstance(meta, dict):
                    return Checkpoint(candidate.name, tensors, meta, tuple(damaged))
        damaged.append(candidate.name)
    return None
