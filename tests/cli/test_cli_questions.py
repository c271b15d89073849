"""`nexus eval`, `compare` and `search` on questions, on the real base model."""

from __future__ import annotations

import json
import os

import pytest
from app_support import RUN_JSON, whole_run, write_run
from question_folders import write_questions
from saved_models import save_grown_model

from nexus_tui.cli import main as cli

CANARY = "kanarienvogel"


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def questions(home):
    return write_questions(home / "q", (6, 6, 10), 20)


@pytest.fixture
def run(home, questions, base_model):
    """A run on the questions that reads 40 tokens of a text, with weights."""
    settings = {**RUN_JSON["settings"], "data": str(questions), "task": "retrieval",
                "max_length": 40, "columns": None, "skip_bad": False}  # fmt: skip
    path = write_run(home / "data" / "nexus" / "runs", "asks", whole_run(), settings=settings)
    save_grown_model(path / "best", 1, 0.4, base_model)
    card = json.loads((path / "best" / "model.json").read_text())
    (path / "best" / "model.json").write_text(json.dumps({**card, "max_tokens": 40}))
    return path


def called(capfd, *arguments):
    assert cli.main(list(arguments)) == 0
    return capfd.readouterr()


def refused(capfd, *arguments):
    code = cli.main(list(arguments))
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("nexus: ")]
    assert len(errors) == 1, err
    assert "internal error" not in err
    return code, errors[0]


def test_eval_takes_the_runs_own_questions_and_length(capfd, run, questions):
    out, err = called(capfd, "eval", "asks", "--json")
    result = json.loads(out)
    assert (result["metric"], result["split"]) == ("ndcg_at_10", "test")
    assert (result["questions"], result["passages"]) == (10, 42)
    assert (result["data"], result["max_tokens"]) == (str(questions), 40)
    for side in ("", "base_"):
        score = result[f"{side}ndcg_at_10"]
        assert result[f"{side}ndcg_at_10_low"] <= score <= result[f"{side}ndcg_at_10_high"]
        for name in ("mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"):
            assert 0 <= result[side + name] <= 1
    assert result["gain"] == pytest.approx(result["ndcg_at_10"] - result["base_ndcg_at_10"])
    assert result["gain_low"] <= result["gain"] <= result["gain_high"]
    assert result["vector_scores"] == []
    assert "questions with one passage each" in err
    use = json.loads((run / "audit.jsonl").read_text().splitlines()[-1])
    assert (use["use"], use["size"]) == ("eval test", 10)
    assert len(use["data_fingerprint"]) == 64


def test_eval_agrees_with_compare_and_shows_the_whole_table(capfd, run):
    result = json.loads(called(capfd, "eval", "asks", "--split", "dev", "--json")[0])
    lines = called(capfd, "compare", "base", "asks", "--split", "dev", "--json")[0].splitlines()
    base, tuned = map(json.loads, lines)
    assert tuned["ndcg_at_10"] == pytest.approx(result["ndcg_at_10"], abs=1e-6)
    # The base is judged at the length of the run beside it.
    assert base["max_tokens"] == tuned["max_tokens"] == 40
    assert base["ndcg_at_10"] == pytest.approx(result["base_ndcg_at_10"], abs=1e-6)
    assert tuned["difference"] == pytest.approx(result["gain"], abs=1e-6)
    assert tuned["difference_low"] <= tuned["difference"] <= tuned["difference_high"]
    table = called(capfd, "eval", "asks", "--dims", "48")[0]
    assert "over base: nDCG@10" in table
    assert "base nDCG@10  tuned nDCG@10" in table
    assert "10 questions of" in table
    assert "42 passages" in table
    assert "Spearman" not in table
    compared = called(capfd, "compare", "base", "asks")[0]
    assert "nDCG@10" in compared
    assert "Spearman" not in compared


def test_length_sizes_and_a_sample_are_options(capfd, questions):
    out, err = called(
        capfd, "eval", "base", "--data", "demo-search", "--split", "dev", "--max-length", "32",
        "--eval-corpus", "300", "--dims", "48", "--json",
    )  # fmt: skip
    result = json.loads(out)
    assert (result["max_tokens"], result["passages"]) == (32, 300)
    assert [(v["numbers"], v["dtype"]) for v in result["vector_scores"]] == [
        (size, dtype) for size in (384, 48) for dtype in ("float32", "int8", "signs")
    ]
    assert all(v["ndcg_at_10"] == v["base_ndcg_at_10"] for v in result["vector_scores"])
    assert "judged against 300 of 448 passages" in err
    assert "longer than the 32 tokens" in err


