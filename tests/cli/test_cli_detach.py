"""A run that outlives its terminal: started apart, seen, stopped and gone on with by its name."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

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
    """Have this shell script stand in for the detached process; it notes its arguments."""

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


def test_the_child_gets_what_was_asked_and_a_folder_of_its_own(nexus, child):
    arguments = child(BEGINS)
    code, out, err = nexus(
        "train", "--detach", "--tune", "full", "--epochs", "2", "--lr", "3e-5", "--no-dendrites",
        "--json", "--verbose",
    )  # fmt: skip
    assert code == 0
    told = json.loads(out)
    assert set(told) == {"run_dir", "name", "pid"}
    assert told["name"].endswith("-demo-full")
    assert told["run_dir"] == str(runs_root() / told["name"])
    assert arguments() == [
        "-P", "-m", "nexus_tui", "train", "--tune=full", "--no-dendrites", "--epochs=2",
        "--lr=3e-05", "--out", told["run_dir"],
    ]  # fmt: skip
    assert "nexus stop" in err


def test_the_name_alone_goes_to_stdout_and_a_folder_elsewhere_is_named_whole(nexus, child, home):
    child(BEGINS)
    code, out, _ = nexus("train", "--detach")
    assert code == 0
    assert (runs_root() / out.strip()).is_dir()
    code, out, _ = nexus("train", "--detach", "--out", "here")
    assert (code, out.strip()) == (0, str(home / "work" / "here"))


def test_what_cannot_be_used_is_refused_before_anything_starts(nexus, child):
    arguments = child(BEGINS)
    code, out, err = nexus("train", "--detach", "--epochs", "0")
    assert (code, out) == (2, "")
    assert "--epochs 0: must be between" in err
    with pytest.raises(FileNotFoundError):
        arguments()
    assert not runs_root().exists()


def test_a_child_that_ends_before_its_run_begins_gives_its_own_words_and_code(nexus, child):
    child('echo "reading" >&2; echo "nexus: error: x.csv: row 3: no score" >&2; exit 3')
    code, out, err = nexus("train", "--detach")
    assert (code, out) == (3, "")
    assert err == "nexus: error: x.csv: row 3: no score\n"
    assert list(runs_root().iterdir()) == []


def test_a_child_that_dies_without_a_word_is_told(nexus, child):
    child("kill -9 $$")
    code, out, err = nexus("train", "--detach")
    assert (code, out) == (1, "")
    assert "ended without a word" in err


def test_an_interrupt_while_waiting_takes_the_child_along(nexus, child, monkeypatch, tmp_path):
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


def test_a_child_still_reading_after_a_long_while_is_left_at_it(nexus, child, monkeypatch):
    monkeypatch.setattr(background, "BEGIN_SECONDS", 0.05)
    child('sleep 1; for last; do :; done; rmdir "$last"')
    code, out, err = nexus("train", "--detach")
    assert code == 0
    assert out.strip()
    assert "still reading its data" in err


def test_a_real_run_is_seen_stopped_and_gone_on_with(
    nexus, small_data, monkeypatch, short_guard_in_children
):
    """Through real processes: the one the test is about is not this one."""
    monkeypatch.setattr(background, "BEGIN_SECONDS", 900.0)  # machines of tests may be busy
    code, out, err = nexus(
        "train", "--detach", "--data", str(small_data), "--tune", "adapter", "--epochs", "1000",
        "--switch-epochs", "1", "--threads", "1", "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    name, folder = told["name"], Path(told["run_dir"])
    try:
        assert told["pid"] != os.getpid()
        assert os.getsid(told["pid"]) == told["pid"], "not in a session of its own"
        (listed,) = (json.loads(line) for line in nexus("runs", "--json")[1].splitlines())
        assert (listed["name"], listed["state"]) == (name, "live")
        _until(lambda: any(folder.glob("checkpoints/*/manifest.json")))
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
        assert state_of(folder) == "live"
        assert nexus("stop", name, "--wait", "300")[0] == 0
        assert [run.state for run in list_runs()] == ["stopped"]
    finally:
        if state_of(folder) == "live":
            nexus("stop", name)


def _until(true, seconds=600):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)
