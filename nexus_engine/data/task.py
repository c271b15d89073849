"""Which task data is for: graded pairs, or questions with the passages that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

import pyarrow as pa

from nexus_engine.data.files.locating import locate, located_file
from nexus_engine.data.questions.fields import (
    PAIRS,
    graded_columns,
    recognise,
    recognise_placed,
    squeezed,
)
from nexus_engine.data.questions.layout import layout_of
from nexus_engine.data.questions.llama_index import is_llama_index
from nexus_engine.data.questions.loading import DEMO, PAIR_SETS, spec_path
from nexus_engine.data.questions.records import HEAD_ROWS, head_names, mark_of
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.label_rows import read_label_rows
from nexus_engine.data.reading.records import read_records
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError, NexusError

__all__ = ["Task", "TwoTasksError", "has_questions", "task_of"]

Task = Literal["pairs", "retrieval"]
PAIR_ROLES = ("sentence1", "sentence2")
QUESTION_ROLES = ("question", "positive", "negative", "source", "heading")


class TwoTasksError(DataError):
    """A label file holds graded pairs and passages for questions."""


def has_questions(spec: str, columns: Mapping[str, str] | None = None) -> bool:
    """Whether `spec` holds questions, also beside graded pairs; otherwise as `task_of`."""
    try:
        return task_of(spec, columns) == "retrieval"
    except TwoTasksError:
        return True


def task_of(spec: str, columns: Mapping[str, str] | None = None) -> Task:
    """The task that `spec` is data for; at most the first 1,000 rows of one file are read.

    Two sentence columns with a score are pairs, unless the names are also those of a question and
    its passage and each score is 0 or 1. `columns` decides where it names a sentence or a question.
    Data that cannot be read counts as pairs: whoever loads it says why it is refused.

    Raises TwoTasksError for a label file that holds both.
    """
    roles = set(columns or {})
    if roles & set(PAIR_ROLES):
        return "pairs"
    if roles & set(QUESTION_ROLES) or spec == DEMO:
        return "retrieval"
    if not spec or spec in PAIR_SETS:
        return "pairs"
    try:
        return _task_of_path(spec, spec_path(spec), columns)
    except TwoTasksError:
        raise
    except (NexusError, OSError, ValueError, RecursionError, pa.ArrowException):
        return "pairs"


def _task_of_path(spec: str, path: Path, columns: Mapping[str, str] | None) -> Task:
    if not path.is_dir():
        return _task_of_file(*located_file(path), columns, beside_documents=False)
    layout = layout_of(path)
    if layout.beir is not None or layout.questions is not None:
        return "retrieval"
    if layout.splits is None and layout.documents:
        return "retrieval"
    files = locate(spec).files
    split = "train" if "train" in files else next(iter(files))
    source, kind = files[split][0]
    return _task_of_file(source, kind, columns, beside_documents=bool(layout.documents))


def _task_of_file(
    source: Source,
    kind: FileKind,
    columns: Mapping[str, str] | None,
    *,
    beside_documents: bool,
) -> Task:
    if kind is FileKind.JSONL and is_llama_index(source):
        return "retrieval"
    if kind is FileKind.LABELS:
        return _task_of_labels(source)
    records = read_records(source, kind)
    head = list(islice(records, HEAD_ROWS))
    names = head_names(head)
    graded = graded_columns(names)
    if graded is not None:
        first, second, score = graded
        is_question = (squeezed(first), squeezed(second)) in PAIRS
        marks = [record.get(score) for _, record in head if record.get(score) not in (None, "")]
        is_marked = bool(marks) and all(mark_of(value) is not None for value in marks)
        return "retrieval" if is_question and is_marked else "pairs"
    find = recognise_placed if beside_documents else recognise
    fields = find(names, columns)
    if fields is None:
        return "pairs"
    pair = (squeezed(fields.question), squeezed(fields.positive))
    named = columns or pair in PAIRS or not fields.positive
    return "retrieval" if named else "pairs"


def _task_of_labels(source: Source) -> Task:
    labels = read_label_rows(source).combined
    if labels.pairs and labels.passages:
        counts = f"{len(labels.pairs):,} pairs and {len(labels.passages):,} passages for questions"
        advice = "choose with --task pairs or --task retrieval"
        raise TwoTasksError(f"{source.label}: holds {counts}; {advice}")
    return "retrieval" if labels.passages else "pairs"