def test_columns_and_bad_rows_follow_the_rules_of_training(capfd, home):
    rows = [{"ask": f"what is {n}", "say": f"it is the number {n}"} for n in range(100)]
    rows[5]["say"] = ""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (home / "faq.jsonl").write_text(text)
    options = ["eval", "base", "--data", "faq.jsonl", "--columns", "question=ask,positive=say"]
    code, error = refused(capfd, *options)
    assert code == 3
    assert "faq.jsonl:6:" in error
    result = json.loads(called(capfd, *options, "--skip-bad", "--split", "all", "--json")[0])
    assert result["questions"] == 99


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--data", "nowhere"], 3),
        (["--data", "q", "--dims", "500"], 2),
        (["--data", "q", "--dims", "many"], 2),
        (["--data", "q", "--by", "document"], 3),
        (["--data", "q", "--max-length", "20"], 2),
        (["--data", "demo", "--dims", "48"], 2),
        (["--data", "demo", "--task", "retrieval"], 3),
    ],
)
def test_what_cannot_be_judged_is_a_line_and_a_code(capfd, questions, arguments, code):
    assert refused(capfd, "eval", "base", *arguments)[0] == code


def test_search_marks_the_known_answers_and_adds_those_that_rank_lower(capfd, run, questions):
    queries = [json.loads(line) for line in (questions / "queries.jsonl").read_text().splitlines()]
    corpus = [json.loads(line) for line in (questions / "corpus.jsonl").read_text().splitlines()]
    passages = {row["_id"]: row["text"] for row in corpus}
    judged = [
        line.split("\t") for line in (questions / "qrels" / "test.tsv").read_text().splitlines()[1:]
    ]
    texts = {row["_id"]: row["text"] for row in queries}
    lower = 0
    for query, passage, _ in judged:
        out, _ = called(
            capfd,
            "search",
            "asks",
            texts[query],
            "--corpus",
            str(questions),
            "--top",
            "1",
            "--json",
        )
        found = [json.loads(line) for line in out.splitlines()]
        assert found[0]["rank"] == 1
        answers = [match for match in found if match["is_answer"]]
        assert [match["sentence"] for match in answers] == [passages[passage]]
        assert answers[0]["rank_change"] == answers[0]["base_rank"] - answers[0]["rank"]
        lower += len(found) - 1
        assert len(found) == 1 + (answers[0]["rank"] > 1)
    assert lower  # at least one answer stood below the only match


def test_search_by_document_names_the_document(capfd, home):
    (home / "d").mkdir()
    (home / "d" / "tea.md").write_text("# Tea\n\nBrew it.\n\n## Kettle\n\nDescale it.\n")
    (home / "d" / "cats.md").write_text("# Cats\n\nThey sleep.\n")
    out, _ = called(capfd, "search", "base", "kettle", "--corpus", "d", "--by", "document")
    head, *rows = [line.split("\t") for line in out.splitlines()]
    assert head[4:] == ["passage", "answer", "document", "heading", "sentence"]
    assert [row[6] for row in rows] == ["tea.md", "cats.md"]
    assert rows[0][7] == "Tea > Kettle"
    code, error = refused(
        capfd, "search", "base", "x", "--corpus", "demo-search", "--by", "document"
    )
    assert code == 3
    assert "holds no documents" in error


def test_no_text_reaches_the_run_folder(capfd, home, run):
    (home / "faq.jsonl").write_text(
        "".join(
            json.dumps({"question": f"{CANARY} {n}?", "answer": f"the {CANARY} number {n}"}) + "\n"
            for n in range(80)
        )
    )
    called(capfd, "search", "asks", f"{CANARY} 3?", "--corpus", "faq.jsonl")
    _, err = called(capfd, "eval", "asks", "--data", "faq.jsonl")
    assert CANARY not in err
    assert all(CANARY not in f.read_text() for f in run.rglob("*.json*") if f.is_file())


def test_cut_texts_are_called_what_they_are(capfd, home):
    rows = [{"question": f"what is thing {i}", "answer": f"thing {i} is a tool"} for i in range(60)]
    rows[0]["answer"] += " that cuts" * 200
    path = home / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, err = called(capfd, "eval", "base", "--data", str(path), "--split", "all")
    assert "note: 1 of 120 questions and passages is longer than the 256 tokens" in err
    _, err = called(capfd, "search", "base", "tool", "--corpus", str(path), "--top", "1")
    assert "note: 1 of 60 passages is longer than the 256 tokens" in err
