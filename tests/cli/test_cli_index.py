"""`nexus index` and `nexus search --index`: results, filters and refusals in a line."""

from __future__ import annotations

import json
import math
import os
import shutil

import msgspec
import pytest
import torch
from index_support import write_guides
from question_folders import write_questions
from saved_models import save_grown_model

from nexus_engine.indexing.index_card import read_card, write_card
from nexus_engine.indexing.index_model import embedder_of
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.runs.saved_model import load_model
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


def refused(capfd, *arguments, notes=False):
    code = cli.main(list(arguments))
    out, err = capfd.readouterr()
    assert out == ""
    if notes:
        err = "".join(line for line in err.splitlines(True) if not line.startswith("note: "))
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


def test_gone_files_are_dropped_and_the_base_side_and_questions_are_told(capfd, home, base_model):
    save_grown_model(home / "run", 1, 0.3, base_model)
    write_questions(home / "q", sizes=(3, 2, 2), others=2)
    done(capfd, "index", "build", "q", "--model", "run", "--out", "ix", "--with-base")
    done(capfd, "index", "add", "ix", "docs")
    (home / "docs/guides/leave.md").unlink()
    _, err = done(capfd, "index", "add", "ix", "docs", "--prune")
    assert err == "0 new files, 0 replaced, 1 removed, 3 unchanged\n"
    out, _ = done(capfd, "index", "status", "ix")
    assert "11 passages of 3 files" in out
    assert "base     vectors by the base model too" in out
    assert "known    7 questions with their answers" in out
    (home / "q/qrels/test.tsv").write_text(f"query-id\tcorpus-id\tscore\nq0\t{CANARY}\t1\n")
    _, err = done(capfd, "index", "add", "ix", "q")
    assert "note: its questions are left out: " in err
    assert CANARY not in err
    done(capfd, "index", "refresh", "ix", "--without-base")
    (facts,) = rows(capfd, "index", "status", "ix")
    assert (facts["has_base"], facts["questions"], facts["passages"]) == (False, 7, 11)
    code, err = refused(capfd, "index", "add", "ix", "docs/guides/travel.md", "--prune")
    assert (code, "--prune: give the folder" in err) == (2, True)
    code, err = refused(capfd, "index", "refresh", "ix", "--model", "base", "--with-base")
    assert (code, "by the base model already" in err) == (2, True)


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


ASKED = {
    "Leave": "how long is parental leave",
    "Travel": "may I fly or take a train",
    "Gifts": "which presents may I keep",
}
PLACES = ("here", "there", "abroad", "at home", "in May", "next year", "in the north")


def write_guide_questions(folder):
    """21 test questions, seven for each of three passages of the guides, and others to train on."""
    passages = {
        "Leave": "Leave\nParental leave lasts for forty days.",
        "Travel": "Travel\nTrains are preferred to planes.",
        "Gifts": "Gifts\n\nNo gift above ten pounds may be taken.",
    }
    questions = [(f"{name}{i}", name, f"{asked} {place}") for name, asked in ASKED.items()
                 for i, place in enumerate(PLACES)]  # fmt: skip
    (folder / "qrels").mkdir(parents=True)
    rows = [json.dumps({"_id": name, "text": text}) for name, text in passages.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows))
    more = [(f"more{i}", "Leave", f"{ASKED['Leave']} number {i}") for i in range(40)]
    rows = [json.dumps({"_id": key, "text": text}) for key, _, text in [*questions, *more]]
    (folder / "queries.jsonl").write_text("\n".join(rows))
    for split, part in (("train", more[:20]), ("dev", more[20:]), ("test", questions)):
        lines = ["query-id\tcorpus-id\tscore", *(f"{key}\t{name}\t1" for key, name, _ in part)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines))
    return [(name, text) for _, name, text in questions]


