"""Locate the caches of the Hugging Face libraries.

The rules are those of `huggingface_hub.constants`, which `nexus fetch` follows too. They are
repeated here because that module reads the variables only once, when it is imported, and its import
takes 20 ms (measured). A variable that is set to an empty value counts as unset.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["datasets_cache", "hub_cache"]


def hub_cache() -> Path:
    """The folder of snapshots of models and data sets."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return _expanded(os.environ[name])
    return _hugging_face_home() / "hub"


def datasets_cache() -> Path:
    """The folder of the `datasets` library's Arrow files."""
    folder = os.environ.get("HF_DATASETS_CACHE")
    return _expanded(folder) if folder else _hugging_face_home() / "datasets"


def _hugging_face_home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return _expanded(os.environ.get("HF_HOME") or os.path.join(cache, "huggingface"))


def _expanded(path: str) -> Path:
    """`path` with `~` and then variables replaced; unknown ones stay as they are."""
    return Path(os.path.expandvars(os.path.expanduser(path)))
