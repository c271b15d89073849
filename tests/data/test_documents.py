"""Documents are cut into passages that know their place; questions find their answers in them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from question_support import known, splits, write_lines

from nexus_engine.data.questions.documents import DocumentCutter, document_files
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.questions.weak_pairs import TitledBody, WeakPairs, first_sentence
from nexus_engine.errors import DataError
from nexus_engine.model.plain_tokenizer import plain_tokenizer

LONG = " ".join(
    f"The number {i} valve stands open until somebody shuts it again." for i in range(80)
)
GUIDE = f"""---
title: ignored
---
Words before any heading.

# Pump
## Starting ##
Turn the green key.   Then open
valve 2 and wait.

```sh
# no heading
start --now
```

Filter
------
Change it every March.

# Long
{LONG}
"""


@pytest.fixture(scope="module")
def tokenizer():
    from nexus_engine.model.base_model import find_base_model

    return plain_tokenizer(find_base_model().folder)


def cut(folder, name, text, tokenizer, max_tokens=64):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return DocumentCutter(tokenizer, max_tokens).passages_of(path, folder)


def test_a_passage_is_text_of_its_document_below_its_headings(tmp_path, tokenizer):
    passages = cut(tmp_path, "a/guide.md", GUIDE, tokenizer)
    for passage in passages:
        assert GUIDE[passage.start : passage.start + len(passage.body)] == passage.body
        assert passage.source == "a/guide.md"
        assert len(tokenizer.encode(passage.text).ids) <= 64
    assert [passage.headings for passage in passages[:4]] == [
        (), ("Pump", "Starting"), ("Pump", "Filter"), ("Long",),
    ]  # fmt: skip
    assert passages[0].text == "Words before any heading."
    assert passages[1].text.startswith("Pump: Starting\nTurn the green key.")
    assert "# no heading" in passages[1].body
    assert "title" not in passages[0].body
    assert len(passages) > 12
    joined = "".join("".join(passage.body.split()) for passage in passages[3:])
    assert joined == "".join(LONG.split())


@pytest.mark.parametrize(
    ("text", "headings", "body"),
    [
        ("House rules\n\nNo dogs.", ("House rules",), "No dogs."),
        ("No dogs here.\n\nNo cats.", (), "No dogs here.\n\nNo cats."),
        ("# No heading\nin plain text", (), "# No heading\nin plain text"),
        ("Only a line\n\n", (), "Only a line"),
    ],
)
def test_a_plain_text_has_its_first_line_as_its_title(tmp_path, tokenizer, text, headings, body):
    [passage] = cut(tmp_path, "a.txt", text, tokenizer)
    assert (passage.headings, passage.body) == (headings, body)


def test_a_heading_that_would_fill_the_passage_is_not_encoded(tmp_path, tokenizer):
    title = " ".join(["winding"] * 50)
    passages = cut(tmp_path, "a.md", f"# {title}\n{LONG}", tokenizer)
    assert passages[0].headings == (title,)
    assert all(len(tokenizer.encode(p.text).ids) <= 64 for p in passages)
    assert title not in passages[0].text


def test_which_files_are_documents(tmp_path):
    names = ["README.md", "b.MD", "a.txt", "sub/readme.txt", ".git/x.txt", ".hidden.md", "c.pdf"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link.md").symlink_to(tmp_path / "b.MD")
    listed = [path.relative_to(tmp_path).as_posix() for path in document_files(tmp_path)]
    assert listed == ["README.md", "a.txt", "b.MD", "sub/readme.txt"]
    assert len(document_files(tmp_path, beside_data=True)) == 4
    for name in ("a.txt", "b.MD", "sub/readme.txt"):
        (tmp_path / name).unlink()
    assert document_files(tmp_path, beside_data=True) == []
    assert len(document_files(tmp_path)) == 1


def facts(count):
    """A document of sections with one fact each."""
    return "".join(
        f"## Item {i}\nThe handle of item {i} is bent to the left. "
        f"It was made in the year {1800 + i} by hand, out of oak and two sheets of tin.\n\n"
        for i in range(count)
    )


def folder_of(path, count, name="questions.jsonl", answer="{}", items=150):
    path.mkdir(exist_ok=True)
    (path / "facts.md").write_text(facts(items))
    rows = [
        {"question": f"when was thing {i} built", "answer": f"made in the YEAR\n{1800 + i} by hand"}
        for i in range(count)
    ]
    write_lines(path / name, rows)
    return str(path)


def test_answers_are_found_whatever_their_case_and_space(tmp_path, tokenizer):
    data = load_questions(folder_of(tmp_path, 120), tokenizer=tokenizer)
    assert [len(split) for split in splits(data)] == [96, 12, 12]
    for question, answers in known(data).items():
        [answer] = answers
        assert answer.startswith(f"Item {question.split()[3]}\n")
    assert len(data.passages) == 150
    assert not any("in no document" in note for note in data.notes)
    place = data.passages.to_pylist().index(next(iter(known(data)["when was thing 7 built"])))
    assert data.origins.sources[place].as_py() == "facts.md"
    assert data.origins.headings[place].as_py() == "Item 7"
    assert facts(150)[data.origins.starts[place] :].startswith("The handle of item 7 ")


def test_an_answer_over_two_passages_has_both_and_a_strange_one_is_a_passage(tmp_path, tokenizer):
    folder_of(tmp_path, 20)
    (tmp_path / "long.txt").write_text(LONG)
    rows = [
        {"question": "all", "answer": LONG},
        {"question": "lost", "answer": "Nobody wrote this down anywhere."},
    ]
    with (tmp_path / "questions.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    data = load_questions(str(tmp_path), tokenizer=tokenizer, max_tokens=64)
    answers = known(data)
    assert "".join("".join(a.split()) for a in sorted(answers["all"], key=LONG.index)) == (
        "".join(LONG.split())
    )
    assert answers["lost"] == {"Nobody wrote this down anywhere."}
    assert "1 answer stands in no document, and became a passage of the corpus" in data.notes
    assert data.origins.sources[len(data.passages) - 1].as_py() == ""
    assert data.origins.starts[-1] == -1


@pytest.mark.parametrize(
    ("header", "cell"), [("source", "{}.md"), ("answer", "made in the year {} by hand")]
)
def test_a_column_without_a_name_is_neither_source_nor_answer(tmp_path, tokenizer, header, cell):
    for year in range(1800, 1830):
        (tmp_path / f"{year}.md").write_text(
            f"# A handle of {year}\nIt was made in the year {year} by hand. It is of oak and tin."
        )
    rows = [f"{i},when was thing {i} built,{cell.format(1800 + i)}\n" for i in range(30)]
    table = f",question,{header}\n" + "".join(rows)  # as pandas writes it
    (tmp_path / "questions.csv").write_text(table)
    data = load_questions(str(tmp_path), tokenizer=tokenizer)
    [answer] = known(data)["when was thing 7 built"]
    assert "1807" in answer
    assert len(data.passages) == 30


def test_few_questions_are_all_held_out_and_weak_pairs_train(tmp_path, tokenizer):
    data = load_questions(folder_of(tmp_path, 40), tokenizer=tokenizer)
    assert [len(split) for split in splits(data)] == [0, 20, 20]
    assert data.weak_train is not None
    weak = dict(zip(data.weak_train.questions.to_pylist(), range(10**6), strict=False))
    answer = data.weak_passages[
        int(data.weak_train.answers.rows.list_at(weak["Item 7"])[0])
    ].as_py()
    assert answer.startswith("The handle of item 7 is bent")
    first = "The handle of item 7 is bent to the left."
    rest = data.weak_passages[int(data.weak_train.answers.rows.list_at(weak[first])[0])].as_py()
    assert rest.startswith("It was made in the year 1807")
    assert "300 weak pairs to train on" in data.summary
    assert not set(data.weak_passages.to_pylist()) & set(data.passages.to_pylist())


def test_a_question_that_is_held_out_is_no_weak_pair(tmp_path, tokenizer):
    folder_of(tmp_path, 40)
    (tmp_path / "facts.md").write_text(facts(150).replace("Item 3\n", "When was thing 3  built\n"))
    data = load_questions(str(tmp_path), tokenizer=tokenizer)
    questions = data.weak_train.questions.to_pylist()
    assert "Item 4" in questions
    assert not any("thing 3" in question for question in questions)


@pytest.mark.parametrize(("name", "count"), [("questions.jsonl", 19), ("dev.jsonl", 12)])
def test_fewer_than_twenty_held_out_questions_are_refused(tmp_path, tokenizer, name, count):
    with pytest.raises(DataError, match=f"only {count} held-out questions .* give at least 20"):
        load_questions(folder_of(tmp_path, count, name), tokenizer=tokenizer)


def test_train_questions_beside_documents_need_twenty_held_out_ones_too(tmp_path, tokenizer):
    with pytest.raises(DataError, match="only 6 held-out questions"):
        load_questions(folder_of(tmp_path, 30, "train.jsonl"), tokenizer=tokenizer)


def test_documents_alone_are_refused_with_the_way_to_give_questions(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("Some words.")
    with pytest.raises(DataError, match=r"holds 1 document and no questions; .*dev\.jsonl"):
        load_questions(str(tmp_path), tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"source": "nowhere.md"}, "the source is not a document of the folder"),
        ({"source": "twice.md"}, "the source is two documents"),
        ({"source": "facts.md", "heading": "Item 9999"}, "the heading is not one of its document"),
        ({"answer": " "}, "the question has no answer"),
    ],
)
def test_a_place_that_is_not_there_is_refused_by_row(tmp_path, tokenizer, row, reason):
    folder_of(tmp_path, 30)
    for part in ("x", "y"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "twice.md").write_text("Same name.")
    rows = [{"question": f"ask {i}", "source": "facts", "heading": f"item {i}"} for i in range(30)]
    write_lines(tmp_path / "questions.jsonl", [*rows, {"question": "odd", **row}])
    with pytest.raises(DataError, match=rf"questions\.jsonl:31: {reason}"):
        load_questions(str(tmp_path), tokenizer=tokenizer)
    write_lines(tmp_path / "questions.jsonl", rows)
    data = load_questions(str(tmp_path), tokenizer=tokenizer)
    assert known(data)["ask 8"] == {data.passages[8].as_py()}


def test_an_unreadable_document_is_refused(tmp_path, tokenizer):
    folder_of(tmp_path, 30)
    (tmp_path / "odd.txt").write_bytes(b"caf\xe9 \x81\xff\x00")
    with pytest.raises(DataError, match=r"odd\.txt"):
        load_questions(str(tmp_path), tokenizer=tokenizer)


def write_beir(folder, splits):
    folder.mkdir()
    (folder / "qrels").mkdir()
    corpus = [
        {"_id": f"p{i}", "title": f"Item {i}", "text": f"It holds part {i} of the old machine. "
         f"Part {i} was made by hand, out of oak and two sheets of tin."} for i in range(200)
    ]  # fmt: skip
    write_lines(folder / "corpus.jsonl", corpus)
    questions = [{"_id": f"q{i}", "text": f"where is piece {i}"} for i in range(200)]
    write_lines(folder / "queries.jsonl", questions)
    for split, chosen in splits.items():
        (folder / "qrels" / f"{split}.tsv").write_text("".join(f"q{i}\tp{i}\t1\n" for i in chosen))
    return str(folder)


def test_a_corpus_that_is_only_judged_trains_on_its_titles(tmp_path):
    data = load_questions(write_beir(tmp_path / "a", {"test": range(40)}))
    assert [len(split) for split in splits(data)] == [0, 20, 20]
    weak = data.weak_train
    assert len(weak) == 400
    place = weak.questions.to_pylist().index("Item 7")
    [row] = weak.answers.rows.list_at(place)
    assert data.weak_passages[int(row)].as_py().startswith("It holds part 7")
    with pytest.raises(DataError, match="only 19 held-out questions"):
        load_questions(write_beir(tmp_path / "b", {"dev": range(19)}))


def test_weak_pairs_of_a_corpus_are_used_where_few_of_its_passages_are_asked_for(tmp_path):
    held = {"dev": range(100, 115), "test": range(115, 130)}
    few = load_questions(write_beir(tmp_path / "a", {"train": range(50), **held}))
    assert few.weak_train is not None
    many = load_questions(write_beir(tmp_path / "b", {"train": range(51), **held}))
    assert many.weak_train is None
    assert few.fingerprint != many.fingerprint


def test_a_corpus_without_judgements_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no qrels/train\.tsv"):
        load_questions(write_beir(tmp_path / "a", {}))


@pytest.mark.parametrize(
    ("body", "pair"),
    [
        ("The pump has a key. " + "It is green and small, and hangs by the old door.",
         ("The pump has a key.", "It is green and small, and hangs by the old door.")),
        ("- The pump has a key. " + "It is green and small, and hangs by the old door.",
         ("The pump has a key.", "It is green and small, and hangs by the old door.")),
        ("Too short. " + "It is green and small, and hangs by the old door.", None),
        ("The pump has a key. It is green.", None),
        ("| a | table. | with a row. It is green and small, and hangs by the old door.", None),
        ("No end of a sentence in here", None),
    ],
)  # fmt: skip
def test_first_sentences(body, pair):
    assert first_sentence(body) == pair


def test_a_heading_of_many_passages_asks_for_none_and_names_stand_in_for_headings():
    bodies = [TitledBody("Overview", f"body {i}", "a.md") for i in range(9)]
    bodies += [
        TitledBody("", "body x", "notes/pump_room-rules.txt"),
        TitledBody("", "y", "ch7.txt"),
    ]
    pairs = WeakPairs.of(bodies)
    assert pairs.split.questions.to_pylist() == ["pump room rules"]
    assert pairs.texts.to_pylist() == ["body x"]
    assert np.array_equal(pairs.split.answers.rows.values, [0])
