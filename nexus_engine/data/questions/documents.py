"""Documents cut into passages that know their source and place.

A document is cut at its headings, then at paragraphs and sentences, into passages of at most so
many tokens. A passage is encoded below the headings that it stands under, as a title stands above
the text of a corpus.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.reading.sources import file_source, refused_access
from nexus_engine.data.reading.text_lines import text_pieces

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter
    from tokenizers import Tokenizer

__all__ = ["SUFFIXES", "DocumentCutter", "Passage", "document_files", "document_name"]

SUFFIXES = (".md", ".markdown", ".txt")
ABOUT_FILES = ("readme", "license", "licence", "copying", "notice", "changelog", "contributing")
"""Beside files of data, and without other documents, these describe the data."""
MAX_FILES = 100_000
MAX_NAMES = 200_000
"""Files that are looked at below a folder: it may be somebody's whole disk."""
MAX_CHARACTERS = 50_000_000
"""Of one document."""
CHARACTERS_PER_TOKEN = 4
"""About, in English: passages are first cut by characters, which is a hundred times as fast as by
tokens, and those that are still too long are then cut by tokens."""
HEADING = re.compile(
    r"^(?P<marks>#{1,6})[ \t]+(?P<title>.+?)[ \t]*#*$"
    r"|^(?P<lined>[^\s#>|`*+\-=~].*)\n(?P<line>={3,}|-{3,})[ \t]*$",
    re.MULTILINE,
)
FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)
FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*\n", re.DOTALL)
TITLE_LINE = re.compile(r"\A\s*(?P<title>\S.{0,99})\n[ \t]*\n")
"""The first line of a text file, with nothing below it: its title, unless it is a sentence."""
HEADING_STEP = 8
MAX_HEADING_SHARE = 0.5
"""Of a passage's tokens: a longer heading is left out."""


class Passage(NamedTuple):
    """A piece of a document: `body` from the character `start`, without its headings."""

    body: str
    source: str
    """The file's path in its folder."""
    start: int
    headings: tuple[str, ...]
    """From the outermost."""
    is_titled: bool
    """Whether the headings are encoded too."""

    @property
    def title(self) -> str:
        """The two innermost headings on one line."""
        return ": ".join(self.headings[-2:])

    @property
    def text(self) -> str:
        """What is encoded."""
        return f"{self.title}\n{self.body}" if self.is_titled else self.body


def document_files(folder: Path, *, beside_data: bool = False) -> list[Path]:
    """The text and Markdown files below `folder`, in order of their names; no link is followed.

    Hidden files are left out. `beside_data`, a README, a LICENSE and the like are no documents
    where nothing else is one.
    Raises DataError where there are too many, and for a folder that cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise refused_access(Path(error.filename or folder), error)

    files: list[Path] = []
    names_seen = 0
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names_seen += len(names)
        if names_seen > MAX_NAMES or len(files) > MAX_FILES:
            reason = f"holds more than {MAX_FILES:,} documents or {MAX_NAMES:,} files"
            raise file_error(shown_path(folder), f"{reason}; give a folder of documents alone")
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            if path.is_file() and not path.is_symlink():
                files.append(path)
    if beside_data and all(_is_about(path, folder) for path in files):
        return []
    return files


def _is_about(path: Path, folder: Path) -> bool:
    return path.parent == folder and path.stem.casefold().startswith(ABOUT_FILES)


def document_name(path: Path, folder: Path) -> str:
    """The name by which a document is known: its path in the folder, with slashes."""
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")


class DocumentCutter:
    """Cuts documents into passages of at most `max_tokens`, the two marks of the model included.

    `tokenizer` must cut nothing off.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._room = max_tokens - 2
        self._by_tokens: dict[int, TextSplitter] = {}
        """By size. Each holds a tokenizer of its own, which takes 30 ms to make."""
        self.remarked: dict[str, int] = {}
        """How many documents there is each remark on."""

    def passages_of(self, path: Path, folder: Path) -> list[Passage]:
        """The passages of one document. Raises DataError, with the file, for what is not text."""
        source = file_source(path)
        pieces: list[str] = []
        size = 0
        for piece in text_pieces(source):
            size += len(piece)
            if size > MAX_CHARACTERS:
                reason = "is longer than 50 million characters; cut it into smaller files"
                raise file_error(source.label, reason)
            pieces.append(piece)
        for remark in source.remarks:
            self.remarked[remark] = self.remarked.get(remark, 0) + 1
        text = "".join(pieces)
        sections = _titled_text(text) if path.suffix.lower() == ".txt" else _sections(text)
        name = document_name(path, folder)
        return [
            Passage(part, name, start + at, headings, is_titled)
            for start, headings, section in sections
            for at, part, is_titled in self._cut(section, ": ".join(headings[-2:]))
        ]

    def _cut(self, section: str, title: str) -> Iterator[tuple[int, str, bool]]:
        """The passages of a section: where they start, and whether `title` has room above them."""
        from semantic_text_splitter import TextSplitter

        width = self._tokens([title])[0] if title else 0
        is_titled = 0 < width <= self._room * MAX_HEADING_SHARE
        # Headings get room in steps, so that there are few sizes of passages.
        taken = -(-width // HEADING_STEP) * HEADING_STEP if is_titled else 0
        room = self._room - taken
        by_characters = TextSplitter(room * CHARACTERS_PER_TOKEN)
        chunks = by_characters.chunk_indices(section)
        for (at, chunk), tokens in zip(chunks, self._tokens([c for _, c in chunks]), strict=True):
            if tokens <= room:
                yield at, chunk, is_titled
                continue
            if room not in self._by_tokens:
                splitter = TextSplitter.from_huggingface_tokenizer(self._tokenizer, room)
                self._by_tokens[room] = splitter
            for inner, part in self._by_tokens[room].chunk_indices(chunk):
                yield at + inner, part, is_titled

    def _tokens(self, texts: list[str]) -> list[int]:
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [len(each) for each in encoded]


def _sections(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """The text below each heading: where it starts, the headings above it, and itself."""
    front = FRONT_MATTER.match(text)
    start = front.end() if front else 0
    fences = [match.start() for match in FENCE.finditer(text)]
    path: list[tuple[int, str]] = []
    for match in HEADING.finditer(text, start):
        if bisect_left(fences, match.start()) % 2:
            continue  # a comment in a block of code
        if text[start : match.start()].strip():
            yield start, tuple(title for _, title in path), text[start : match.start()]
        if match["marks"]:
            level, title = len(match["marks"]), match["title"]
        else:
            level, title = 1 if match["line"].startswith("=") else 2, match["lined"].strip()
        path = [pair for pair in path if pair[0] < level] + [(level, " ".join(title.split()))]
        start = match.end()
    if text[start:].strip():
        yield start, tuple(title for _, title in path), text[start:]


def _titled_text(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """A plain text as one section, below its title if its first line stands alone as one."""
    match = TITLE_LINE.match(text)
    if match and match["title"].strip()[-1] not in ".,;:!?" and text[match.end() :].strip():
        yield match.end(), (" ".join(match["title"].split()),), text[match.end() :]
    elif text.strip():
        yield 0, (), text
