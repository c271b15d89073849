"""Files of questions, in the layouts in which people have them, gathered into one table.

- records: a question with its passages, and perhaps negatives, in each row;
- BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/*.tsv`, each gzipped or not;
- LlamaIndex: one JSON object with `queries`, `corpus` and `relevant_docs`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nexus_engine.data.files.folders import split_of_name
from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.questions.fields import Fields, recognise
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.reading.formats import FileKind, known_kind, stem_of_name
from nexus_engine.data.reading.records import read_records
from nexus_engine.data.reading.sources import Source, file_source
from nexus_engine.data.reading.text_lines import text_lines, text_pieces
from nexus_engine.errors import DataError

__all__ = ["beir_files", "gather_beir", "gather_llama_index", "gather_records", "is_llama_index"]

LLAMA_INDEX_KEYS = ("queries", "corpus", "relevant_docs")
MAX_JSON_CHARACTERS = 500_000_000
"""Of one JSON object that must be read whole."""


def gather_records(
    into: Gathered,
    source: Source,
    kind: FileKind,
    *,
    split: str = "",
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> Fields | None:
    """Gather the records of `source`; the fields that were read, None where it holds no questions.

    A value may be one text or a list of texts; rows of the same question are joined.
    Raises DataError with the row for what cannot be used; with `skip_bad` such rows are counted.
    """
    fields: Fields | None = None
    for row, record in read_records(source, kind):
        if fields is None:
            fields = recognise(record, columns)
            if fields is None:
                return None
        into.rows += 1
        try:
            _gather(into, source.label, row, record, fields, split)
        except DataError:
            if not skip_bad:
                raise
            into.skipped += 1
    return fields


def _gather(
    into: Gathered, label: str, row: int, record: Mapping[str, Any], fields: Fields, split: str
) -> None:
    for name in (fields.question, fields.positive):
        if name not in record:
            raise row_error(label, row, f"the field {name} is missing; fill or remove the row")
    named = record.get(fields.split) if fields.split else None
    own = split_of_name(named.strip()) if isinstance(named, str) else None
    group = record.get(fields.group) if fields.group else None
    positives = list(_texts(record[fields.positive]))
    if not positives:
        raise row_error(label, row, "the question has no answer; fill or remove the row")
    question = into.question(
        label,
        row,
        record[fields.question],
        split=split or own or "",
        group="" if group is None else str(group),
    )
    for text in positives:
        into.answer(question, into.passage(label, row, text, "answer"))
    for name in fields.negatives:
        for text in _texts(record.get(name)):
            into.negative(question, into.passage(label, row, text, "negative"))


def _texts(value: object) -> Iterator[object]:
    """The texts of a field: one, or those of a list; empty ones are left out of a list."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):  # a passage with its own id, as some tools write them
        yield value.get("text", value.get("content"))
    elif isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        try:
            found = json.loads(value)
        except ValueError:
            found = value
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            yield from found
        else:
            yield value
    elif value is not None and value != "":
        yield value


def beir_files(folder: Path) -> dict[str, Path] | None:
    """`corpus`, `queries` and each split of a folder in BEIR's layout; None for another layout."""
    corpus = _named(folder, "corpus")
    queries = _named(folder, "queries")
    qrels = folder / "qrels"
    if corpus is None or queries is None or not qrels.is_dir():
        return None
    found = {"corpus": corpus, "queries": queries}
    for path in sorted(qrels.iterdir()):
        if known_kind(path.name) is FileKind.TSV:
            split = split_of_name(stem_of_name(path.name))
            if split is not None:
                found[split] = path
    return found


def _named(folder: Path, stem: str) -> Path | None:
    for suffix in (".jsonl", ".jsonl.gz"):
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def gather_beir(into: Gathered, files: Mapping[str, Path]) -> None:
    """Gather a folder in BEIR's layout.

    Raises DataError, with file and row, for what cannot be used: an id that stands twice, a
    judgement of an unknown question or passage, a score that is no number.
    """
    passages = {}
    source = file_source(files["corpus"])
    for row, record in read_records(source, FileKind.JSONL):
        key = _identity(source.label, row, record)
        title, text = record.get("title") or "", record.get("text")
        if not isinstance(title, str):
            title = ""
        whole = f"{title}\n{text}" if title.strip() and isinstance(text, str) else text
        if key in passages:
            raise row_error(source.label, row, "its _id stands twice; give each passage its own")
        passages[key] = into.passage(source.label, row, whole)
    questions: dict[str, tuple[int, object]] = {}
    source = file_source(files["queries"])
    for row, record in read_records(source, FileKind.JSONL):
        key = _identity(source.label, row, record)
        if key in questions:
            raise row_error(source.label, row, "its _id stands twice; give each question its own")
        questions[key] = (row, record.get("text"))
    for split in ("train", "dev", "test"):
        if split in files:
            _judgements(into, file_source(files[split]), split, passages, questions, source.label)