def test_eval_judges_the_search_of_an_index(capfd, home):
    build(capfd)
    asked = write_guide_questions(home / "asked")
    (facts,) = rows(capfd, "index", "eval", "ix", "--data", "asked")
    assert (facts["questions"], facts["passages"], facts["answers_missing"]) == (21, 4, 0)
    embedder = embedder_of(load_model("base"))
    with OpenIndex(home / "ix") as index:
        for hybrid, key in ((False, "vectors"), (True, "hybrid")):
            ranks = []
            for name, text in asked:
                hits = index.search(embedder.embed([text])[0], text, 10, hybrid=hybrid)
                ranks += [i for i, hit in enumerate(hits, 1) if hit.text.startswith(name)]
            expected = sum(1 / math.log2(rank + 1) for rank in ranks) / len(asked)
            assert len(ranks) == len(asked)
            assert len(set(ranks)) > 1
            assert facts[key]["ndcg_at_10"] == pytest.approx(expected)
            assert facts[key]["recall_at_1"] == pytest.approx(ranks.count(1) / len(asked))
    gain = facts["hybrid"]["ndcg_at_10"] - facts["vectors"]["ndcg_at_10"]
    assert facts["gain"] == pytest.approx(gain)
    out, _ = done(capfd, "index", "eval", "ix", "--data", "asked")
    assert "hybrid over vectors: nDCG@10" in out
    assert "21 questions of asked, test, among 4 passages, 48 numbers as int8" in out


def test_eval_keeps_the_better_ranking_for_searches(capfd, home):
    build(capfd)
    write_guide_questions(home / "asked")
    for before in (True, False):
        write_card(home / "ix", msgspec.structs.replace(read_card(home / "ix"), hybrid=before))
        (facts,) = rows(capfd, "index", "eval", "ix", "--data", "asked")
        assert facts["ranks_by_words"] is before
        (facts,) = rows(capfd, "index", "eval", "ix", "--data", "asked", "--keep")
        assert facts["ranks_by_words"] is (facts["gain"] >= 0)
        assert read_card(home / "ix").hybrid is (facts["gain"] >= 0)
    for hybrid in (True, False):
        write_card(home / "ix", msgspec.structs.replace(read_card(home / "ix"), hybrid=hybrid))
        (told,) = rows(capfd, "index", "status", "ix")
        assert told["ranks_by_words"] is hybrid
        assert ("vectors alone" in done(capfd, "index", "status", "ix")[0]) is not hybrid
        found = rows(capfd, "search", "--index", "ix", "trains and planes")
        assert any(each["word_rank"] is not None for each in found) is hybrid
        asked = rows(capfd, "search", "--index", "ix", "trains and planes", "--hybrid")
        assert any(each["word_rank"] is not None for each in asked)
        out, _ = done(capfd, "index", "eval", "ix", "--data", "asked")
        assert f"rank by {'vectors and words' if hybrid else 'vectors alone'}" in out


def test_an_unusable_device_is_refused_and_leaves_nothing(capfd, home):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    for command in (
        ("index", "build", "docs", "--model", "base", "--out", "gpu.index"),
        ("embed", "base", "docs", "--out", "gpu.npy"),
    ):
        code, err = refused(capfd, *command, "--device", "cuda")
        assert (code, "--device cuda: torch finds no CUDA device here" in err) == (2, True)
    assert not list(home.glob("*gpu*"))


def test_eval_says_which_answers_an_index_lacks(capfd, home):
    build(capfd)
    write_guide_questions(home / "asked")
    (home / "docs/guides/travel.md").write_text("# Travel\n\nBy train.\n")
    done(capfd, "index", "add", "ix", "docs")  # replaces the passage of one answer
    out, err = done(capfd, "index", "eval", "ix", "--data", "asked", "--json")
    assert "1 of 3 answers are not in the index; they count as not found" in err
    assert json.loads(out)["vectors"]["recall_at_10"] == pytest.approx(2 / 3)
    corpus = home / "asked" / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace(".", " now."))
    code, err = refused(capfd, "index", "eval", "ix", "--data", "asked", notes=True)
    assert code == 3
    assert "none of the 3 answers of asked is in the index" in err
    code, err = refused(capfd, "index", "eval", "ix")
    assert (code, "--data is missing" in err) == (2, True)


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
        (["index", "eval", "none"], 3, "no index there"),
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
