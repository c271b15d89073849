"""Scripts that no test runs, benchmarks and the makers of pictures, import names that exist."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

SCRIPTS = sorted([*(ROOT / "tests" / "benchmarks").glob("*.py"), *(ROOT / "assets").glob("*.py")])
OURS = ("nexus_engine", "nexus_tui", "reliability")


def missing_names(source: str) -> Iterator[str]:
    """The names that `source` imports from the project and that are not there."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
            continue
        if node.module.split(".")[0] not in OURS:
            continue
        module = importlib.import_module(node.module)
        for name in (alias.name for alias in node.names):
            if hasattr(module, name):
                continue
            try:
                importlib.import_module(f"{node.module}.{name}")
            except ModuleNotFoundError:
                yield f"{node.module}.{name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_what_is_there(script: Path) -> None:
    assert list(missing_names(script.read_text())) == []


def test_the_check_can_fail() -> None:
    source = "from nexus_engine.config import TrainConfig, Gone\nfrom nexus_engine import config"
    assert list(missing_names(source)) == ["nexus_engine.config.Gone"]
