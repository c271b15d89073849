"""Whether perforatedai is there; it is looked for, never imported, in this process."""

from __future__ import annotations

import importlib.util

from nexus_engine.errors import ConfigError

__all__ = ["require_perforatedai"]


def require_perforatedai() -> None:
    """Raise unless the library is there.

    Raises:
        ConfigError: it is not installed, and what to do.
    """
    if importlib.util.find_spec("perforatedai") is None:
        raise ConfigError(
            "--grower perforatedai: the library is not installed (it has wheels for Linux x86-64, "
            "macOS and Windows up to Python 3.12); pip install perforatedai==3.2.9, or use "
            "--grower native, which grows the same dendrites"
        )
