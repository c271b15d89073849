"""From the name of a corpus to the texts that a search looks through.

A corpus is a text file with a sentence a line, a file or folder of questions with their passages,
BEIR's `corpus.jsonl`, or a folder of documents. Texts come from the files themselves each time:
no run keeps a copy of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from nexus_engine.data.messages import file_error, row_error, shown_path
from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.data.questions.beir import corpus_texts
from nexus_engine.data.questions.documents import DocumentCutter
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.data.reading.sources import file_source
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError
from nexus_engine.model.base_model import MAX_TOKENS, find_base_model
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.scoring.corpus_files import CorpusKind, corpus_files
from nexus_engine.scoring.search_texts import Documents, KnownQuestions, SearchTexts
from nexus_engine.system.user_paths import user_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nexus_engine.scoring.querying import Check

__all__ = ["read_corpus", "read_sentences"]

MAX_SENTENCES = 100_000
"""Distinct texts of a corpus. Their embeddings take 154 MB per model."""
MAX_CHARACTERS = 100_000_000
"""Characters of all distinct texts of a corpus."""
MAX_SENTENCE_CHARACTERS = 1_000_000
"""Characters of a sentence; the same as in files of pairs."""


def read_corpus(
    spec: str,
    check: Check = lambda: None,
    *,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    max_tokens: int = MAX_TOKENS,
    is_questions: bool = False,
    documents: str | None = None,
    base: str | None = None,
) -> SearchTexts:
    """The texts of the corpus `spec`, with the questions and documents that it holds.

    Args:
        spec: `demo-search`, or the path of a file or folder.
        check: Called often while a text file is read; may raise to stop.
        columns: Names of columns by role, for questions.
        skip_bad: Leave out records that cannot be used.
        seed: What decides the split of a question, where the data do not.
        max_tokens: Of a passage that is cut from a document.
        is_questions: Whether `spec` is known to hold questions; else its first rows tell.
        documents: Those among whose passages the questions of `spec` are ranked, if it has none.
        base: The base model by whose tokens documents are cut; None for the usual one.

    Raises:
        DataError: the corpus is missing, empty, damaged or too large.
    """
    kind, path, layout = corpus_files(spec, columns, is_questions=is_questions)
    match kind:
        case CorpusKind.LINES:
            return read_sentences(path, check)
        case CorpusKind.ROWS:
            return _beir_corpus(path, check, skip_bad=skip_bad)
        case CorpusKind.DOCUMENTS:
            return _documents_alone(path, layout.documents, check, max_tokens, base)
        case CorpusKind.BEIR | CorpusKind.QUESTIONS:
            pass
    data = load_questions(
        spec,
        seed=seed,
        columns=columns,
        skip_bad=skip_bad,
        tokenizer=plain_tokenizer(find_base_model(base).folder),
        max_tokens=max_tokens,
        corpus=documents,
    )
    check()
    return _question_texts(data, shown_path(path))


def read_sentences(
    path: Path, check: Check = lambda: None, *, max_sentences: int = MAX_SENTENCES
) -> SearchTexts:
    """Read a text file with one sentence per line: UTF-8 or UTF-16, optionally gzipped.

    `check` is called every few thousand lines and may raise to stop.

    Raises:
        DataError: the file is missing, not a regular file, empty, not text, or too large.
    """
    source = file_source(user_path(path, DataError))
    texts = _Distinct(source.label, max_sentences)
    for number, line in enumerate(text_lines(source, only_utf=True), start=1):
        sentence = line.strip()
        if not sentence:
            continue
        if len(sentence) > MAX_SENTENCE_CHARACTERS:
            raise row_error(source.label, number, "the sentence is longer than 1 MB; shorten it")
        texts.add(sentence, number)
        if not number % 10_000:
            check()
    if not len(texts):
        raise file_error(
            source.label, "holds no sentence; give a text file with one sentence per line"
        )
    return texts.searched("line")


class _Distinct:
    """Texts as they come, each once, within the limits of a corpus."""

    def __init__(self, label: str, max_texts: int = MAX_SENTENCES) -> None:
        self._label, self._max_texts = label, max_texts
        self._places: dict[str, int] = {}
        self._lines: list[int] = []
        self._times: list[int] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, text: str, line: int) -> bool:
        """Take a text; True if it is new."""
        place = self._places.get(text)
        if place is not None:
            self._times[place] += 1
            return False
        self._characters += len(text)
        _check_size(self._label, len(self) + 1, self._characters, self._max_texts)
        self._places[text] = len(self._lines)
        self._lines.append(line)
        self._times.append(1)
        return True

    def searched(self, unit: str, documents: Documents | None = None) -> SearchTexts:
        return SearchTexts(
            self._label, list(self._places), self._lines, self._times, unit, documents
        )


def _check_size(label: str, texts: int, characters: int, max_texts: int = MAX_SENTENCES) -> None:
    if texts > max_texts or characters > MAX_CHARACTERS:
        limit = f"{max_texts:,} sentences and {MAX_CHARACTERS // 1_000_000} MB of text"
        raise file_error(label, f"is too large: the limit is {limit}; split the file")


def _beir_corpus(path: Path, check: Check, *, skip_bad: bool) -> SearchTexts:
    source = file_source(path)
    texts = _Distinct(source.label)
    skip = (lambda _: None) if skip_bad else None
    for number, titled in enumerate(corpus_texts(source, skip), start=1):
        texts.add(titled.text, number)
        if not number % 10_000:
            check()
    if not len(texts):
        raise file_error(source.label, "holds no passage")
    return texts.searched("passage")


def _documents_alone(
    folder: Path, files: Sequence[Path], check: Check, max_tokens: int, base: str | None
) -> SearchTexts:
    cutter = DocumentCutter(plain_tokenizer(find_base_model(base).folder), max_tokens)
    texts = _Distinct(shown_path(folder))
    sources: list[str] = []
    headings: list[str] = []
    number = 0
    for file in files:
        check()
        for passage in cutter.passages_of(file, folder):
            number += 1
            if texts.add(passage.text, number):
                sources.append(passage.source)
                headings.append(" > ".join(passage.headings))
    if not len(texts):
        raise file_error(shown_path(folder), "its documents are empty; give documents with text")
    return texts.searched("passage", Documents.of(sources, headings))


def _question_texts(data: QuestionData, label: str) -> SearchTexts:
    characters = int(np.sum(_lengths(data.passages)))
    _check_size(label, len(data.passages), characters)
    splits = {"test": data.test, "dev": data.dev, "train": data.train}
    texts = [text for split in splits.values() for text in split.questions.to_pylist()]
    answers = [
        split.answers.rows.list_at(place)
        for split in splits.values()
        for place in range(len(split))
    ]
    known = KnownQuestions(
        texts,
        [name for name, split in splits.items() for _ in range(len(split))],
        Answers(
            Ragged.of([rows.tolist() for rows in answers]),
            np.concatenate([split.answers.gains for split in splits.values()]),
        ),
    )
    count = len(data.passages)
    return SearchTexts(
        label,
        data.passages.to_pylist(),
        range(1, count + 1),
        [1] * count,
        "passage",
        None if data.origins is None else Documents.of_origins(data.origins),
        known if len(known) else None,
    )


def _lengths(texts: pa.Array) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    lengths: NDArray[np.int64] = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    return lengths
