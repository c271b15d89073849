"""`nexus labels`: lists, shows, merges, agrees, settles and exports; refusals in a line."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from label_texts import pairs_of, write_labels

from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.reading import read_labels
from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)


@pytest.fixture
def two(home):
    """The files of two raters, who differ on a grade, on a yes and on a passage."""
    (a, b), (c, d), (e, f) = (pair for _, pair in zip(range(3), pairs_of("train"), strict=False))
    for rater, shift in (("ann", 0), ("bob", 1)):
        with LabelFile.open(f"{rater}.jsonl", rater) as labels:
            labels.judge_pair(a, b, "grade", grade=3)
            labels.judge_pair(c, d, "grade", grade=1 + 2 * shift)
            labels.judge_pair(e, f, "same", same=bool(shift))
            labels.judge_passage(f"{CANARY}?", "Yes, it sings.", "mark", relevant=not shift)
            labels.judge_passage("And where?", "In the tree.", "mark", relevant=True)
    return "ann.jsonl", "bob.jsonl"


def done(capfd, *arguments):
    code = cli.main(["labels", *arguments])
    out, err = capfd.readouterr()
    assert code == 0, err
    return out, err


def refused(capfd, *arguments):
    code = cli.main(["labels", *arguments])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert CANARY not in err
    return code, err


def settle(capfd, monkeypatch, keys, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
    return done(capfd, "agree", *arguments)


def test_the_known_files_are_listed_with_their_counts(capfd, home, two):
    out, err = done(capfd, "list")
    assert out == ""
    assert "no label files in" in err
    write_labels(home / "data/nexus/labels.jsonl", {"train": 8, "dev": 2}, {"train": 2})
    (home / "data/nexus/other.jsonl").write_text("{}\n")
    out, _ = done(capfd, "list")
    header, row = out.splitlines()
    assert header.split() == [
        "file", "pairs", "passages", "unsure", "skipped", "train", "dev", "test", "raters",
    ]  # fmt: skip
    assert row.split() == ["labels.jsonl", "10", "4", "0", "0", "12", "2", "0", "ann"]
    facts = json.loads(done(capfd, "list", "--json")[0])
    assert (facts["pairs"], facts["grades"]) == (10, [3, 3, 1, 1, 1, 1])
    assert facts["parts"] == {"train": 12, "dev": 2}
    out, _ = done(capfd, "list", ".")
    assert [line.split()[0] for line in out.splitlines()] == ["file", "ann.jsonl", "bob.jsonl"]


def test_the_standing_verdicts_are_shown(capfd, two):
    with LabelFile.open(two[0], "ann") as labels:
        labels.judge_pair("left", "right", "unsure")
        labels.judge_pair("gone", "again", "grade", grade=5)
        labels.undo()
    out, _ = done(capfd, "show", two[0])
    verdicts = [line.split()[2] for line in out.splitlines()[1:7]]
    assert verdicts == ["3", "1", "not", "answer", "answer", "unsure"]
    assert "3 pairs: 1 of grade 1, 1 of grade 3, 1 not the same" in out
    assert "2 passages for 2 questions: 2 answer, 0 do not" in out
    assert "1 unsure, 0 skipped" in out
    assert f"fingerprint {read_labels(Path(two[0])).fingerprint[:16]}" in out
    rows = [json.loads(line) for line in done(capfd, "show", two[0], "--json")[0].splitlines()]
    assert [row["kind"] for row in rows] == ["pair"] * 3 + ["search"] * 2 + ["pair"]
    assert rows[3]["question"] == f"{CANARY}?"
    assert "ann" in refused(capfd, "show", two[0], "--rater", "eve")[1]


def test_raters_are_merged_compared_settled_and_exported(capfd, monkeypatch, two):
    out, _ = done(capfd, "merge", *two, "--out", "both.jsonl")
    assert "10 verdicts of ann, bob" in out
    assert "3 on which raters disagree; settle them with: nexus labels agree" in out
    out, _ = done(capfd, "agree", "both.jsonl")
    table = [line.split() for line in out.splitlines()[1:4]]
    assert [row[3:] for row in table] == [
        ["grades", "2", "50%", "0.000"],
        ["same", "or", "not", "1", "0%", "0.000"],
        ["answer", "or", "not", "2", "50%", "0.000"],
    ]
    assert "3 disagreements\n" in out
    assert "1 of 3  ann: 1, bob: 3" in out
    assert f"question  {CANARY}?" in out
    # A wrong key, an answer, back to it, another answer, one left, one settled.
    out, err = settle(
        capfd, monkeypatch, "74b2sn", "both.jsonl", "--out", "both.jsonl", "--rater", "eve"
    )
    assert "2 settled in both.jsonl, 1 left" in err
    labels = read_labels(Path("both.jsonl"))
    assert [(v.rater, v.settled) for v in labels.verdicts[-2:]] == [("eve", True)] * 2
    assert labels.verdicts[-2].grade == 2
    assert labels.verdicts[-1].relevant is False
    out, err = settle(capfd, monkeypatch, "y", "both.jsonl", "--out", "both.jsonl")
    assert "3 disagreements, 2 of them settled" in out
    assert "1 settled in both.jsonl\n" in err
    out, _ = done(capfd, "export", "both.jsonl", "--kind", "pairs", "--out", "pairs.jsonl")
    assert out == f"{os.getcwd()}/pairs.jsonl: 3 pairs (3 train)\n"
    scores = [json.loads(line)["score"] for line in Path("pairs.jsonl").read_text().splitlines()]
    assert scores == [0.6, 0.4, 1.0]
    out, _ = done(capfd, "export", "both.jsonl", "--kind", "search", "--out", "s.csv", "--json")
    assert json.loads(out)["kind"] == "search"


def test_agreement_as_json_and_answers_of_two_files(capfd, monkeypatch, two):
    facts = json.loads(done(capfd, "agree", *two, "--json")[0])
    assert [each["kind"] for each in facts["agreement"]] == ["grades", "same", "answers"]
    assert facts["agreement"][0]["share"] == 0.5
    assert len(facts["disagreements"]) == 3
    _, err = settle(capfd, monkeypatch, "5q", *two, "--out", "settled.jsonl")
    assert "1 settled in settled.jsonl, 2 left" in err
    (verdict,) = read_labels(Path("settled.jsonl")).verdicts
    assert (verdict.rater, verdict.grade, verdict.settled) == ("settled", 5, True)
    out, _ = done(capfd, "agree", *two, "settled.jsonl")
    assert "3 disagreements, 1 of them settled" in out
    assert "settled" not in out.splitlines()[1]


def test_refusals_are_one_line(capfd, home, two):
    (home / "foreign.jsonl").write_text(f'{{"text": "{CANARY}"}}\n')
    write_labels(home / "both.jsonl", {"train": 2}, {"train": 2})
    for arguments, code, reason in (
        (("show", "foreign.jsonl"), 3, "is no label file"),
        (("show", "gone.jsonl"), 3, "no such label file"),
        (("show", "."), 3, "is a folder"),
        (("list", "gone"), 3, "is no folder"),
        (("merge", *two, "--out", two[0]), 3, "exists"),
        (("agree", two[0]), 2, "two raters"),
        (("agree", *two, "--out", "foreign.jsonl"), 3, "is no label file"),
        (("export", "both.jsonl", "--out", "x.csv"), 2, "--kind"),
        (("export", "both.jsonl", "--out", "x.txt"), 2, ".csv or .jsonl"),
    ):
        found = cli.main(["labels", *arguments])
        _, err = capfd.readouterr()
        assert found == code, arguments
        assert err.count("\n") == 1, err
        assert reason in err
        assert CANARY not in err
    assert not (home / "x.csv").exists()


def test_a_damaged_line_is_noted(capfd, two):
    with Path(two[0]).open("ab") as file:
        file.write(b'{"id": "torn')
    _, err = done(capfd, "show", two[0])
    assert "ann.jsonl: 1 damaged line does not count" in err
