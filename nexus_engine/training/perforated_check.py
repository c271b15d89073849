"""Whether perforatedai is installed; this process never imports it."""

from __future__ import annotations

import importlib.util

from nexus_engine.errors import ConfigError

__all__ = ["PERFORATED_VERSION", "require_perforatedai"]

PERFORATED_VERSION = "3.2.9"
"""The version that the extra `perforated` installs, and the only one that is tested."""


def require_perforatedai() -> None:
    """Check that the library is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("perforatedai") is None:
        raise ConfigError(
            "--grower perforatedai: the library is not installed; run pip install "
            f"'nexus-dendrites[perforated]', which installs perforatedai {PERFORATED_VERSION} (for "
            "Linux x86-64, macOS and Windows, up to Python 3.12), or use --grower native, which "
            "grows the same dendrites"
        )
