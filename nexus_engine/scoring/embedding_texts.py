"""The texts that are to be embedded, one after another, from files of any size.

A text is a line of a text file or of stdin, a cell of a column, or a passage of a document. Nothing
is kept: texts are yielded while the file is read.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nexus_engine.data.messages import file_error, row_error, shown_names, shown_path
from nexus_engine.data.questions.documents import DocumentCutter, document_files
from nexus_engine.data.reading.arrow_files import parquet_batches
from nexus_engine.data.reading.batches import MAX_CELL_BYTES
from nexus_engine.data.reading.formats import FileKind, kind_of_file, known_kind
from nexus_engine.data.reading.json_values import decoded
from nexus_engine.data.reading.records import Record, read_records
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import ConfigError, DataError, one_line
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.system.user_paths import user_path

__all__ = ["STDIN", "EmbeddingTexts", "TextRow"]

STDIN = "-"
TextRow = tuple[int, str]
"""The number of a text, from 1, and itself. It counts lines, records, or passages of a folder."""
MAX_LINE_CHARACTERS = 8_000_000
PARQUET_ROWS = 1024
ADVICE = "fill or remove it, or leave such rows out with --skip-bad"


class EmbeddingTexts:
    """The texts of a file, a folder of documents or stdin, in their order. `repr` shows none.

    `skipped` counts the rows that were left out so far.
    """

    def __init__(
        self,
        spec: str,
        *,
        column: str | None = None,
        skip_bad: bool = False,
        max_tokens: int = 256,
        tokenizer_folder: Path | None = None,
    ) -> None:
        self.skipped = 0
        self.label = "stdin" if spec == STDIN else shown_path(spec)
        self._spec, self._column, self._skip_bad = spec, column, skip_bad
        self._max_tokens, self._tokenizer_folder = max_tokens, tokenizer_folder

    def __iter__(self) -> Iterator[TextRow]:
        """The texts.

        Raises:
            ConfigError: `column` is given where there are no columns, or missing where there are.
            DataError: the file cannot be read, or a row has no text and is not to be left out.
        """
        self.skipped = 0
        if self._spec == STDIN:
            lines = _stdin_lines(sys.stdin.buffer)
            if self._column is None:
                return self._lines(lines)
            return self._cells(self._named(_json_records(lines), self._column))
        path = user_path(self._spec, DataError)
        try:
            is_folder = stat.S_ISDIR(os.stat(path).st_mode)
        except (OSError, ValueError) as error:
            raise refused_access(path, error) from None
        if is_folder:
            self._refuse_column("a folder of documents")
            return self._passages(path)
        source = file_source(path)
        if known_kind(path.name) is None and path.suffix.lower() != ".zip":
            self._refuse_column("a text file")
            return self._lines(text_lines(source, only_utf=True))
        return self._cells(self._records(source, kind_of_file(source, path.name)))

    def _refuse_column(self, what: str) -> None:
        if self._column is not None:
            raise ConfigError(f"--column: {self.label} is {what}, which has no columns; leave it")

    def _lines(self, lines: Iterator[str]) -> Iterator[TextRow]:
        blank = 0
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text:
                blank = blank or number
                self.skipped += self._skip_bad
                continue
            if blank and not self._skip_bad:  # blank lines at the end are no rows
                raise row_error(self.label, blank, f"the line is blank; {ADVICE}")
            if self._usable(number, text):
                yield number, text

    def _cells(self, cells: Iterator[tuple[int, object]]) -> Iterator[TextRow]:
        for row, cell in cells:
            if self._usable(row, cell):
                assert isinstance(cell, str)
                yield row, cell

    def _usable(self, row: int, cell: object) -> bool:
        """Whether a row is to be embedded; False for one that is left out."""
        reason = ""
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            reason = "the text is empty"
        elif not isinstance(cell, str):
            reason = "the value is not text"
        elif len(cell) > MAX_CELL_BYTES:
            reason = "the text is longer than 1 MB"
        if reason and not self._skip_bad:
            raise row_error(self.label, row, f"{reason}; {ADVICE}")
        self.skipped += bool(reason)
        return not reason

    def _records(self, source: Source, kind: FileKind) -> Iterator[tuple[int, object]]:
        if kind is FileKind.PARQUET:
            return self._parquet_cells(source)
        skip: Callable[[DataError], None] | None = self._skip if self._skip_bad else None
        return self._named(read_records(source, kind, skip), self._column)

    def _skip(self, _: DataError) -> None:
        self.skipped += 1

    def _named(self, records: Iterator[Record], column: str | None) -> Iterator[tuple[int, object]]:
        first = next(records, None)
        if first is None:
            return
        name = self._chosen(list(first[1]), column)
        for row, values in chain([first], records):
            yield row, values.get(name)

    def _parquet_cells(self, source: Source) -> Iterator[tuple[int, object]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with source.open() as file:
            try:
                names = pq.read_schema(file).names
            except (pa.ArrowException, OSError, ValueError):
                reason = "is damaged or no Parquet file; copy or download it again"
                raise file_error(source.label, reason) from None
        name = self._chosen(names, self._column)
        row = 0
        for batch in parquet_batches(source, [name], PARQUET_ROWS):
            for cell in batch.column(0).to_pylist():
                row += 1
                yield row, cell

    def _chosen(self, names: list[str], column: str | None) -> str:
        if column is None:
            if len(names) == 1:
                return names[0]
            reason = f"{self.label}: name the column of the texts with --column"
            raise ConfigError(f"{reason}; the columns are {shown_names(names)}")
        if column in names:
            return column
        matching = [name for name in names if name.strip().casefold() == column.strip().casefold()]
        if len(matching) != 1:
            reason = f"the column {one_line(column, 60)} is not there"
            raise file_error(self.label, f"{reason}; the columns are {shown_names(names)}")
        return matching[0]

    def _passages(self, folder: Path) -> Iterator[TextRow]:
        """The passages of the documents below `folder`, cut as in training."""
        assert self._tokenizer_folder is not None
        files = document_files(folder, beside_data=True)
        if not files:
            raise file_error(self.label, "holds no document (.md, .txt); give a folder of them")
        cutter = DocumentCutter(plain_tokenizer(self._tokenizer_folder), self._max_tokens)
        number = 0
        for file in files:
            for passage in cutter.passages_of(file, folder):
                number += 1
                yield number, passage.text


def _stdin_lines(stream: BinaryIO) -> Iterator[str]:
    """The lines of a stream in UTF-8 that can be read only once."""
    row = 0
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="strict", newline=None)
    try:
        while True:
            row += 1
            try:
                line = text.readline(MAX_LINE_CHARACTERS)
            except UnicodeDecodeError:
                reason = "is not UTF-8 at or after this line; convert it with iconv"
                raise row_error("stdin", row, reason) from None
            if not line:
                return
            if len(line) == MAX_LINE_CHARACTERS:
                raise row_error("stdin", row, "the line is longer than 8 MB")
            if "\0" in line:
                raise row_error("stdin", row, "holds a NUL byte, which is not text; remove it")
            yield line
    finally:
        with contextlib.suppress(ValueError):  # stdin is closed already
            text.detach()  # otherwise stdin would be closed with the wrapper


def _json_records(lines: Iterator[str]) -> Iterator[Record]:
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = decoded(line)
        except (json.JSONDecodeError, ValueError, RecursionError):
            reason = "not JSON; with --column, stdin holds one JSON object a line"
            raise row_error("stdin", row, reason) from None
        if not isinstance(value, dict):
            reason = "not a JSON object with named fields; write one object a line"
            raise row_error("stdin", row, reason)
        yield row, value
