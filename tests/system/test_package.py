"""The wheel and the source archive: what is in them, built from this tree as it stands."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None, reason="needs hatchling, which builds the wheel"
)
SHIPPED = {
    "nexus_engine": "nexus_engine",
    "nexus_tui": "nexus_tui",
    "assets/demo": "nexus_engine/assets/demo",
    "assets/demo-search": "nexus_engine/assets/demo-search",
    "assets/general": "nexus_engine/assets/general",
}
"""Folders of the tree, and where they lie in a wheel."""


def tracked() -> list[str]:
    """The tree's files by git, or all where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0:
        return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    files = (p for p in ROOT.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return [str(p.relative_to(ROOT)) for p in files]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def names_in_wheel(folder: Path) -> set[str]:
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_both_packages_and_the_data_and_nothing_else(built: Path) -> None:
    names = {name for name in names_in_wheel(built) if ".dist-info/" not in name}
    expected = {"nexus_engine/assets/guard.csv"}
    for name in tracked():
        for source, target in SHIPPED.items():
            if name.startswith(f"{source}/"):
                expected.add(target + name.removeprefix(source))
    missing, surplus = expected - names, names - expected
    assert not missing
    # A file of work in progress that git does not know yet is built too.
    assert not [name for name in surplus if not name.endswith(".py")]
    assert "nexus_engine/assets/demo/train.csv" in names
    assert {"nexus_engine/py.typed", "nexus_tui/py.typed"} <= names


def test_the_wheel_has_the_licence_the_command_and_the_readme(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        by_name = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        assert "LICENSE" in by_name
        points = archive.read(by_name["entry_points.txt"]).decode()
        metadata = archive.read(by_name["METADATA"]).decode()
    assert "nexus = nexus_tui.cli.main:main" in points
    assert "Description-Content-Type: text/markdown" in metadata
    assert metadata.count((ROOT / "README.md").read_text().strip()) == 1


def test_the_source_archive_can_be_tested(built: Path) -> None:
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert set(tracked()) <= names
