"""What the name of a corpus means: its kind, and where its files lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from nexus_engine.data.questions.layout import Layout, layout_of
from nexus_engine.data.questions.loading import DEMO, spec_path
from nexus_engine.data.reading.formats import FileKind, known_kind, stem_of_name
from nexus_engine.data.reading.sources import refused_access
from nexus_engine.data.task import has_questions

__all__ = ["CorpusFiles", "CorpusKind", "corpus_files"]

CORPUS_STEM = "corpus"


class CorpusKind(Enum):
    """The kinds of a corpus."""

    LINES = "a text file with a passage a line"
    ROWS = "BEIR's corpus.jsonl alone"
    BEIR = "a folder in BEIR's layout"
    DOCUMENTS = "a folder of documents"
    QUESTIONS = "a file or folder of questions with passages, documents beside them included"


class CorpusFiles(NamedTuple):
    """A corpus on disk. `layout` is what a folder holds."""

    kind: CorpusKind
    path: Path
    layout: Layout = Layout()


def corpus_files(
    spec: str, columns: Mapping[str, str] | None = None, *, is_questions: bool = False
) -> CorpusFiles:
    """What `spec` means: `demo-search`, or the path of a file or folder.

    Args:
        spec: As a command names it.
        columns: Names of columns by role, for questions.
        is_questions: Whether a file is known to hold questions; else its first rows tell.

    Raises:
        DataError: there is no such file or folder, or it cannot be listed.
    """
    path = spec_path(spec)
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    if is_folder:
        layout = layout_of(path)
        if layout.beir is not None:
            return CorpusFiles(CorpusKind.BEIR, path, layout)
        if layout.documents and not layout.splits and layout.questions is None:
            return CorpusFiles(CorpusKind.DOCUMENTS, path, layout)
    elif not is_questions and spec != DEMO:
        kind = known_kind(path.name)
        if kind is FileKind.JSONL and stem_of_name(path.name) == CORPUS_STEM:
            return CorpusFiles(CorpusKind.ROWS, path)
        if kind is None or not has_questions(spec, columns):
            return CorpusFiles(CorpusKind.LINES, path)
    return CorpusFiles(CorpusKind.QUESTIONS, path, layout if is_folder else Layout())
