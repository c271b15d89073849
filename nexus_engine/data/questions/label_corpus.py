"""Documents beside a label file: the passages among which its questions are ranked.

They are a folder of documents, a folder in BEIR's layout, its `corpus.jsonl`, or a text file with a
passage a line. What asks in them by itself, headings and first sentences, can stand for questions
where few real ones are held out.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.questions.beir import corpus_texts
from nexus_engine.data.questions.documents import DocumentCutter
from nexus_engine.data.questions.gathering import Gathered, Origin
from nexus_engine.data.questions.layout import layout_of
from nexus_engine.data.questions.weak_pairs import (
    MAX_ANSWERS,
    TitledBody,
    asking_title,
    first_sentence,
)
from nexus_engine.data.reading.formats import FileKind, known_kind, stem_of_name
from nexus_engine.data.reading.sources import file_source, refused_access
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError
from nexus_engine.same_text import folded
from nexus_engine.system.user_paths import user_path

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["DEMO", "Asking", "LabelCorpus", "corpus_path", "gather_corpus"]

CORPUS_STEM = "corpus"
DEMO = "demo-search"


class Asking(NamedTuple):
    """A heading or first sentence, and the rows of the passages that it stands for."""

    text: str
    rows: tuple[int, ...]

    @property
    def checksum(self) -> int:
        """Of the text as it is compared."""
        return zlib.crc32(folded(self.text).encode("utf-8", "replace"))

    def __repr__(self) -> str:
        return f"Asking(rows={self.rows!r})"


class LabelCorpus(NamedTuple):
    """What the documents hold beside their passages, which are gathered."""

    asking: list[Asking]
    notes: list[str]

    def __repr__(self) -> str:
        return f"LabelCorpus(asking={len(self.asking)})"


class _Piece(NamedTuple):
    text: str
    titled: TitledBody
    origin: Origin | None = None


def gather_corpus(
    into: Gathered, spec: str, tokenizer: Tokenizer, max_tokens: int, *, skip_bad: bool = False
) -> LabelCorpus:
    """Gather the passages of the documents `spec`; those that were judged keep their rows.

    Documents are cut by the tokens of `tokenizer` into passages of at most `max_tokens`.
    Raises DataError, with the file, for what cannot be used or holds no passage.
    """
    judged = len(into.passages)
    path = corpus_path(spec)
    label = shown_path(spec)
    rows_of: dict[str, tuple[str, dict[int, None]]] = {}
    seen: set[int] = set()
    for piece in _pieces(path, label, tokenizer, max_tokens, skip_bad=skip_bad):
        row = into.passages.add(piece.text)
        seen.add(row)
        if piece.origin is not None:
            into.origins.setdefault(row, piece.origin)
        question = asking_title(piece.titled) or (first_sentence(piece.titled.body) or ("",))[0]
        if question:
            rows_of.setdefault(folded(question), (question, {}))[1][row] = None
    if not seen:
        raise file_error(label, "holds no text; give documents with text")
    apart = judged - len(seen.intersection(range(judged)))
    notes = [f"ranked among {len(into.passages):,} passages of {label}"]
    if apart:
        which = f"{apart:,} judged passage" + ("s stand" if apart > 1 else " stands")
        notes.append(f"{which} in none of the documents as they are cut, and joined them")
    asking = [
        Asking(question, tuple(rows))
        for question, rows in rows_of.values()
        if len(rows) <= MAX_ANSWERS
    ]
    return LabelCorpus(asking, notes)


def corpus_path(spec: str) -> Path:
    """The path of the documents `spec`."""
    return assets_dir() / DEMO if spec == DEMO else user_path(spec, DataError)


def _pieces(
    path: Path, label: str, tokenizer: Tokenizer, max_tokens: int, *, skip_bad: bool
) -> Iterator[_Piece]:
    """The passages at `path`, in order."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    if is_folder:
        layout = layout_of(path)
        if layout.beir is not None:
            yield from _titled_pieces(layout.beir["corpus"], skip_bad=skip_bad)
            return
        cutter = DocumentCutter(tokenizer, max_tokens)
        for document in layout.documents:
            for passage in cutter.passages_of(document, path):
                body = TitledBody(passage.title, passage.body, passage.source)
                headings = " > ".join(passage.headings)
                origin = Origin(passage.source, passage.start, headings)
                yield _Piece(passage.text, body, origin)
        return
    kind = known_kind(path.name)
    if kind is FileKind.JSONL and stem_of_name(path.name) == CORPUS_STEM:
        yield from _titled_pieces(path, skip_bad=skip_bad)
    elif kind is None:
        for line in text_lines(file_source(path), only_utf=True):
            if text := line.strip():
                yield _Piece(text, TitledBody("", text))
    else:
        advice = "give a folder of documents, corpus.jsonl, or a text file with a passage a line"
        raise file_error(label, f"is a file of data and no documents; {advice}")


def _titled_pieces(path: Path, *, skip_bad: bool) -> Iterator[_Piece]:
    for titled in corpus_texts(file_source(path), (lambda _: None) if skip_bad else None):
        yield _Piece(titled.text, TitledBody(titled.title, titled.body))
