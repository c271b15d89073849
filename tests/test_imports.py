"""Who may import whom, seen from outside: a process of its own for each claim."""

import subprocess
import sys

import pytest


def loaded(code):
    """Top-level modules that a process has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_engine_loads_no_screen():
    every = (
        "import pkgutil, importlib, nexus_engine\n"
        "for m in pkgutil.walk_packages(nexus_engine.__path__, 'nexus_engine.'):\n"
        "    importlib.import_module(m.name)"
    )
    found = loaded(every)
    assert "torch" in found  # the check sees what is loaded
    assert not found & {"textual", "typer", "nexus_tui"}


@pytest.mark.parametrize(
    "module", ["nexus_engine.events", "nexus_engine.growth", "nexus_engine.config"]
)
def test_events_policy_and_settings_load_no_tensors(module):
    assert not loaded(f"import {module}") & {"torch", "numpy", "scipy", "datasets"}
