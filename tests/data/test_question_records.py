"""Marks, negatives, columns and splits in files of questions; what is refused, and how."""

from __future__ import annotations

import json

import pytest
from question_support import known, rejected, split_names, splits, write_csv, write_lines

from nexus_engine.data.questions.fields import recognise
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.errors import DataError

COUNT = 40


def marked(header="query,passage,label", yes="1", no="0"):
    rows = [f"ask {i},right {i},{yes}" for i in range(COUNT)]
    return header, rows + [f"ask {i},wrong {i},{no}" for i in range(COUNT)]


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("True", "false")])
@pytest.mark.parametrize("header", ["query,passage,label", "Question,Document,is_relevant"])
def test_marks_are_answers_and_negatives(tmp_path, header, yes, no):
    header = header.replace("is_relevant", "Is-Relevant")
    data = load_questions(str(write_csv(tmp_path / "a.csv", *marked(header, yes, no))))
    assert known(data) == {f"ask {i}": {f"right {i}"} for i in range(COUNT)}
    assert rejected(data) == {f"ask {i}": {f"wrong {i}"} for i in range(COUNT)}
    assert data.notes[0] == (
        "40 questions with one passage each, 40 with negatives; ranking loss; "
        "judged by nDCG@10 on 4 held-out questions"
    )


def test_two_sentences_with_a_label_are_read_as_questions_where_these_are_wanted(tmp_path):
    path = write_csv(tmp_path / "a.csv", *marked("sentence1,sentence2,label"))
    assert known(load_questions(str(path)))["ask 3"] == {"right 3"}


def test_a_question_without_an_answer_is_left_out_and_counted(tmp_path):
    header, rows = marked()
    path = write_csv(tmp_path / "a.csv", header, [*rows, "lost,wrong 1,0", "gone,wrong 2,0"])
    data = load_questions(str(path))
    assert "2 questions without an answer left out" in data.notes
    assert data.counts.unanswered == 2
    assert not {"lost", "gone"} & set(known(data))


@pytest.mark.parametrize(
    ("mark", "what"), [("2", "neither 1"), ("", "empty"), ("maybe", "neither")]
)
def test_another_mark_is_refused_by_row_or_skipped(tmp_path, mark, what):
    header, rows = marked()
    path = write_csv(tmp_path / "a.csv", header, [*rows, f"ask 1,more,{mark}"])
    with pytest.raises(DataError, match=f"a.csv:82: the label is {what}"):
        load_questions(str(path))
    data = load_questions(str(path), skip_bad=True)
    assert data.counts.skipped == 1
    assert known(data)["ask 1"] == {"right 1"}


def test_graded_pairs_are_no_questions(tmp_path):
    rows = [f"ask {i},text {i},{i % 6}" for i in range(COUNT)]
    for names in ("query,passage", "sentence1,sentence2"):
        path = write_csv(tmp_path / "a.csv", f"{names},score", rows)
        with pytest.raises(DataError, match="graded pairs; train on them with --task pairs"):
            load_questions(str(path))


def test_votes_on_answers_are_ignored_with_a_note(tmp_path):
    rows = [f"ask {i},text {i},{i}" for i in range(COUNT)]
    data = load_questions(str(write_csv(tmp_path / "a.csv", "question,answer,score", rows)))
    assert "the column score is ignored: it is not 0 and 1 alone" in data.notes
    assert len(known(data)) == COUNT


def test_an_answer_that_is_also_a_negative_counts_as_answer(tmp_path):
    header, rows = marked()
    data = load_questions(str(write_csv(tmp_path / "a.csv", header, [*rows, "ask 1,right 1,0"])))
    assert data.counts.contradicted == 1
    assert "right 1" not in rejected(data)["ask 1"]


def test_negatives_that_only_a_later_row_has_are_read(tmp_path):
    rows = [{"query": f"ask {i}", "pos": f"text {i}"} for i in range(1500)]
    rows[1400]["Hard_Negative 2"] = ["far off"]
    data = load_questions(str(write_lines(tmp_path / "a.jsonl", rows)))
    assert rejected(data)["ask 1400"] == {"far off"}


