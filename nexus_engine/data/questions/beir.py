"""A folder in the layout of BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/*.tsv`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.data.files.folders import SPLITS, split_of_name
from nexus_engine.data.messages import file_error, row_error, shown_path
from nexus_engine.data.questions.gathering import Gathered, checked_text
from nexus_engine.data.reading.formats import FileKind, known_kind, stem_of_name
from nexus_engine.data.reading.records import read_records
from nexus_engine.data.reading.sources import Source, file_source
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["TitledText", "beir_files", "corpus_texts", "gather_beir"]


class TitledText(NamedTuple):
    """A passage of the corpus; `title` is "" where it has none."""

    row: int
    key: str
    title: str
    body: str

    @property
    def text(self) -> str:
        """What is encoded."""
        return f"{self.title}\n{self.body}" if self.title and self.body else self.title or self.body


def beir_files(folder: Path) -> dict[str, Path] | None:
    """`corpus`, `queries` and each split of a folder in BEIR's layout; None for another layout.

    Raises DataError for a corpus with queries of which nothing is judged.
    """
    corpus = _named(folder, "corpus")
    queries = _named(folder, "queries")
    qrels = folder / "qrels"
    if corpus is None or queries is None:
        return None
    files = {"corpus": corpus, "queries": queries}
    for path in sorted(qrels.iterdir()) if qrels.is_dir() else []:
        if known_kind(path.name) is FileKind.TSV:
            split = split_of_name(stem_of_name(path.name))
            if split in files:
                raise file_error(shown_path(qrels), f"two files judge the {split} split; keep one")
            if split is not None:
                files[split] = path
    if len(files) == 2:
        reason = "holds corpus and queries, but no qrels/train.tsv, dev.tsv or test.tsv"
        raise file_error(shown_path(folder), f"{reason}; add what answers which query")
    return files


def _named(folder: Path, stem: str) -> Path | None:
    """The JSON lines called `stem`, compressed or not."""
    for path in sorted(folder.glob(f"{stem}.*")):
        if known_kind(path.name) is FileKind.JSONL and stem_of_name(path.name) == stem:
            return path
    return None


def corpus_texts(
    source: Source, skip: Callable[[DataError], None] | None = None
) -> Iterator[TitledText]:
    """The passages of a corpus.

    Raises DataError, with the row, for a passage without an id or a text; such rows are handed to
    `skip`, if it is given, and left out.
    """
    for row, record in read_records(source, FileKind.JSONL, skip):
        try:
            key = _identity(source.label, row, record)
            title, body = record.get("title") or "", record.get("text")
            title = title.strip() if isinstance(title, str) else ""
            if not (title and isinstance(body, str) and not body.strip()):
                body = checked_text(source.label, row, body, "passage")
        except DataError as error:
            if skip is None:
                raise
            skip(error)
            continue
        yield TitledText(row, key, title, body.strip())


def gather_beir(
    into: Gathered,
    files: Mapping[str, Path],
    *,
    skip_bad: bool = False,
    judged_alone: bool = False,
) -> list[str]:
    """Gather a folder in BEIR's layout; notes on how its files were read.

    With `judged_alone` the passages that no question names are left out, whatever their number.

    Raises DataError, with file and row, for what cannot be used: a text without an id or with that
    of another, a judgement of an unknown question or passage, a score that is no number. With
    `skip_bad` such rows are left out and counted; of two texts with one id the first stays.
    """

    def meet(error: DataError) -> None:
        if not skip_bad:
            raise error
        into.skipped += 1

    judged = _judged_passages(files) if judged_alone else None
    passages: dict[str, int] = {}
    corpus = source = file_source(files["corpus"])
    for titled in corpus_texts(source, meet):
        if judged is not None and titled.key not in judged:
            continue
        if titled.key in passages:
            reason = "its _id stands twice; give each passage its own"
            meet(row_error(source.label, titled.row, reason))
        else:
            passages[titled.key] = into.passage(source.label, titled.row, titled.text)
    questions: dict[str, tuple[int, object]] = {}
    source = file_source(files["queries"])
    for row, record in read_records(source, FileKind.JSONL, meet):
        try:
            key = _identity(source.label, row, record)
        except DataError as error:
            meet(error)
            continue
        if key in questions:
            reason = "its _id stands twice; give each question its own"
            meet(row_error(source.label, row, reason))
        else:
            questions[key] = (row, record.get("text"))
    read = [corpus, source]
    for split in SPLITS:
        if split not in files:
            continue
        qrels = file_source(files[split])
        read.append(qrels)
        for row, cells in _judgements(qrels):
            into.rows += 1
            try:
                _judge(into, qrels.label, row, cells, split, passages, questions, source.label)
            except DataError as error:
                meet(error)
    return [f"{each.label}: {remark}" for each in read for remark in each.remarks]


def _judged_passages(files: Mapping[str, Path]) -> set[str]:
    """The ids of all passages that are judged."""
    judged = set()
    for split in SPLITS:
        if split in files:
            rows = (cells for _, cells in _judgements(file_source(files[split])))
            judged |= {cells[-2].strip() for cells in rows if len(cells) > 1}
    return judged


def _identity(label: str, row: int, record: Mapping[str, Any]) -> str:
    key = record.get("_id", record.get("id"))
    if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
        raise row_error(label, row, "has no _id; give each line one")
    return str(key)


def _judgements(source: Source) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file of judgements, without its header."""
    reader = csv.reader(text_lines(source), delimiter="\t", quoting=csv.QUOTE_NONE)
    row = 0
    try:
        for row, cells in enumerate(reader, start=1):
            if cells and not (row == 1 and cells[-1].strip().casefold() == "score"):
                yield row, cells
    except csv.Error:
        raise row_error(source.label, row + 1, "a cell is too long; correct the row") from None


def _judge(
    into: Gathered,
    label: str,
    row: int,
    cells: list[str],
    split: str,
    passages: Mapping[str, int],
    questions: Mapping[str, tuple[int, object]],
    queries_label: str,
) -> None:
    if len(cells) == 4:  # trec's form: question, iteration, passage, score
        cells = [cells[0], cells[2], cells[3]]
    if len(cells) != 3:
        reason = f"{len(cells)} columns where query-id, corpus-id and score are expected"
        raise row_error(label, row, f"{reason}; separate them by tabs")
    query, passage, score = (cell.strip() for cell in cells)
    try:
        gain = float(score)
    except ValueError:
        gain = math.nan
    if not math.isfinite(gain):
        raise row_error(label, row, "the score is not a number; correct it")
    if query not in questions:
        raise row_error(label, row, "its query-id is not in queries.jsonl; add it there")
    if passage not in passages:
        raise row_error(label, row, "its corpus-id is not in corpus.jsonl; add it there")
    at, text = questions[query]
    number = into.question(queries_label, at, text, key=query, split=split)
    if gain > 0:
        into.answer(number, passages[passage], gain)
    else:
        into.negative(number, passages[passage])
