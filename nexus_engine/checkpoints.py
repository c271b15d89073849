"""Checkpoints that are whole or not there.

A checkpoint is a folder with `state.safetensors`, `state.json` and, written last, `manifest.json`
with the size and SHA-256 of both. It is filled under a temporary name, pushed to the disk, and only
then renamed. A reader accepts a folder whose manifest agrees with its files and else falls back to
the one before. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nexus_engine.events import revive
from nexus_engine.files import make_folder, sha256_of, sync, write_json
from nexus_engine.tensor_files import write_tensors

__all__ = ["Checkpoint", "load_latest", "save"]

KEEP = 2
"""The newest, and one to fall back to."""
STATE_FILES = ("state.safetensors", "state.json")


class Checkpoint(NamedTuple):
    """A loaded checkpoint, and the names of newer ones that were damaged and passed over."""

    name: str
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    damaged: tuple[str, ...]


def _complete(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return all(
            (folder / name).stat().st_size == manifest[name]["size_bytes"]
            and sha256_of(folder / name) == manifest[name]["sha256"]
            for name in STATE_FILES
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _candidates(folder: Path) -> list[Path]:
    """Checkpoints by name, newest first; names end in a running number."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.is_dir() and p.name.startswith("checkpoint-")]
    return sorted((p for p in found if ".tmp-" not in p.name), key=lambda p: p.name, reverse=True)


def save(folder: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> tuple[str, int]:
    """Write the next checkpoint into `folder`; its name and size in bytes."""
    make_folder(folder)
    existing = _candidates(folder)
    number = int(existing[0].name.rsplit("-", 1)[-1]) + 1 if existing else 1
    name = f"checkpoint-{number:06d}"
    temporary = folder / f"{name}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        make_folder(temporary)
        manifest = {"state.safetensors": write_tensors(temporary / "state.safetensors", tensors)}
        plain_file = temporary / "state.json"
        write_json(plain_file, meta)
        manifest["state.json"] = {
            "size_bytes": plain_file.stat().st_size,
            "sha256": sha256_of(plain_file),
        }
        write_json(temporary / "manifest.json", manifest)
        sync(temporary)
        os.rename(temporary, folder / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder)
    for old in existing[KEEP - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return name, sum(int(part["size_bytes"]) for part in manifest.values())


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint in `folder`; None where there is none."""
    damaged: list[str] = []
    for candidate in _candidates(folder):
        if _complete(candidate):
            try:
                tensors = load_file(candidate / "state.safetensors")
                meta = revive(json.loads((candidate / "state.json").read_text(encoding="utf-8")))
                return Checkpoint(candidate.name, tensors, meta, tuple(damaged))
            except (OSError, ValueError, SafetensorError):
                pass
        damaged.append(candidate.name)
    return None