@pytest.mark.parametrize(
    ("record", "passage"),
    [
        (
            {"query": "{}", "positive_passages": [{"docid": "1", "title": "T", "text": "x {}"}]},
            "T\nx {}",
        ),
        (
            {"question": "{}", "answers": ["no"], "positive_ctxs": [{"title": "", "text": "x {}"}]},
            "x {}",
        ),
        (
            {"question": "{}", "context": "x {}", "answers": {"text": ["no"], "answer_start": [1]}},
            "x {}",
        ),
        ({"question": "{}", "contexts": ["x {}"], "answer": "no"}, "x {}"),
        ({"QUESTION": "{}", "An-swer": "x {}"}, "x {}"),
    ],
)
def test_records_of_other_tools_are_read(tmp_path, record, passage):
    text = json.dumps(record)
    lines = [text.replace("{}", str(i)) for i in range(COUNT)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    assert known(load_questions(str(path))) == {
        str(i): {passage.replace("{}", str(i))} for i in range(COUNT)
    }


def test_a_column_that_stands_twice_is_refused():
    with pytest.raises(DataError, match=r"f\.csv: the column Answer appears twice"):
        recognise(["question", "answer", "Answer"], label="f.csv")


def test_a_column_that_is_named_and_not_there_is_refused():
    with pytest.raises(DataError, match=r"f\.csv: no column reply for --columns positive=reply"):
        recognise(["question", "answer"], {"positive": "reply"}, label="f.csv")
    assert recognise(["My Q", "A"], {"question": "my_q", "positive": "a"}).question == "My Q"
    assert recognise(["prompt x", "answer"], {"question": "prompt x"}).positive == "answer"


def rows_by_split(word):
    return [f"ask {i},text {i},{word(i)}" for i in range(COUNT)]


def test_a_split_column_is_used(tmp_path):
    rows = rows_by_split(lambda i: ("training", "Val", "test", "train")[i % 4])
    data = load_questions(str(write_csv(tmp_path / "a.csv", "question,answer,split", rows)))
    assert [len(split) for split in splits(data)] == [20, 10, 10]
    assert split_names(data)["ask 1"] == "dev"
    assert any(note.startswith("split as the column split says") for note in data.notes)


@pytest.mark.parametrize(
    ("word", "note"),
    [
        (lambda i: "abc"[i % 3], "row 2 says neither train"),
        (lambda i: "test", "names no train question"),
    ],
)
def test_a_split_column_of_other_words_is_ignored(tmp_path, word, note):
    rows = rows_by_split(word)
    data = load_questions(str(write_csv(tmp_path / "a.csv", "question,answer,split", rows)))
    assert any(
        f"the column split is ignored: {note}" in line or note in line for line in data.notes
    )
    assert [len(split) for split in splits(data)] == [32, 4, 4]


def test_a_single_unknown_split_is_refused(tmp_path):
    rows = rows_by_split(lambda i: "tset" if i == 7 else ("train", "dev", "test")[i % 3])
    path = write_csv(tmp_path / "a.csv", "question,answer,split", rows)
    with pytest.raises(DataError, match=r"a\.csv:9: the split is none of train"):
        load_questions(str(path))


def test_a_test_split_that_is_cut_shares_no_answer_with_the_given_dev(tmp_path):
    train = [{"query": f"ask {i}", "pos": f"text {i}"} for i in range(200)]
    dev = [{"query": f"dev {i}", "pos": f"text {i}"} for i in range(150)]
    write_lines(tmp_path / "train.jsonl", train)
    write_lines(tmp_path / "dev.jsonl", dev)
    for seed in range(5):
        data = load_questions(str(tmp_path), seed=seed)
        assert len(data.test) >= 10
        assert not set(data.test.answers.rows.values) & set(data.dev.answers.rows.values)
    assert "dev: the only answer of 150 questions also answers a train question" in data.notes


def test_questions_of_two_files_are_kept_where_they_are_and_counted(tmp_path):
    rows = [{"query": f"ask {i}", "pos": f"text {i}"} for i in range(COUNT)]
    write_lines(tmp_path / "train.jsonl", rows[:20])
    write_lines(tmp_path / "dev.jsonl", [{**rows[0], "query": "ASK  0"}, *rows[20:30]])
    write_lines(tmp_path / "test.jsonl", rows[30:])
    data = load_questions(str(tmp_path))
    assert [len(split) for split in splits(data)] == [20, 10, 10]
    assert data.counts.moved == 1
    assert data.counts.respelled == 1


def test_held_out_files_alone_are_refused(tmp_path):
    write_lines(tmp_path / "dev.jsonl", [{"query": f"a {i}", "pos": f"b {i}"} for i in range(30)])
    with pytest.raises(DataError, match="no question to train on; add a train split"):
        load_questions(str(tmp_path))


def write_llama(path, change):
    whole = {
        "queries": {f"q{i}": f"ask {i}" for i in range(COUNT)},
        "corpus": {f"p{i}": f"text {i}" for i in range(COUNT)},
        "relevant_docs": {f"q{i}": [f"p{i}"] for i in range(COUNT)},
    }
    change(whole)
    path.write_text(json.dumps(whole))
    return str(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w["relevant_docs"].pop("q3"), "a query has no relevant_docs"),
        (lambda w: w["relevant_docs"].update(q3=["p99"]), "not in corpus"),
        (lambda w: w["relevant_docs"].update(q3=[["p1"]]), "not in corpus"),
        (lambda w: w["relevant_docs"].update(q3={"p1": "high"}), "not a number"),
        (lambda w: w["corpus"].update(p3=4), "the passage is not text"),
        (lambda w: w["queries"].update(q3=" "), "the question is empty"),
        (lambda w: w.update(corpus=[]), "is not an object with"),
    ],
)
def test_a_damaged_set_of_llama_index_is_refused(tmp_path, change, reason):
    with pytest.raises(DataError, match=reason):
        load_questions(write_llama(tmp_path / "a.json", change))


def test_a_zero_of_llama_index_is_a_negative(tmp_path):
    spec = write_llama(
        tmp_path / "a.json", lambda w: w["relevant_docs"].update(q3={"p3": 2, "p4": 0})
    )
    data = load_questions(spec)
    assert known(data)["ask 3"] == {"text 3"}
    assert rejected(data)["ask 3"] == {"text 4"}


def test_no_repr_shows_a_text(tmp_path):
    data = load_questions(str(write_csv(tmp_path / "a.csv", *marked())))
    for shown in (repr(data), repr(data.train), repr(data.counts)):
        assert "ask" not in shown
        assert "right" not in shown
