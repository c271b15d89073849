"""One small run from end to end: trained, evaluated, queried, compared, listed and shown.

It trains in a process that refuses and reports every connection.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import math
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import ROOT

from nexus_engine.event_lines import decode_event
from nexus_engine.events import TERMINAL_EVENTS, RunFinished
from nexus_engine.model.base_model import PACKAGE
from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"
CONTRACT = (
    "run_dir",
    "base_dev_spearman",
    "best_dev_spearman",
    "best_epoch",
    "test_spearman",
    "switches",
    "switches_kept",
    "params_base",
    "params_trained",
    "params_added",
    "epochs",
    "train_seconds",
    "pairs_per_second",
    "peak_rss_mb",
    "control_dev_spearman",
    "control_test_spearman",
)

NO_SOCKETS = """
import socket, sys
def refuse(*arguments, **options):
    sys.stderr.write("SOCKET\\n")
    raise OSError("no sockets here")
for name in ("connect", "connect_ex", "sendto", "bind"):
    setattr(socket.socket, name, refuse)
socket.getaddrinfo = socket.create_connection = refuse
import numpy as np
from nexus_engine.training import inputs
load_guard = inputs.load_guard  # encoding all of the guard takes most of a small run's time
inputs.load_guard = lambda: load_guard().take(np.arange(20))
from nexus_tui.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


class Trained(NamedTuple):
    """A finished run, its process's output, and the folders that it is found by."""

    path: Path
    events: list[dict[str, Any]]
    stderr: str
    pairs: Path
    data_home: Path


Nexus = Callable[..., tuple[int, str, str]]


