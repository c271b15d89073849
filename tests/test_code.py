"""Linter, formatter, strict types and import rules in one: `pytest tests/test_code.py`."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

CHECKS = ("ruff check .", "ruff format --check .", "mypy", "lint-imports --no-logo")


@pytest.mark.parametrize("command", CHECKS)
def test_the_code_passes(command):
    program, *arguments = command.split()
    completed = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert completed.returncode == 0, completed.stdout
