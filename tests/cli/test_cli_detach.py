"""A run that outlives its terminal: detached, listed, stopped and resumed by its name."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from pathlib import Path

import pytest

from nexus_engine.errors import RunError
from nexus_engine.runs.folder import list_runs, runs_root
from nexus_engine.runs.summary import state_of
from nexus_tui.cli import main as cli
from nexus_tui.work import background

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")


@pytest.fixture
def nexus(capfd):
    def call(*arguments):
        code = cli.main(list(arguments))
        return (code, *capfd.readouterr())

    return call


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Put a shell script in the place of the detached process; it writes down its arguments."""

    def make(script):
        path = tmp_path / "child"
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(background.sys, "executable", str(path))

        def arguments():
            return (tmp_path / "arguments").read_text().splitlines()

        return arguments

    return make


BEGINS = 'for last; do :; done; mkdir -p "$last"; '
BEGINS += 'echo "{\\"pid\\": $$}" > "$last/run.json"; sleep 0.3'


def test_the_child_gets_the_settings_and_a_folder_of_its_own(nexus, child):
    arguments = child(BEGINS)
    code, out, err = nexus(
        "train", "--detach", "--tune", "full", "--epochs", "2", "--lr", "3e-5", "--no-dendrites",
        "--json", "--verbose",
    )  # fmt: skip
    assert code == 0
    record = json.loads(out)
    assert set(record) == {"run_dir", "name", "pid"}
    assert record["name"].endswith("-demo-full")
    assert record["run_dir"] == str(runs_root() / record["name"])
    assert arguments() == [
        "-P", "-m", "nexus_tui", "train", "--tune=full", "--no-dendrites", "--epochs=2",
        "--lr=3e-05", "--out", record["run_dir"],
    ]  # fmt: skip
    assert "nexus stop" in err


def test_stdout_gets_the_name_or_the_path_of_a_folder_elsewhere(nexus, child, home):
    child(BEGINS)
    code, out, _ = nexus("train", "--detach")
    assert code == 0
    assert (runs_root() / out.strip()).is_dir()
    code, out, _ = nexus("train", "--detach", "--out", "here")
    assert (code, out.strip()) == (0, str(home / "work" / "here"))


def test_wrong_settings_are_refused_before_anything_starts(nexus, child):
    arguments = child(BEGINS)
    code, out, err = nexus("train", "--detach", "--epochs", "0")
    assert (code, out) == (2, "")
    assert "--epochs 0: must be between" in err
    with pytest.raises(FileNotFoundError):
        arguments()
    assert not runs_root().exists()


def test_a_child_that_ends_before_its_run_begins_gives_its_message_and_code(nexus, child):
    child('echo "reading" >&2; echo "nexus: error: x.csv: row 3: no score" >&2; exit 3')
    code, out, err = nexus("train", "--detach")
    assert (code, out) == (3, "")
    assert err == "nexus: error: x.csv: row 3: no score\n"
    assert list(runs_root().iterdir()) == []


def test_a_child_that_dies_without_a_message_is_reported(nexus, child):
    child("kill -9 $$")
    code, out, err = nexus("train", "--detach")
    assert (code, out) == (1, "")
    assert "ended without a message" in err


def test_an_interrupt_while_waiting_ends_the_child(nexus, child, monkeypatch, tmp_path):
    child(f'trap "echo ended > {tmp_path}/ended; exit" TERM; sleep 30 & wait')
    real = time.sleep

    def interrupted(seconds):
        real(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(background.time, "sleep", interrupted)
    code, *_ = nexus("train", "--detach")
    monkeypatch.undo()
    assert code == 130
    assert (tmp_path / "ended").exists()


def test_a_child_that_reads_for_long_is_left_running(child, capfd, home):
    child("sleep 1")
    folder = home / "work" / "run"
    assert background.start_detached(["train"], folder, begin_seconds=0.05) == 0
    out, err = capfd.readouterr()
    assert out == f"{folder}\n"
    assert "still reading its data" in err


def test_a_real_run_is_listed_stopped_and_resumed(nexus, small_data, short_guard_in_children):
    """The run trains in a real process of its own."""
    code, out, err = nexus(
        "train", "--detach", "--data", str(small_data), "--tune", "adapter", "--epochs", "1000",
        "--switch-epochs", "1", "--threads", "1", "--json",
    )  # fmt: skip
    assert code == 0, err
    record = json.loads(out)
    name, folder = record["name"], Path(record["run_dir"])
    try:
        assert record["pid"] != os.getpid()
        assert os.getsid(record["pid"]) == record["pid"], "not in a session of its own"
        _wait_until(lambda: _is_live(folder))
        (listed,) = (json.loads(line) for line in nexus("runs", "--json")[1].splitlines())
        assert (listed["name"], listed["state"]) == (name, "live")
        _wait_until(lambda: any(folder.glob("checkpoints/*/manifest.json")))
        code, out, _ = nexus("attach", "--once", name)
        assert code == 0
        assert "Spearman" in out or "epoch" in out
        code, out, err = nexus("stop", name, "--wait", "300")
        assert code == 0, err
        last = json.loads((folder / "events.jsonl").read_text().splitlines()[-1])
        assert (last["event"], last["exit_code"]) == ("run_stopped", 143)
        assert (folder / last["checkpoint"]).is_dir()

        code, out, err = nexus("train", "--resume", name, "--detach")
        assert (code, out.strip()) == (0, name), err
        _wait_until(lambda: _is_live(folder))
        assert nexus("stop", name, "--wait", "300")[0] == 0
        assert [run.state for run in list_runs()] == ["stopped"]
    finally:
        if _is_live(folder):
            nexus("stop", name)


def _is_live(folder):
    with contextlib.suppress(RunError):  # there is no run.json yet
        return state_of(folder) == "live"
    return False


def _wait_until(condition, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
