"""Keep the Hugging Face libraries from opening a socket."""

from __future__ import annotations

import os

__all__ = ["stay_offline"]

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def stay_offline() -> None:
    """Set the offline variables that the user has not set. Call before importing `datasets`."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