def _identity(label: str, row: int, record: Mapping[str, Any]) -> str:
    key = record.get("_id", record.get("id"))
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise row_error(label, row, "has no _id; give each line one")
    return str(key)


def _judgements(
    into: Gathered,
    source: Source,
    split: str,
    passages: Mapping[str, int],
    questions: Mapping[str, tuple[int, object]],
    queries_label: str,
) -> None:
    reader = csv.reader(text_lines(source), delimiter="\t", quoting=csv.QUOTE_NONE)
    for row, cells in enumerate(reader, start=1):
        if not cells or (row == 1 and cells[-1].strip().casefold() == "score"):
            continue
        if len(cells) == 4:  # trec's form: question, iteration, passage, score
            cells = [cells[0], cells[2], cells[3]]
        if len(cells) != 3:
            reason = f"{len(cells)} columns where query-id, corpus-id and score are expected"
            raise row_error(source.label, row, f"{reason}; separate them by tabs")
        query, passage, score = (cell.strip() for cell in cells)
        try:
            gain = float(score)
        except ValueError:
            gain = math.nan
        if not math.isfinite(gain):
            raise row_error(source.label, row, "the score is not a number; correct it")
        if query not in questions:
            raise row_error(source.label, row, "its query-id is not in queries.jsonl; add it there")
        if passage not in passages:
            raise row_error(source.label, row, "its corpus-id is not in corpus.jsonl; add it there")
        into.rows += 1
        at, text = questions[query]
        number = into.question(queries_label, at, text, key=query, split=split)
        if gain > 0:
            into.answer(number, passages[passage], gain)
        else:
            into.negative(number, passages[passage])


def is_llama_index(source: Source) -> bool:
    """Whether a JSON file begins as LlamaIndex writes question sets: one of its keys, an object."""
    pieces = text_pieces(source)
    try:
        head = next(pieces, "").lstrip()
    finally:
        pieces.close()
    names = [f'"{key}"' for key in LLAMA_INDEX_KEYS]
    return head.startswith("{") and any(head[1:].lstrip().startswith(name) for name in names)


def gather_llama_index(into: Gathered, source: Source) -> None:
    """Gather one JSON object with `queries`, `corpus` and `relevant_docs`.

    Raises DataError for another shape, and for ids that are not there.
    """
    whole = _whole_json(source)
    if not isinstance(whole, dict) or not all(
        isinstance(whole.get(key), dict) for key in LLAMA_INDEX_KEYS
    ):
        raise file_error(source.label, f"not an object with {', '.join(LLAMA_INDEX_KEYS)}")
    passages = {key: into.passage(source.label, 1, text) for key, text in whole["corpus"].items()}
    for key, text in whole["queries"].items():
        into.rows += 1
        relevant = whole["relevant_docs"].get(key)
        if not isinstance(relevant, list | dict) or not relevant:
            raise file_error(source.label, "a query has no relevant_docs; add them or remove it")
        number = into.question(source.label, 1, text, key=key)
        for passage in relevant:
            if passage not in passages:
                reason = "relevant_docs names a passage that is not in corpus"
                raise file_error(source.label, f"{reason}; add it or remove the id")
            gain = relevant[passage] if isinstance(relevant, dict) else 1.0
            into.answer(number, passages[passage], float(gain))


def _whole_json(source: Source) -> Any:
    pieces: list[str] = []
    size = 0
    for piece in text_pieces(source):
        size += len(piece)
        if size > MAX_JSON_CHARACTERS:
            reason = "is one JSON object of more than 500 MB; write it as corpus.jsonl, "
            raise file_error(source.label, f"{reason}queries.jsonl and qrels/train.tsv")
        pieces.append(piece)
    try:
        return json.loads("".join(pieces))
    except (ValueError, RecursionError):
        raise file_error(source.label, "not JSON, or cut off; copy the file again") from None
