"""Documents cut into passages, and the weak pairs that they hold.

A document is cut at its headings, then at paragraphs and sentences, into passages of at most so
many tokens. Each passage knows its source and place. Where nobody wrote questions, two kinds of
pairs stand in for them: a heading with the passage below it, and a passage's first sentence with
the rest of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.reading.sources import file_source
from nexus_engine.data.reading.text_lines import text_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Passage", "WeakPair", "document_files", "passages_of", "weak_pairs"]

SUFFIXES = (".md", ".markdown", ".txt")
MAX_FILES = 100_000
MAX_CHARACTERS = 50_000_000
"""Of one document."""
CHARACTERS_PER_TOKEN = 4
"""About, in English: passages are first cut by characters, which is a hundred times as fast as by
tokens, and those that are still too long are then cut by tokens."""
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)
MIN_WORDS = 3
"""Of a first sentence or a heading that can stand for a question."""
MIN_REST_WORDS = 8
"""Of what is left of a passage without its first sentence."""


class Passage(NamedTuple):
    """A piece of a document: `source` is the file's path in its folder, `start` a character."""

    text: str
    source: str
    start: int
    headings: tuple[str, ...]


class WeakPair(NamedTuple):
    """What stands for a question, its passage's place, and the answer where it is not the passage.

    `answer` is "" where the passage as it stands is the answer.
    """

    question: str
    passage: int
    answer: str
    kind: str


def document_files(folder: Path) -> list[Path]:
    """The text and Markdown files below `folder`, in order of their names; no link is followed.

    Raises DataError where there are more than 100,000.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
            found.append(path)
            if len(found) > MAX_FILES:
                raise file_error(
                    shown_path(folder), "holds more than 100,000 documents; give fewer"
                )
    return found


def passages_of(path: Path, folder: Path, tokenizer: Tokenizer, max_tokens: int) -> list[Passage]:
    """The passages of one document, each of at most `max_tokens` with the two marks of the model.

    Raises DataError, with the file, for what is not text.
    """
    source = file_source(path)
    pieces: list[str] = []
    size = 0
    for piece in text_pieces(source):
        size += len(piece)
        if size > MAX_CHARACTERS:
            raise file_error(source.label, "is longer than 50 MB; cut it into smaller files")
        pieces.append(piece)
    name = path.relative_to(folder).as_posix()
    return list(_cut("".join(pieces), name, tokenizer, max_tokens))


def _cut(text: str, name: str, tokenizer: Tokenizer, max_tokens: int) -> Iterator[Passage]:
    from semantic_text_splitter import TextSplitter

    room = max_tokens - 2
    by_characters = TextSplitter(room * CHARACTERS_PER_TOKEN)
    by_tokens = TextSplitter.from_huggingface_tokenizer(tokenizer, room)
    for start, headings, section in _sections(text):
        chunks = by_characters.chunk_indices(section)
        counts = tokenizer.encode_batch_fast(
            [chunk for _, chunk in chunks], add_special_tokens=False
        )
        for (at, chunk), encoded in zip(chunks, counts, strict=True):
            if len(encoded) <= room:
                yield Passage(chunk, name, start + at, headings)
                continue
            for inner, part in by_tokens.chunk_indices(chunk):
                yield Passage(part, name, start + at + inner, headings)


def _sections(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """The text below each heading: where it starts, the headings above it, and itself."""
    fences = [match.start() for match in FENCE.finditer(text)]
    path: list[tuple[int, str]] = []
    start = 0
    for match in HEADING.finditer(text):
        if sum(fence < match.start() for fence in fences) % 2:
            continue  # a comment in a block of code
        if text[start : match.start()].strip():
            yield start, tuple(title for _, title in path), text[start : match.start()]
        level = len(match[1])
        path = [pair for pair in path if pair[0] < level] + [(level, match[2])]
        start = match.end()
    if text[start:].strip():
        yield start, tuple(title for _, title in path), text[start:]


def weak_pairs(passages: list[Passage]) -> Iterator[WeakPair]:
    """The pairs that the passages hold by themselves."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for place, passage in enumerate(passages):
        key = (passage.source, passage.headings)
        if passage.headings and key not in seen:
            seen.add(key)
            heading = ": ".join(passage.headings[-2:])
            if len(heading.split()) >= 1:
                yield WeakPair(heading, place, "", "heading")
        first = SENTENCE_END.split(passage.text, maxsplit=1)
        if len(first) == 2:
            question, rest = first[0].strip(), first[1].strip()
            if len(question.split()) >= MIN_WORDS and len(rest.split()) >= MIN_REST_WORDS:
                yield WeakPair(question, place, rest, "first sentence")
