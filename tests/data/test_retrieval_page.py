"""Each example of docs/retrieval-data.md loads, and the page lists the names that are read."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from nexus_engine.data.questions import fields
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.task import task_of
from nexus_engine.errors import DataError
from nexus_engine.model.plain_tokenizer import plain_tokenizer

PAGE = (Path(__file__).resolve().parents[2] / "docs/retrieval-data.md").read_text()
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIES = 20
"""Of each example: three questions are too few to be split."""


def section(title: str) -> str:
    """The text below a heading, to the next one that is not part of an example."""
    lines: list[str] = []
    is_here = is_example = False
    for line in PAGE.splitlines(keepends=True):
        is_example ^= line.startswith("```")
        if line.startswith("#") and not is_example:
            is_here = line.lstrip("# ").strip() == title
        elif is_here:
            lines.append(line)
    return "".join(lines)


def examples(title: str) -> dict[str, str]:
    return dict(BLOCK.findall(section(title)))


def numbered(value: object, copy: int) -> object:
    """`value` with each text, but for what names a document, marked as one of copy `copy`."""
    match value:
        case dict():
            kept = ("source", "heading")
            return {
                key
                if key.isalpha() or key[0] == "_" or key == "relevant_docs"
                else f"{key}-{copy}": each if key in kept else numbered(each, copy)
                for key, each in value.items()
            }
        case list():
            return [numbered(each, copy) for each in value]
        case str():
            return f"{value} {copy}" if " " in value else f"{value}-{copy}" if value else ""
        case _:
            return value


def multiplied(name: str, text: str, *, beside: bool) -> str:
    """The example `text` of the file `name`, COPIES times, each copy with texts of its own."""
    if name.endswith((".md", ".txt")):
        return text
    if name.endswith(".jsonl"):
        rows = [json.loads(line) for line in text.splitlines()]
        assert len(rows) == 3
        copies = [numbered(row, copy) for copy in range(COPIES) for row in rows]
        if beside:  # the answers stand in the documents as they are
            copies = [
                {**copy, **({"answer": row["answer"]} if "answer" in row else {})}
                for copy, row in zip(copies, rows * COPIES, strict=True)
            ]
        return "".join(json.dumps(copy) + "\n" for copy in copies)
    if name.endswith(".json"):
        whole = json.loads(text)
        joined: dict[str, dict[str, object]] = {key: {} for key in whole}
        for copy in range(COPIES):
            for key, part in numbered(whole, copy).items():
                joined[key] |= part
        return json.dumps(joined)
    separator = "\t" if name.endswith(".tsv") else ","
    header, *rows = csv.reader(text.splitlines(), delimiter=separator)
    assert len(rows) == 3
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(header)
    for copy in range(COPIES):
        for row in rows:
            writer.writerow(
                cell if cell.isdigit() or cell in ("north", "south") else numbered(cell, copy)
                for cell in row
            )
    return out.getvalue()


def write(folder: Path, files: dict[str, str], *, beside: bool = False) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(multiplied(name, text, beside=beside))


@pytest.mark.parametrize(
    ("title", "questions", "passages", "negatives"),
    [
        ("Questions with passages", 3, 7, 2),
        ("Question and answer", 3, 3, 0),
        ("Triplets", 3, 6, 3),
        ("Pairs marked 0 or 1", 2, 3, 1),
        ("Glossary", 3, 3, 0),
        ("A folder of BEIR", 3, 3, 0),
        ("A question set of LlamaIndex", 2, 2, 0),
    ],
)
def test_each_shape_of_the_page_is_recognised_and_read(
    tmp_path, title, questions, passages, negatives
):
    files = examples(title)
    assert files
    write(tmp_path, files)
    spec = str(tmp_path if len(files) > 1 else tmp_path / next(iter(files)))
    assert task_of(spec) == "retrieval"
    data = load_questions(spec)
    splits = (data.train, data.dev, data.test)
    assert sum(map(len, splits)) == questions * COPIES
    assert len(data.passages) == passages * COPIES
    asked = sum(
        int((split.negatives.offsets[1:] > split.negatives.offsets[:-1]).sum()) for split in splits
    )
    assert asked == negatives * COPIES


@pytest.mark.parametrize("title", ["Documents beside questions", "Documents alone"])
def test_the_documents_of_the_page_are_cut_and_hold_the_answers(tmp_path, title, base_model):
    files = examples("Documents beside questions")
    if title == "Documents alone":
        del files["questions.jsonl"]
        files |= examples(title)
    write(tmp_path, files, beside=True)
    assert task_of(str(tmp_path)) == "retrieval"
    data = load_questions(str(tmp_path), tokenizer=plain_tokenizer(base_model.folder))
    assert data.passages.to_pylist() == [
        "Pump: Starting\nTurn the green key, then open valve 2. Wait until the lamp is green.",
        "House rules\nThe porter keeps all keys. Change the filter every March, and write it down.",
    ]
    assert (len(data.train), len(data.dev) + len(data.test)) == (0, 3 * COPIES)
    assert data.weak_train is not None
    assert set(data.weak_train.questions.to_pylist()) >= {"Pump: Starting", "House rules"}
    assert not any("in no document" in note for note in data.notes)


def test_the_columns_of_the_page_are_named_by_its_command(tmp_path):
    files = examples("Columns")
    write(tmp_path, files)
    columns = fields.columns_option(re.search(r'--columns "([^"]+)"', section("Columns"))[1])
    spec = str(tmp_path / next(iter(files)))
    assert task_of(spec) == "pairs"
    assert task_of(spec, columns) == "retrieval"
    with pytest.raises(DataError, match="too few to cut dev and test"):
        load_questions(spec, columns=columns)  # two groups cannot be three splits
    del columns["group"]
    assert len(load_questions(spec, columns=columns).train) == 48


def test_the_page_lists_the_names_that_are_read():
    text = section("Columns")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    listed = {
        (fields.squeezed(one), fields.squeezed(other))
        for ones, others in rows
        for one in re.findall(r"`([^`]+)`", ones)
        for other in re.findall(r"`([^`]+)`", others)
    }
    assert listed == set(fields.PAIRS)
    order = [fields.squeezed(name) for name in re.findall(r"`([^`]+)`", rows[0][1])]
    assert tuple(order) == fields.ANSWERS
    negatives = text.split("Negatives are")[1].split(", each")[0]
    assert {fields.squeezed(n) for n in re.findall(r"`([^`]+)`", negatives)} == set(
        fields.NEGATIVES
    )
    roles = text.split("The roles are")[1].split("graded")[0]
    assert set(re.findall(r"`([^`]+)`", roles)) == set(fields.ROLES)
