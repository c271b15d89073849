"""`nexus doctor` detects a torchvision that torch cannot load, without importing it."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from nexus_tui.doctor import torchvision_fit as fits
from nexus_tui.doctor.checks import Check, torchvision

PACKAGES = {
    "fits": "",
    "unfit": "raise RuntimeError('operator torchvision::nms does not exist\\nmore')",
    "ends its process": "import os; os._exit(9)",
    "hangs": "import time; time.sleep(60)",
    "gets no memory": "raise RuntimeError('mmap: Cannot allocate memory')",
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a package called torchvision 0.99.0, before any other of that name."""

    def install(kind: str) -> None:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision/__init__.py").write_text(PACKAGES[kind])
        (tmp_path / "torchvision-0.99.0.dist-info").mkdir()
        metadata = "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.0\n"
        (tmp_path / "torchvision-0.99.0.dist-info/METADATA").write_text(metadata)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_one_that_fits_is_ok(installed) -> None:
    installed("fits")
    assert torchvision() == Check("torchvision", "ok", "0.99.0 (not needed)")


def test_one_for_another_torch_is_named_with_the_remedy(installed) -> None:
    installed("unfit")
    check = torchvision()
    assert check.status == "warn"
    assert f"0.99.0 was built for another torch than {importlib.metadata.version('torch')}" in (
        check.detail
    )
    assert check.detail.endswith("(RuntimeError operator torchvision::nms does not exist)")
    assert check.advice.startswith("pip uninstall torchvision")
    assert "\n" not in check.detail + check.advice


def test_an_absent_one_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert torchvision() == Check("torchvision", "ok", "not installed (not needed)")


def test_one_that_ends_its_process_is_no_verdict(installed) -> None:
    installed("ends its process")
    assert fits.torchvision_fit() == ("unknown", "0.99.0", "its import ends with 9")
    assert torchvision().status == "warn"


def test_one_that_hangs_is_given_up(installed) -> None:
    installed("hangs")
    assert fits.torchvision_fit(0.5) == ("unknown", "0.99.0", "its import takes over 0.5 s")


def test_a_lack_of_memory_is_no_verdict(installed) -> None:
    installed("gets no memory")
    with pytest.raises(MemoryError):
        fits.torchvision_fit()


def test_this_process_does_not_import_it(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("fits")
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    torchvision()
    assert "torchvision" not in sys.modules