def write_pairs(folder: Path) -> Path:
    """A folder whose three splits are the same 24 pairs, so that learning shows at once."""
    things = ("door", "river", "engine", "garden", "letter", "window")
    rows = ["sentence1,sentence2,score"]
    for i in range(24):
        first, second = things[i % 6], things[(i * 5 + i // 6) % 6]
        score = i * 7 % 24 % 6
        rows.append(f"the {CANARY} {i} sees a {first},a {CANARY} {i} saw the {second},{score}")
    folder.mkdir()
    for name in ("train", "dev", "test"):
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    world = tmp_path_factory.mktemp("world")
    pairs = write_pairs(world / "pairs")
    arguments = ["train", "--data", "pairs", "--tune", "adapter", "--lr", "3e-3", "--epochs", "3"]
    arguments += ["--switch-epochs", "1", "--control", "--threads", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, *arguments],
        capture_output=True,
        text=True,
        cwd=world,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_DATA_HOME": str(world / "data"),
            "XDG_CONFIG_HOME": str(world / "config"),
            "HF_HUB_OFFLINE": "0",
            "FORCE_COLOR": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Trained(Path(events[-1]["run_dir"]), events, done.stderr, pairs, world / "data")


@pytest.fixture
def nexus(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Nexus]:
    """Runs a command in this process, on the run's folders, with every connection refused."""
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("XDG_DATA_HOME", str(trained.data_home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(trained.data_home / "config"))
    connections: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        connections.append(arguments)
        raise OSError("no sockets here")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(list(arguments))
        return (code, *capfd.readouterr())

    yield call
    assert connections == []


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# train


def test_every_line_is_an_event_and_the_last_holds_the_contract(trained: Trained) -> None:
    decoded = [decode_event(json.dumps(event)) for event in trained.events]
    assert isinstance(decoded[-1], RunFinished)
    assert [name for name in CONTRACT if trained.events[-1].get(name) is None] == []
    assert sum(isinstance(event, TERMINAL_EVENTS) for event in decoded) == 1


def test_nothing_is_connected_and_stderr_is_plain(trained: Trained) -> None:
    assert "SOCKET" not in trained.stderr
    assert "\x1b" not in trained.stderr
    assert "epoch 2/3: dev" in trained.stderr


def test_no_sentence_leaves_the_data(trained: Trained) -> None:
    assert CANARY not in trained.stderr
    assert CANARY not in json.dumps(trained.events)
    for path in trained.data_home.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_the_run_is_private_and_the_latest(trained: Trained) -> None:
    for path in [trained.path, *trained.path.rglob("*")]:
        mode = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    assert (trained.data_home / "nexus/runs/latest").resolve() == trained.path
    assert trained.path.name.endswith("-pairs-adapter")


def test_a_finished_run_stays_ended(nexus: Nexus) -> None:
    code, out, err = nexus("train", "--resume", "latest")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "has finished" in err


# eval


def test_eval_uses_the_runs_own_data_from_anywhere(nexus: Nexus, trained: Trained) -> None:
    code, out, err = nexus("eval", "latest", "--json")
    assert (code, err) == (0, "")
    (row,) = rows_of(out)
    assert set(row) == {
        "model", "data", "split", "pairs", "spearman", "pearson", "base_spearman", "base_pearson",
        "seconds", "questions",
    }  # fmt: skip
    result = trained.events[-1]
    assert row["data"] == str(trained.pairs)
    assert row["pairs"] == 24
    assert math.isclose(row["spearman"], result["test_spearman"], abs_tol=1e-6)
    assert math.isclose(row["base_spearman"], result["base_test_spearman"], abs_tol=1e-6)
    assert row["spearman"] > row["base_spearman"]


def test_eval_table_and_splits(nexus: Nexus, trained: Trained) -> None:
    code, out, _ = nexus("eval", str(trained.path), "--split", "all")
    assert code == 0
    assert "72 pairs" in out
    assert "difference" in out
    code, out, _ = nexus("eval", "base", "--data", str(trained.pairs), "--score-range", "0,5")
    assert code == 0
    assert "difference" not in out


# similarity


def test_two_sentences_side_by_side(nexus: Nexus) -> None:
    code, out, err = nexus("similarity", "latest", "a [b]red[/b]\x1b[31m door", "the door")
    assert (code, err) == (0, "")
    assert "a [b]red[/b][31m door" in out
    assert "\x1b" not in out
    assert "tuned" in out
    assert "difference" in out
    code, out, _ = nexus("similarity", "base", "a door", "the door")
    assert code == 0
    assert "tuned" not in out


def test_similarity_as_json_keeps_sentences_as_given(nexus: Nexus) -> None:
    code, out, _ = nexus("similarity", "latest", "--json", "=a\tdoor é", "b 木")
    assert code == 0
    row = json.loads(out)
    assert row["sentence1"] == "=a\tdoor é"
    assert row["sentence2"] == "b 木"
    assert row["difference"] == row["tuned"] - row["base"]
    assert row["base"] != row["tuned"]


def test_a_file_of_pairs_as_tsv_has_no_formulas(nexus: Nexus, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('sentence1,sentence2\n=1+1,a door\n"the\nriver",@sum\n')
    code, out, err = nexus("similarity", "latest", "--file", str(path))
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["base", "tuned", "difference", "sentence1", "sentence2"]
    assert [line[3:] for line in lines[1:]] == [["'=1+1", "a door"], ["the river", "'@sum"]]
    assert all(math.isfinite(float(cell)) for line in lines[1:] for cell in line[:3])


def test_pairs_from_stdin(nexus: Nexus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a door\ta window\nx\ty\n")))
    code, out, _ = nexus("similarity", "base", "-", "--json")
    assert code == 0
    assert [row["tuned"] for row in rows_of(out)] == [None, None]


# compare, runs


def test_compare_gives_an_interval(nexus: Nexus, trained: Trained) -> None:
    code, out, _ = nexus("compare", "base", "latest", "--json")
    assert code == 0
    base, tuned = rows_of(out)
    assert (base["model"], base["difference"], base["params_added"]) == ("base", 0.0, 0)
    assert tuned["difference_low"] <= tuned["difference"] <= tuned["difference_high"]
    assert tuned["params_added"] == trained.events[-1]["params_added"]
    code, out, _ = nexus("compare", "base", "latest")
    assert code == 0
    assert "95 %" in out


def test_runs_are_listed_and_shown(nexus: Nexus, trained: Trained) -> None:
    code, out, _ = nexus("runs", "--json")
    assert code == 0
    (row,) = rows_of(out)
    assert (row["name"], row["state"]) == (trained.path.name, "finished")
    assert nexus("runs", "list", "--json")[1] == out
    assert trained.path.name in nexus("runs")[1]
    code, out, _ = nexus("runs", "show", "latest", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["run"]["settings"]["epochs"] == 3
    assert shown["result"]["best_dev_spearman"] == trained.events[-1]["best_dev_spearman"]
    assert [arm["name"] for arm in shown["arms"]] == ["main", "control:no-dendrites"]
    assert len(shown["arms"][0]["points"]) >= 3
    code, out, _ = nexus("runs", "show", str(trained.path))
    assert code == 0
    assert "switch" in out


def test_doctor_finds_this_machine_ready(nexus: Nexus) -> None:
    code, out, err = nexus("doctor", "--json")
    rows = rows_of(out)
    assert (code, err) == (0, ""), rows
    assert {"base model", "forward pass", "demo data", "disk"} <= {row["name"] for row in rows}
    assert all(row["status"] in ("ok", "warn") for row in rows)


def test_doctor_fails_without_the_model(
    nexus: Nexus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distribution = importlib.metadata.distribution

    def without_carrier(name: str) -> importlib.metadata.Distribution:
        if name == PACKAGE:
            raise importlib.metadata.PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(importlib.metadata, "distribution", without_carrier)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    code, out, _ = nexus("doctor")
    assert code == 1
    assert "fail" in out
    assert "nexus fetch model" in out
