"""Questions and passages in every layout that is read, split without leaks."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nexus_engine.data.questions.fields import columns_option, recognise
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.errors import ConfigError, DataError

COUNT = 60
ROWS = [
    {
        "query": f"how is pump {i} started",
        "pos": [f"Pump {i} starts with the green key.", f"Turn valve {i} first."],
        "neg": [f"Fan {i} is in the hall."],
    }
    for i in range(COUNT)
]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def splits(data):
    return data.train, data.dev, data.test


def known(data):
    """Question to its answers, over all splits."""
    return {
        question: {data.passages[int(p)].as_py() for p in split.answers.rows.list_at(place)}
        for split in splits(data)
        for place, question in enumerate(split.questions.to_pylist())
    }


EXPECTED = {row["query"]: set(row["pos"]) for row in ROWS}


def as_jsonl(folder):
    return write_lines(folder / "a.jsonl", ROWS)


def as_array(folder):
    path = folder / "a.json"
    path.write_text(json.dumps(ROWS, indent=1))
    return path


def as_data(folder):
    path = folder / "a.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}))
    return path


def as_parquet(folder):
    path = folder / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def as_rows_of_csv(folder, separator=","):
    path = folder / "a.csv"
    lines = [separator.join(("anchor", "positive", "negative"))]
    for row in ROWS:
        lines += [separator.join((row["query"], text, row["neg"][0])) for text in row["pos"]]
    path.write_text("\n".join(lines) + "\n")
    return path


def as_semicolons(folder):
    return as_rows_of_csv(folder, ";")


def as_numbered_negatives(folder):
    path = folder / "a.jsonl"
    return write_lines(
        path,
        [{"question": r["query"], "answers": r["pos"], "negative_1": r["neg"][0]} for r in ROWS],
    )


def as_llama_index(folder):
    path = folder / "a.json"
    texts = sorted({text for row in ROWS for text in (*row["pos"], *row["neg"])})
    ids = {text: f"n{i}" for i, text in enumerate(texts)}
    whole = {
        "queries": {f"q{i}": row["query"] for i, row in enumerate(ROWS)},
        "corpus": {key: text for text, key in ids.items()},
        "relevant_docs": {f"q{i}": [ids[t] for t in row["pos"]] for i, row in enumerate(ROWS)},
    }
    path.write_text(json.dumps(whole))
    return path


@pytest.mark.parametrize(
    "write",
    [
        as_jsonl,
        as_array,
        as_data,
        as_parquet,
        as_rows_of_csv,
        as_semicolons,
        as_numbered_negatives,
        as_llama_index,
    ],
)
def test_each_layout_gives_the_same_questions(tmp_path, write):
    data = load_questions(str(write(tmp_path)), seed=1)
    assert known(data) == EXPECTED
    assert len(data.passages) == 3 * COUNT
    assert [len(split) for split in splits(data)] == [48, 6, 6]
    assert data.notes[0].startswith("60 questions")
    assert "judged by nDCG@10 on 6 held-out questions" in data.notes[0]


def write_beir(folder, zipped):
    folder.mkdir()
    (folder / "qrels").mkdir()

    def write(path, text):
        if zipped:
            (folder / f"{path}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / path).write_text(text)

    passages = [text for row in ROWS for text in (*row["pos"], *row["neg"])]
    write(
        "corpus.jsonl",
        "".join(
            json.dumps({"_id": f"d{i}", "title": "", "text": text}) + "\n"
            for i, text in enumerate(passages)
        ),
    )
    write(
        "queries.jsonl",
        "".join(
            json.dumps({"_id": f"q{i}", "text": r["query"]}) + "\n" for i, r in enumerate(ROWS)
        ),
    )
    for split, chosen in (("train", range(40)), ("dev", range(40, 50)), ("test", range(50, 60))):
        judged = "".join(f"q{i}\td{3 * i}\t1\nq{i}\td{3 * i + 1}\t2\n" for i in chosen)
        write(f"qrels/{split}.tsv", "query-id\tcorpus-id\tscore\n" + judged)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_beir_keeps_its_splits_and_gains(tmp_path, zipped):
    data = load_questions(str(write_beir(tmp_path / "set", zipped)))
    assert known(data) == EXPECTED
    assert [len(split) for split in splits(data)] == [40, 10, 10]
    assert data.dev.answers.gains.tolist() == [1, 2] * 10
    assert not any("cut with seed" in note for note in data.notes)


def test_nothing_leaks_from_one_split_into_another(tmp_path):
    random = np.random.default_rng(2)
    rows = [
        {"question": f"ask {i % 150}", "answer": f"text {random.integers(0, 140)}"}
        for i in range(400)
    ]
    data = load_questions(str(write_lines(tmp_path / "a.jsonl", rows)), seed=3)
    questions = [set(split.questions.to_pylist()) for split in splits(data)]
    passages = [set(split.answers.rows.values.tolist()) for split in splits(data)]
    for kinds in (questions, passages):
        assert not (kinds[0] & kinds[1] | kinds[0] & kinds[2] | kinds[1] & kinds[2])
    assert min(len(split) for split in splits(data)) >= 2


def test_a_group_stays_together(tmp_path):
    rows = [
        {"question": f"ask {i}", "answer": f"text {i}", "group": f"g{i // 10}"} for i in range(200)
    ]
    data = load_questions(str(write_lines(tmp_path / "a.jsonl", rows)))
    of = [
        {int(question.split()[1]) // 10 for question in split.questions.to_pylist()}
        for split in splits(data)
    ]
    assert not (of[0] & of[1] | of[0] & of[2] | of[1] & of[2])
    assert all(of)


def test_any_columns_can_be_named(tmp_path):
    rows = [{"prompt text": f"ask {i}", "reply": f"text {i}"} for i in range(40)]
    path = write_lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match="no question with an answer among the columns"):
        load_questions(str(path))
    columns = columns_option("question=prompt text,positive=reply")
    data = load_questions(str(path), columns=columns)
    assert known(data) == {f"ask {i}": {f"text {i}"} for i in range(40)}


@pytest.mark.parametrize("text", ["question", "asked=a", "question=a,question=b", "question="])
def test_columns_that_cannot_be_meant_are_refused(text):
    with pytest.raises(ConfigError, match="columns"):
        columns_option(text)


def test_two_sentences_are_a_question_and_its_passage_where_nothing_else_is():
    pair = recognise(["Sentence 1", "sentence_2", "label"])
    assert (pair.question, pair.positive, pair.mark) == ("Sentence 1", "sentence_2", "label")
    assert recognise(["sentence1", "sentence2", "query", "answer"]).question == "query"
    assert recognise(["text", "label"]) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query": "", "pos": ["a"]}, "the question is empty"),
        ({"query": "a", "pos": []}, "has no answer"),
        ({"query": "a", "pos": [3]}, "the answer is not text"),
        ({"query": 4, "pos": ["a"]}, "the question is not text"),
        ({"pos": ["a"]}, "the field query is missing"),
    ],
)
def test_what_cannot_be_used_is_refused_by_row_or_skipped_and_counted(tmp_path, row, reason):
    path = write_lines(tmp_path / "a.jsonl", [*ROWS, row])
    with pytest.raises(DataError, match=f"a.jsonl:61: .*{reason}"):
        load_questions(str(path))
    data = load_questions(str(path), skip_bad=True)
    assert "1 row skipped: they cannot be used" in data.notes
    assert known(data) == EXPECTED


@pytest.mark.parametrize(
    ("qrel", "reason"),
    [
        ("q1\td999\t1", "corpus-id is not in corpus.jsonl"),
        ("q999\td1\t1", "query-id is not in queries.jsonl"),
        ("q1\td1\tgood", "not a number"),
        ("q1 d1 1", "1 columns where"),
    ],
)
def test_judgements_that_fit_nothing_are_refused(tmp_path, qrel, reason):
    folder = write_beir(tmp_path / "set", zipped=False)
    path = folder / "qrels" / "dev.tsv"
    path.write_text(f"{path.read_text()}{qrel}\n")
    with pytest.raises(DataError, match=reason):
        load_questions(str(folder))


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("corpus.jsonl", {"text": "lost"}, "has no _id"),
        ("corpus.jsonl", {"_id": "d0", "text": "another"}, "its _id stands twice"),
        ("corpus.jsonl", ["d999"], "not a JSON object"),
        ("queries.jsonl", {"text": "lost"}, "has no _id"),
        ("queries.jsonl", {"_id": "q0", "text": "another"}, "its _id stands twice"),
        ("queries.jsonl", 17, "not a JSON object"),
    ],
)
def test_texts_of_beir_without_an_id_of_their_own_are_refused_or_skipped(
    tmp_path, name, line, reason
):
    folder = write_beir(tmp_path / "set", zipped=False)
    path = folder / name
    path.write_text(f"{path.read_text()}{json.dumps(line)}\n")
    with pytest.raises(DataError, match=rf"{name}:\d+: .*{reason}"):
        load_questions(str(folder))
    data = load_questions(str(folder), skip_bad=True)
    assert data.counts.skipped == 1
    assert known(data) == EXPECTED
