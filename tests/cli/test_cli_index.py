"""`nexus index` and `nexus search --index`: results, filters and refusals in a line."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from index_support import write_guides
from saved_models import save_grown_model

from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)
    write_guides(home / "docs")


def done(capfd, *arguments):
    code = cli.main(list(arguments))
    out, err = capfd.readouterr()
    assert code == 0, err
    return out, err


def rows(capfd, *arguments):
    out, _ = done(capfd, *arguments, "--json")
    return [json.loads(line) for line in out.splitlines()]


def refused(capfd, *arguments):
    code = cli.main(list(arguments))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("nexus: error: ")
    assert CANARY not in err
    return code, err


def build(capfd, model="base"):
    return done(capfd, "index", "build", "docs", "--model", model, "--out", "ix")


def test_build_search_add_and_status(capfd, home):
    out, _ = build(capfd)
    assert out.startswith("ix: 4 passages of 3 files\n")
    assert "48 numbers as int8, 192 B" in out
    first, *_ = rows(capfd, "search", "--index", "ix", "parental leave", "-k", "2")
    assert first["rank"] == 1
    assert first["text"] == "Leave\nParental leave lasts for forty days."
    assert (first["file"], first["word_rank"], first["vector_rank"]) == ("guides/leave.md", 1, 1)
    out, _ = done(capfd, "search", "--index", "ix", "gift", "--no-hybrid", "--file", "*.txt")
    header, line = out.splitlines()
    assert header.split("\t")[:5] == ["rank", "cosine", "vector", "words", "start"]
    assert line.split("\t")[3] == ""
    (found,) = rows(capfd, "search", "--index", "ix", "x", "--folder", "rules")
    assert found["file"] == "rules/gifts.txt"
    (home / "docs/new.md").write_text("Cars are parked behind the hall.\n")
    _, err = done(capfd, "index", "add", "ix", "docs")
    assert err == "1 new files, 0 replaced, 4 unchanged\n"
    (facts,) = rows(capfd, "index", "status", "ix", "--files")
    assert facts["passages"] == 5
    assert [each["file"] for each in facts["documents"]][-1] == "new.md"
    assert facts["is_latest"] is True


def test_another_model_is_refused_with_the_command_that_refreshes(capfd, home, base_model):
    save_grown_model(home / "first", 1, 0.3, base_model)
    save_grown_model(home / "second", 1, 0.6, base_model)
    build(capfd, "first")
    assert rows(capfd, "search", "first", "leave", "--index", "ix")
    code, err = refused(capfd, "search", "second", CANARY, "--index", "ix")
    assert code == 3
    assert "refresh it: nexus index refresh ix --model second" in err
    _, err = done(capfd, "index", "refresh", "ix", "--model", "second")
    assert err == ""
    assert rows(capfd, "search", "second", "leave", "--index", "ix")
    _, err = done(capfd, "index", "refresh", "ix")
    assert err == "the index is by this model already\n"


def test_a_newer_model_of_the_run_is_noted(capfd, home, base_model):
    save_grown_model(home / "run", 1, 0.3, base_model)
    build(capfd, "run")
    shutil.rmtree(home / "run")
    save_grown_model(home / "run", 2, 0.6, base_model)
    _, err = done(capfd, "search", "leave", "--index", "ix")
    assert err == "note: the run has a newer model than the index; nexus index refresh ix\n"
    out, _ = done(capfd, "index", "status", "ix", "--measure")
    assert "which has a newer model: refresh the index" in out
    assert "between this model and the latest" in out


def test_each_use_is_noted_beside_the_run_without_text(capfd, home, base_model):
    save_grown_model(home / "run" / "best", 1, 0.3, base_model)
    (home / "run" / "run.json").write_text("{}")
    build(capfd, "run/best")
    done(capfd, "search", CANARY, "--index", "ix")
    audit = (home / "run" / "audit.jsonl").read_text()
    assert [json.loads(line)["use"] for line in audit.splitlines()] == ["index", "search"]
    assert [json.loads(line)["size"] for line in audit.splitlines()] == [4, 4]
    assert CANARY not in audit


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["index", "build", "docs", "--model", "base"], 2, "--out is missing"),
        (["index", "build", "docs", "--out", "x"], 2, "--model is missing"),
        (["index", "build", "none", "--model", "base", "--out", "x"], 3, "does not exist"),
        (["index", "build", "docs", "--model", "nix", "--out", "x"], 1, "no such run"),
        (["index", "build", "docs", "--model", "base", "--out", "docs"], 2, "exists; add to"),
        (["index", "build", "docs", "--model", "base", "--out", "x", "--dims", "0"], 2, "--dims"),
        (["index", "build", "docs", "--model", "base", "--out", "x", "--dtype", "f8"], 2, "f8"),
        (["index", "add", "docs", "docs"], 3, "no index there"),
        (["index", "status", "none"], 3, "no index there"),
        (["index", "refresh", "none"], 3, "no index there"),
        (["search", "--index", "none", CANARY], 3, "no index there"),
        (["search", "--index", "none", "  "], 3, "the query is empty"),
        (["search", "base", "q", "--index", "x", "--corpus", "docs"], 2, "not for --index"),
        (["search", "base", "q", "--corpus", "docs", "--file", "x"], 2, "are for --index"),
        (["search", "base", "--corpus", "docs"], 2, "QUERY is missing"),
    ],
)
def test_refusals_are_a_line_and_leave_nothing(capfd, home, arguments, code, reason):
    before = sorted(home.iterdir())
    actual, err = refused(capfd, *arguments)
    assert (actual, reason in err) == (code, True), err
    assert sorted(home.iterdir()) == before
