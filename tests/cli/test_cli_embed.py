"""`nexus embed` on the command line: result, JSON, refusals and their exit codes."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)
    (home / "notes.txt").write_text(f"a dog runs\n{CANARY}\nstocks fell\n")


def test_json_and_words(capfd, home):
    arguments = ["embed", "base", "notes.txt", "--dims", "48"]
    assert cli.main([*arguments, "--out", "a.npy", "--dtype", "int8", "--json"]) == 0
    out, err = capfd.readouterr()
    facts = json.loads(out)
    assert (facts["rows"], facts["dims"], facts["dtype"]) == (3, 48, "int8")
    assert np.load(home / "a.npy").shape == (3, 48)
    assert cli.main([*arguments, "--out", "b.safetensors"]) == 0
    words, more = capfd.readouterr()
    assert "b.safetensors: 3 texts, 48 numbers of f32 each" in words
    assert CANARY not in out + err + words + more


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["base", "notes.txt", "--out", "a.csv"], 2, "must end in"),
        (["base", "notes.txt", "--out", "notes.npy"], 2, "exists"),
        (["base", "notes.txt", "--out", "gone/a.npy"], 2, "folder does not exist"),
        (["base", "notes.txt", "--out", "a.npy", "--dims", "385"], 2, "give 1..384"),
        (["base", "notes.txt", "--out", "a.npy", "--dtype", "int4"], 2, "int8"),
        (["base", "notes.txt", "--out", "a.npy", "--column", "x"], 2, "no columns"),
        (["base", "gone.txt", "--out", "a.npy"], 3, "does not exist"),
        (["no-such-run", "notes.txt", "--out", "a.npy"], 1, "no-such-run"),
        (["base", "blank.txt", "--out", "a.npy"], 3, "blank.txt:2: the line is blank"),
    ],
)
def test_refusals_take_one_line_and_leave_nothing(capfd, home, arguments, code, words):
    (home / "notes.npy").write_text("")
    (home / "blank.txt").write_text(f"{CANARY}\n\nb\n")
    before = {path.name for path in home.iterdir()}
    assert cli.main(["embed", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert words in err
    assert CANARY not in err
    left = {path.name for path in home.iterdir()} - before
    assert not left, left


def test_a_full_disk_ends_with_4(capfd, home, monkeypatch):
    from nexus_engine.scoring import embedding_partial

    def full(handle, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding_partial, "write_all", full)
    assert cli.main(["embed", "base", "notes.txt", "--out", "a.npy"]) == 4
    _, err = capfd.readouterr()
    assert err.count("\n") == 1
    assert "make room" in err


@pytest.mark.parametrize("has_bf16", [True, False])
def test_bf16_on_a_cpu_without_it_is_warned_of(capfd, monkeypatch, has_bf16):
    monkeypatch.setattr("nexus_tui.cli.commands.query_options.cpu_has_bf16", lambda: has_bf16)
    assert cli.main(["similarity", "base", "a", "b", "--precision", "bf16"]) == 0
    assert (
        "warning: this CPU does not multiply bfloat16" in capfd.readouterr().err
    ) is not has_bf16
