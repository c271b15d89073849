"""`nexus data`: what it says of pairs, questions and documents; refusals and exit codes."""

from __future__ import annotations

import json
import os

import pytest
from question_support import write_csv, write_lines

from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)


def as_json(capfd, *arguments):
    assert cli.main(["data", *arguments, "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return json.loads(out)


def test_tables_fit_80_columns_and_quote_nothing(capfd, home):
    rows = [f"{CANARY} asks {i},{CANARY} says {i}" for i in range(40)]
    path = write_csv(home / "faq.csv", "question,answer", rows)
    assert cli.main(["data", str(path)]) == 0
    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert lines[0] == (
        "40 questions with one passage each; ranking loss; "
        "judged by nDCG@10 on 4 held-out questions"
    )
    assert max(map(len, lines[1:])) <= 80
    assert "leaks between splits: none" in lines
    assert "note: dev and test cut with seed 1: no question and no answer in two splits" in lines
    assert CANARY not in out + err


def test_the_demo_of_pairs_as_json(capfd):
    found = as_json(capfd, "demo")
    assert found["task"] == "pairs"
    assert found["splits"]["dev"] == {"pairs": 368, "sentences": 483}
    assert found["leaks"] == found["doubts"] == []
    assert sum(map(sum, found["score_histogram"].values())) == 1840
    assert found["tokens"]["sentences"]["longest"] == 39


def test_the_demo_of_questions_at_a_length(capfd):
    found = as_json(capfd, "demo-search", "--max-length", "64")
    assert found["task"] == "retrieval"
    assert found["splits"]["train"]["questions"] == 360
    passages = found["tokens"]["passages"]
    assert passages["cut"] > 300
    assert passages["share_cut"] == passages["cut"] / 448
    assert found["score_histogram"] is None


def test_the_task_can_be_chosen(capfd, home):
    rows = [f"{CANARY} {i},text {i},{i % 2}" for i in range(80)]
    path = str(write_csv(home / "a.csv", "sentence1,sentence2,label", rows))
    assert as_json(capfd, path)["task"] == "pairs"
    found = as_json(capfd, path, "--task", "retrieval")
    assert found["task"] == "retrieval"
    assert found["checks"]["questions_without_an_answer"] == 40


def test_columns_and_bad_rows(capfd, home):
    rows = [{"ask it": f"{CANARY} {i}", "say it": f"text {i}"} for i in range(40)]
    path = str(write_lines(home / "a.jsonl", [*rows, {"ask it": "", "say it": "x"}]))
    named = ("--columns", "question=ask it,positive=say it")
    assert cli.main(["data", path, *named]) == 3
    assert "a.jsonl:41: the question is empty" in capfd.readouterr().err
    found = as_json(capfd, path, *named, "--skip-bad")
    assert found["checks"]["rows_skipped"] == 1


def test_documents_are_cut_at_the_length(capfd, home):
    text = " ".join(f"The valve {i} is open until noon." for i in range(400))
    (home / "docs").mkdir()
    (home / "docs" / "a.md").write_text(f"# Valves\n{text}")
    rows = [{"question": f"ask {i}", "answer": f"the valve {i} is open"} for i in range(30)]
    write_lines(home / "docs" / "dev.jsonl", rows)
    found = as_json(capfd, str(home / "docs"), "--max-length", "48")
    assert found["tokens"]["passages"]["longest"] <= 48
    assert found["splits"]["weak_train"]["questions"] > 20
    assert found["splits"]["train"]["questions"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["none.csv"], 3, "does not exist"),
        (["one.csv", "--task", "retrieval"], 3, "no question with an answer among the columns"),
        (["one.csv"], 3, ""),
        (["demo", "--columns", "question"], 2, "columns: write ROLE=NAME"),
        (["demo", "--columns", "sentence1=a"], 2, "name both sentence1 and sentence2"),
        (["demo", "--max-length", "7"], 2, "32"),
        (["folder"], 3, "holds 1 document and no questions"),
    ],
)
def test_refusals_are_one_line(capfd, home, arguments, code, reason):
    (home / "one.csv").write_text(f"left hand,right hand\n{CANARY},b\n")
    (home / "folder").mkdir()
    (home / "folder" / "a.md").write_text(CANARY)
    assert cli.main(["data", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert reason in err
    assert CANARY not in err
    assert "Traceback" not in err
