"""A corpus as documents whose passages stream, for an index of any size.

A text file is one document with a passage a line, BEIR's `corpus.jsonl` one with a passage a row,
and a folder of text and Markdown files holds a document a file, cut as in training. Other data are
read as in training, into memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nexus_engine.data.messages import row_error
from nexus_engine.data.questions.beir import corpus_texts
from nexus_engine.data.questions.documents import DocumentCutter, document_name
from nexus_engine.data.questions.layout import Layout, layout_of
from nexus_engine.data.questions.loading import DEMO, load_questions, spec_path
from nexus_engine.data.reading.formats import FileKind, known_kind, stem_of_name
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.data.task import has_questions
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.scoring.corpus_reading import CORPUS_STEM, MAX_SENTENCE_CHARACTERS

__all__ = ["CorpusOptions", "IndexedPassage", "SourceDocument", "corpus_documents", "corpus_path"]

CHUNK_BYTES = 1 << 20


class CorpusOptions(NamedTuple):
    """How a corpus is read: as for training."""

    max_tokens: int = 256
    """Of a passage that is cut from a document, the model's two marks included."""
    columns: Mapping[str, str] | None = None
    skip_bad: bool = False
    seed: int = 0


class IndexedPassage(NamedTuple):
    """A passage: the text that is embedded, and where it starts."""

    text: str
    start: int
    """The character in a document, or the number of the line or row, from 1."""
    heading: str = ""


class SourceDocument(NamedTuple):
    """A file of a corpus. `passages` may be read once."""

    folder: str
    """The absolute path of the corpus' folder."""
    name: str
    """The file's path in `folder`."""
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    passages: Iterator[IndexedPassage]


def corpus_path(spec: str) -> Path:
    """The absolute path that the corpus `spec` means, links resolved.

    Raises:
        DataError: there is no such file or folder.
    """
    path = spec_path(spec)
    try:
        os.stat(path)
        return path.resolve()
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None


def corpus_documents(spec: str, options: CorpusOptions) -> Iterator[SourceDocument]:
    """The documents of the corpus `spec`, in order of their names.

    Raises:
        DataError: the corpus is missing or damaged; with file and row.
    """
    path = corpus_path(spec)
    if stat.S_ISDIR(os.stat(path).st_mode):
        layout = layout_of(path)
        if layout.beir is not None:
            yield _rows_document(layout.beir["corpus"], path, options)
        elif layout.documents:
            yield from _cut_documents(path, layout, options)
        else:
            yield _questions_document(spec, path, path, options)
        return
    folder = path.parent
    kind = known_kind(path.name)
    if kind is FileKind.JSONL and stem_of_name(path.name) == CORPUS_STEM:
        yield _rows_document(path, folder, options)
    elif spec != DEMO and (kind is None or not has_questions(spec, options.columns)):
        source = file_source(path)
        yield SourceDocument(str(folder), path.name, _digest(source), _lines(source))
    else:
        yield _questions_document(spec, path, folder, options)


def _lines(source: Source) -> Iterator[IndexedPassage]:
    for number, line in enumerate(text_lines(source, only_utf=True), start=1):
        sentence = line.strip()
        if len(sentence) > MAX_SENTENCE_CHARACTERS:
            raise row_error(source.label, number, "the sentence is longer than 1 MB; shorten it")
        if sentence:
            yield IndexedPassage(sentence, number)


def _rows_document(path: Path, folder: Path, options: CorpusOptions) -> SourceDocument:
    source = file_source(path)
    skip = (lambda _: None) if options.skip_bad else None
    passages = (IndexedPassage(t.text, t.row, t.title) for t in corpus_texts(source, skip))
    return SourceDocument(str(folder), document_name(path, folder), _digest(source), passages)


def _cut_documents(
    folder: Path, layout: Layout, options: CorpusOptions
) -> Iterator[SourceDocument]:
    cutter = DocumentCutter(plain_tokenizer(find_base_model().folder), options.max_tokens)

    def passages(path: Path) -> Iterator[IndexedPassage]:
        for each in cutter.passages_of(path, folder):
            yield IndexedPassage(each.text, each.start, " > ".join(each.headings))

    for path in layout.documents:
        digest = _digest(file_source(path))
        yield SourceDocument(str(folder), document_name(path, folder), digest, passages(path))


def _questions_document(
    spec: str, path: Path, folder: Path, options: CorpusOptions
) -> SourceDocument:
    """The passages of questions, which are known only once all questions are read."""
    data = load_questions(
        spec,
        seed=options.seed,
        columns=options.columns,
        skip_bad=options.skip_bad,
        tokenizer=plain_tokenizer(find_base_model().folder),
        max_tokens=options.max_tokens,
    )
    texts = data.passages.to_pylist()
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "replace") + b"\0")
    passages = (IndexedPassage(text, row) for row, text in enumerate(texts, start=1))
    name = "passages" if path == folder else path.name
    return SourceDocument(str(folder), name, digest.hexdigest(), passages)


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    with source.open() as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
