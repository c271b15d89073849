"""Where the pairs that ship with the project lie."""

from __future__ import annotations

from pathlib import Path

__all__ = ["assets_dir"]


def assets_dir() -> Path:
    """The folder of shipped files.

    `nexus_engine/assets` where the package was installed with it, else `assets` beside the
    package, as in a checkout. The folder is not checked: what is missing in it is reported by
    whoever opens it.
    """
    package = Path(__file__).resolve().parents[2]
    inside = package / "assets"
    return inside if inside.is_dir() else package.parent / "assets"
