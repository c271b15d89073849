"""`nexus search`: table, JSON, TSV and refusals, on the real base model."""

from __future__ import annotations

import json
import os

import pytest

from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)


@pytest.fixture
def notes(home):
    file = home / "notes.txt"
    file.write_text(
        "A dog runs in the park.\n\n=The patient was sent home.\nStocks fell sharply.\n"
        "Stocks fell sharply.\n"
    )
    return file


def refused(capfd, *arguments):
    code = cli.main(["search", *arguments])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert CANARY not in err
    return code, err


def test_json_lines_tell_rank_scores_and_line(capfd, notes):
    from saved_models import save_grown_model

    from nexus_engine.model.base_model import find_base_model

    model = save_grown_model(notes.parent / "best", 1, 0.4, find_base_model())
    arguments = [str(model), "--corpus", str(notes), "--top", "2", "--json", "a patient went home"]
    assert cli.main(["search", *arguments]) == 0
    out, _ = capfd.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["sentence"] == "=The patient was sent home."
    assert (rows[0]["line"], rows[0]["times"]) == (3, 1)
    assert rows[0]["tuned"] >= rows[1]["tuned"]
    assert rows[0]["rank_change"] == rows[0]["base_rank"] - 1
    assert -1 <= rows[0]["base"] <= 1


def test_a_pipe_gets_tsv_in_which_no_cell_is_a_formula(capfd, notes):
    assert cli.main(["search", "base", "--corpus", str(notes), "a patient went home"]) == 0
    out, _ = capfd.readouterr()
    lines = out.splitlines()
    assert lines[0] == "rank\tbase\ttuned\tmoved\tline\tsentence"
    assert len(lines) == 4  # the repeated sentence counts once
    first = lines[1].split("\t")
    assert first[0] == "1"
    assert first[2:] == ["", "", "3", "'=The patient was sent home."]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.txt", None, "does not exist"),
        ("empty.txt", b"", "holds no sentence"),
        ("latin.txt", b"caf\xe9 " + CANARY.encode(), "not UTF-8"),
        ("nul.txt", b"a\0" + CANARY.encode(), "NUL"),
        ("long.txt", b"x" * 10_000_000, "longer than 8 MB"),
    ],
)
def test_a_bad_file_is_exit_3_in_a_line(capfd, home, name, content, reason):
    if content is not None:
        (home / name).write_bytes(content)
    code, err = refused(capfd, "base", "--corpus", name, CANARY)
    assert code == 3
    assert reason in err


def test_a_folder_a_pipe_and_an_empty_query_are_exit_3(capfd, home, notes):
    os.mkfifo(home / "pipe")
    (home / "nothing").mkdir()
    assert refused(capfd, "base", "--corpus", "nothing", "q")[0] == 3
    assert refused(capfd, "base", "--corpus", "pipe", "q")[0] == 3
    assert refused(capfd, "base", "--corpus", str(notes), "  ")[0] == 3


def test_usage_is_exit_2_and_an_unknown_model_exit_1(capfd, notes):
    assert refused(capfd, "base", "q")[0] == 2
    assert refused(capfd, "base", "--corpus", str(notes), "--top", "0", "q")[0] == 2
    code, err = refused(capfd, "nowhere", "--corpus", str(notes), "q")
    assert code == 1
    assert "no such run" in err
