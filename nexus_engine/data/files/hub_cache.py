"""Where the Hugging Face libraries keep what they have fetched.

The rules are those of huggingface_hub's `constants`, which `nexus fetch` downloads by. They are
written out because that module reads the variables once, when it is imported, and importing it
takes 20 ms (measured). A variable that is set and empty counts as not set.
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
    given = os.environ.get("HF_DATASETS_CACHE")
    return _expanded(given) if given else _hugging_face_home() / "datasets"


def _hugging_face_home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return _expanded(os.environ.get("HF_HOME") or os.path.join(cache, "huggingface"))


def _expanded(path: str) -> Path:
    """With `~` and variables replaced, in this order; what is not known stays as it is."""
    return Path(os.path.expandvars(os.path.expanduser(path)))
