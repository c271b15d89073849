"""Linter, formatter, strict types and import rules, all in one: `pytest tests/test_code.py`."""

import pytest
from conftest import CODE_CHECKS


@pytest.mark.parametrize("command", CODE_CHECKS)
def test_the_code_passes(code_checks, command):
    process, output = code_checks[command]
    code = process.wait(timeout=300)
    output.seek(0)
    assert code == 0, output.read().decode()
