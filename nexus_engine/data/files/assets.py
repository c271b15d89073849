"""Locate the pairs that ship with the project."""

from __future__ import annotations

from pathlib import Path

__all__ = ["assets_dir"]


def assets_dir() -> Path:
    """The folder of shipped files.

    It is `nexus_engine/assets` if the installed package has it, else `assets` beside the package,
    as in a checkout. The folder is not checked: whoever opens a file in it reports a missing one.
    """
    package = Path(__file__).resolve().parents[2]
    inside = package / "assets"
    return inside if inside.is_dir() else package.parent / "assets"
