"""The import rules, each tried in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT


def loaded(code):
    """The top-level modules that a process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_engine_loads_no_screen():
    import_all = (
        "import pkgutil, importlib, nexus_engine\n"
        "for m in pkgutil.walk_packages(nexus_engine.__path__, 'nexus_engine.'):\n"
        "    importlib.import_module(m.name)"
    )
    modules = loaded(import_all)
    assert "torch" in modules  # the check does see loaded modules
    assert not modules & {"textual", "typer", "nexus_tui"}


@pytest.mark.parametrize(
    "module",
    [
        "nexus_engine.events",
        "nexus_engine.growth",
        "nexus_engine.config",
        "nexus_engine.labels.merging",
    ],
)
def test_events_policy_and_settings_load_no_tensors(module):
    assert not loaded(f"import {module}") & {"torch", "numpy", "scipy", "datasets"}


def test_the_first_pair_to_judge_loads_no_tensors():
    """It is asked while torch is imported (`docs/teach.md`)."""
    code = (
        "from nexus_tui.app.teach.asking import glance\n"
        "found = glance('demo', set(), lambda: None)\n"
        "assert found.item.reason == 'one of your pairs'\n"
        "assert found.item.first not in repr(found)"
    )
    assert "torch" not in loaded(code)


BREACHES = {
    "The engine never imports a screen": ("nexus_engine/growth.py", "import rich"),
    "The screen does no maths": ("nexus_tui/words/formats.py", "import scipy"),
    "The rooms of the engine": ("nexus_engine/model/tokens.py", "import nexus_engine.runs.folder"),
    "The rooms of the front ends": ("nexus_tui/words/formats.py", "import nexus_tui.work.uses"),
    "The rooms of the app": ("nexus_tui/app/kit/host.py", "import nexus_tui.app.application"),
    "No circle of imports": (
        "nexus_engine/model/encoder.py",
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from nexus_engine.model import sentence_model",
    ),
    "Events, policy and labels hold no tensors": ("nexus_engine/recipes.py", "import numpy"),
}
"""An import that breaks each contract, by the start of the contract's name."""


def test_each_contract_can_fail(tmp_path):
    for package in ("nexus_engine", "nexus_tui"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in BREACHES.values():
        with (tmp_path / file).open("a") as module:
            module.write(f"\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    verdicts = [line for line in done.stdout.splitlines() if line.endswith((" KEPT", " BROKEN"))]
    broken = [line for line in verdicts if line.endswith(" BROKEN")]
    assert len(verdicts) == len(BREACHES), verdicts
    for name in BREACHES:
        assert any(line.startswith(name) for line in broken), (name, verdicts)
