"""A corpus as documents whose passages stream, for an index of any size, with its questions.

A text file is one document with a passage a line, BEIR's `corpus.jsonl` one with a passage a row,
and a folder of text and Markdown files holds a document a file, cut as in training. Other data are
read as in training, into memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from nexus_engine.data.messages import row_error
from nexus_engine.data.questions.beir import corpus_texts
from nexus_engine.data.questions.documents import DocumentCutter, document_name
from nexus_engine.data.questions.layout import Layout
from nexus_engine.data.questions.loading import load_questions, spec_path
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.indexing.judged_questions import (
    JudgedQuestion,
    SourceQuestions,
    beir_questions,
    questions_of,
)
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.scoring.corpus_files import CorpusKind, corpus_files
from nexus_engine.scoring.corpus_reading import MAX_SENTENCE_CHARACTERS

__all__ = [
    "CorpusOptions",
    "IndexCorpus",
    "IndexedPassage",
    "SourceDocument",
    "corpus_path",
    "open_corpus",
]

CHUNK_BYTES = 1 << 20


class CorpusOptions(NamedTuple):
    """How a corpus is read: as for training."""

    max_tokens: int = 256
    """Of a passage that is cut from a document, the model's two marks included."""
    columns: Mapping[str, str] | None = None
    skip_bad: bool = False
    seed: int = 0
    tokenizer_folder: Path | None = None
    """The base model's folder, by whose tokens documents are cut; None for the usual one."""

    def tokenizer(self) -> Tokenizer:
        """What counts the tokens of a document."""
        return plain_tokenizer(self.tokenizer_folder or find_base_model().folder)


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


class IndexCorpus(NamedTuple):
    """A corpus as an index takes it."""

    folder: str
    """The absolute path of its folder."""
    is_folder: bool
    """Whether the corpus is that folder; else a file in it."""
    documents: Iterator[SourceDocument]
    """In order of their names; to be read once."""
    questions: SourceQuestions | None = None
    """Questions of which the corpus says what answers them."""


def open_corpus(spec: str, options: CorpusOptions) -> IndexCorpus:
    """The corpus `spec`. Documents are read as they are asked for.

    Raises:
        DataError: the corpus is missing, or cannot be listed; while it is read, with file and row.
    """
    kind, path, layout = corpus_files(str(corpus_path(spec)), options.columns)
    is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    folder = path if is_folder else path.parent
    corpus = IndexCorpus(str(folder), is_folder, iter(()))
    match kind:
        case CorpusKind.LINES:
            source = file_source(path)
            document = SourceDocument(str(folder), path.name, _digest(source), _lines(source))
            return corpus._replace(documents=iter([document]))
        case CorpusKind.ROWS:
            return corpus._replace(documents=iter([_rows_document(path, folder, options)]))
        case CorpusKind.BEIR:
            assert layout.beir is not None
            return corpus._replace(
                documents=iter([_rows_document(layout.beir["corpus"], folder, options)]),
                questions=_beir_questions(layout.beir, options),
            )
        case CorpusKind.DOCUMENTS:
            return corpus._replace(documents=_cut_documents(folder, layout, options))
        case CorpusKind.QUESTIONS if layout.documents:
            return corpus._replace(
                documents=_cut_documents(folder, layout, options),
                questions=_questions_beside(spec, layout, options),
            )
        case CorpusKind.QUESTIONS:
            data = _loaded(spec, options)
            name = "passages" if is_folder else path.name
            document = _questions_document(data, name, folder)
            read = partial(questions_of, data)
            questions = SourceQuestions(name, f"{data.fingerprint} {options.seed}", read)
            return corpus._replace(documents=iter([document]), questions=questions)


def _loaded(spec: str, options: CorpusOptions) -> QuestionData:
    return load_questions(
        spec,
        seed=options.seed,
        columns=options.columns,
        skip_bad=options.skip_bad,
        tokenizer=options.tokenizer(),
        max_tokens=options.max_tokens,
    )


def _beir_questions(files: Mapping[str, Path], options: CorpusOptions) -> SourceQuestions:
    def read() -> list[JudgedQuestion]:
        return beir_questions(files, skip_bad=options.skip_bad)

    return SourceQuestions("qrels", _digest_of(files.values(), options), read)


def _questions_beside(spec: str, layout: Layout, options: CorpusOptions) -> SourceQuestions:
    """Questions beside documents. Their answers are found in the documents, cut once more."""
    splits = [path for paths in (layout.splits or {}).values() for path in paths]
    beside = [] if layout.questions is None else [layout.questions]

    def read() -> list[JudgedQuestion]:
        return questions_of(_loaded(spec, options))

    digest = _digest_of([*layout.documents, *splits, *beside], options)
    return SourceQuestions("questions", digest, read)


def _digest_of(files: Iterable[Path], options: CorpusOptions) -> str:
    columns = sorted((options.columns or {}).items())
    read_as = (options.seed, options.max_tokens, options.skip_bad, columns)
    digest = hashlib.sha256(repr(read_as).encode())
    for path in files:
        digest.update(_digest(file_source(path)).encode())
    return digest.hexdigest()


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
    cutter = DocumentCutter(options.tokenizer(), options.max_tokens)

    def passages(path: Path) -> Iterator[IndexedPassage]:
        for each in cutter.passages_of(path, folder):
            yield IndexedPassage(each.text, each.start, " > ".join(each.headings))

    for path in layout.documents:
        digest = _digest(file_source(path))
        yield SourceDocument(str(folder), document_name(path, folder), digest, passages(path))


def _questions_document(data: QuestionData, name: str, folder: Path) -> SourceDocument:
    """The passages of questions, which are known only once all questions are read."""
    texts = data.passages.to_pylist()
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "replace") + b"\0")
    passages = (IndexedPassage(text, row) for row, text in enumerate(texts, start=1))
    return SourceDocument(str(folder), name, digest.hexdigest(), passages)


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    with source.open() as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
