"""Child processes end when the process that started them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from reliability import children

from nexus_tui.work import background

ROOT = Path(__file__).resolve().parents[2]
ENDS_SECONDS = 20.0
"""A watched process ends within a second; a busy machine may take longer."""

WATCHED = """
import os, sys, time
from nexus_engine.system.parent_watch import ParentWatch
ParentWatch(int(sys.argv[1]), lambda: open(sys.argv[2], "w").close())
open(sys.argv[2] + ".begun", "w").close()
time.sleep(60)
"""
STARTS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]])
print(child.pid, flush=True)
time.sleep(60)
"""


def _gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _ends(pid):
    ended = children.wait_until(lambda: _gone(pid), ENDS_SECONDS)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    return ended


@pytest.mark.parametrize("early", [True, False], ids=["before its first look", "while it works"])
def test_a_watched_process_ends_with_its_parent_and_clears_up(tmp_path, early):
    left = tmp_path / "left"
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS, WATCHED, str(left)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    pid = int(parent.stdout.readline())
    if not early:
        assert children.wait_until(Path(f"{left}.begun").exists, 20)
    parent.kill()
    parent.communicate()
    assert _ends(pid)
    assert left.exists()


def test_a_child_steering_sees_a_parent_that_died_before_it_was_made():
    from nexus_engine.errors import ExitCode
    from nexus_engine.training.child_steering import ChildSteering
    from nexus_engine.training.steering import StopAsked

    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        ChildSteering(os.getppid()).check()
        with pytest.raises(StopAsked) as stop:
            ChildSteering(2**30).check()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert stop.value.reason == ("parent gone", ExitCode.FAILED)


def _probe(folder):
    """In a child: a forecast as the app's form starts it."""
    from nexus_tui.words.forecasting import probe

    probe(["--data", "demo"], lambda: False)


def _library(folder):
    """In a child: the process in which perforatedai trains."""
    from nexus_engine.training.perforated.parent import _Child

    (folder / "job").mkdir()
    child = _Child(folder / "job")
    (folder / "pid").write_text(str(child._process.pid))
    time.sleep(60)


def _export(folder):
    """In a child: the process in which the app exports."""
    from nexus_tui.work.exporting import ExportRequest, run_export

    request = ExportRequest(folder / "run", "delta", str(folder / "out"))
    run_export(request, lambda *_: None, lambda: False)


@pytest.mark.parametrize("task", [_probe, _library, _export])
def test_the_children_of_the_product_end_with_it(tmp_path, task):
    process = children.start(task, tmp_path)
    grandchildren = []

    def has_begun():
        grandchildren[:] = psutil.Process(process.pid).children()
        return bool(grandchildren)

    assert children.wait_until(has_begun, 20)
    process.kill()
    process.join()
    assert _ends(grandchildren[0].pid)
    assert not (tmp_path / "job").exists()


def test_a_pause_reaches_the_process_of_perforatedai(tmp_path, monkeypatch):
    from nexus_engine.runs.requests import ControlFile
    from nexus_engine.training.perforated import parent
    from nexus_engine.training.steering import Steering

    monkeypatch.setattr(parent.sys, "executable", "/bin/true")
    child, steering, control = parent._Child(tmp_path), Steering(), ControlFile(tmp_path)
    steering.pause()
    child._check(steering)
    child._check(steering)
    steering.resume()
    child._check(steering)
    child.end()
    assert control.take() == ["pause", "resume"]


def test_a_run_that_another_process_began_is_not_taken_for_ones_own(tmp_path):
    assert not background._begun_by(os.getpid(), tmp_path)
    for content, begun in (
        (json.dumps({"pid": os.getpid()}), True),
        (json.dumps({"pid": os.getppid()}), False),
        ("[1]", False),
        ("{", False),
    ):
        (tmp_path / "run.json").write_text(content)
        assert background._begun_by(os.getpid(), tmp_path) is begun
