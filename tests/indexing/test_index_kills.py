"""Builds, additions and refreshes killed at random times end as without a kill."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from index_support import contents, write_guides
from question_folders import write_questions
from saved_models import save_grown_model

WORK = """
import sys
sys.path.insert(0, {support!r})
import torch
torch.set_num_threads(1)
from index_support import SMALL
from pathlib import Path
from nexus_engine.indexing.building import add, build
from nexus_engine.indexing.refreshing import refresh
for state in {call}:
    print(state.stage if hasattr(state, "stage") else "end", flush=True)
"""


def start(call):
    code = WORK.format(support=str(ROOT / "tests" / "support"), call=call)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True
    )


def finish(call):
    child = start(call)
    out, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    return out.count("\n")


def kill(call, chance, steps):
    """Kill the work at a random step of about `steps`, and at a random moment of it."""
    child = start(call)
    for _ in range(chance.randrange(max(1, steps))):
        if not child.stdout.readline():
            break
    time.sleep(chance.random() * 0.05)
    child.kill()
    child.communicate()
    return child.returncode == -9


def calls(folder: Path, out: str) -> list[str]:
    """A build, an addition that drops documents, and a refresh, as expressions.

    The index has questions and vectors by the base model.
    """
    return [
        f"build({str(folder / 'q')!r}, {str(folder / 'first')!r}, "
        f"Path({str(folder / out)!r}), with_base=True, blocks=SMALL)",
        f"add(Path({str(folder / out)!r}), {str(folder / 'q')!r}, prune=True, blocks=SMALL)",
        f"refresh(Path({str(folder / out)!r}), {str(folder / 'second')!r}, blocks=SMALL)",
    ]


@pytest.fixture
def folder(tmp_path, tiny_model):
    write_questions(tmp_path / "q", others=40)
    save_grown_model(tmp_path / "first", 1, 0.3, tiny_model)
    save_grown_model(tmp_path / "second", 2, 0.6, tiny_model)
    return tmp_path


def trial(folder, kills, seed):
    """Each work killed `kills` times and then finished, against the same without a kill."""
    chance = random.Random(seed)
    killed = 0
    for plain, hurt in zip(calls(folder, "plain"), calls(folder, "hurt"), strict=True):
        if "add" in plain:  # the corpus has become a folder of documents
            shutil.rmtree(folder / "q")
            write_guides(folder / "q")
        steps = finish(plain)
        for _ in range(kills):
            killed += kill(hurt, chance, steps)
            if "build" in hurt and (folder / "hurt").exists():
                break
        if "build" not in hurt or not (folder / "hurt").exists():
            finish(hurt)
        assert contents(folder / "hurt") == contents(folder / "plain")
    assert not list(folder.glob(".*.building"))
    return killed


def test_works_that_are_killed_once_each_end_as_without(folder):
    assert trial(folder, 1, 5) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_works_that_are_killed_many_times_end_as_without(folder, seed):
    assert trial(folder, 3, 100 + seed) >= 3
