"""Which files of a folder hold questions, judgements and documents."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine.data.files.folders import hub_split_files, split_files
from nexus_engine.data.files.saved_datasets import saved_dataset
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.questions.beir import beir_files
from nexus_engine.data.questions.documents import document_files
from nexus_engine.data.reading.formats import known_kind, stem_of_name
from nexus_engine.data.reading.sources import refused_access

__all__ = ["Layout", "layout_of"]

QUESTIONS_STEM = "questions"


class Layout(NamedTuple):
    """What a folder holds; a folder of BEIR has nothing but `beir`."""

    beir: dict[str, Path] | None = None
    splits: dict[str, Sequence[Path]] | None = None
    """Files of records by split: train, dev, test."""
    questions: Path | None = None
    """A file `questions`, which no split is named by."""
    documents: Sequence[Path] = ()


def layout_of(folder: Path) -> Layout:
    """What `folder` holds.

    Documents are the text and Markdown files below it; a README and a LICENSE alone beside files of
    records are none. In BEIR's layout the corpus is `corpus.jsonl`, and no file is a document.
    Raises DataError for a folder that cannot be listed, or in which two files mean the same.
    """
    beir = beir_files(folder)
    if beir is not None:
        return Layout(beir=beir)
    splits = split_files(folder)
    questions = _questions_file(folder)
    if questions is not None and splits:
        reason = f"holds {shown_path(questions.name)} beside files named by their split"
        raise file_error(shown_path(folder), f"{reason}; keep one or the other")
    if not splits and saved_dataset(folder) is not None:
        return Layout()
    if not splits and questions is None and (hub_files := hub_split_files(folder)):
        return Layout(splits=hub_files)
    others = sum(known_kind(name) is not None for name in _names(folder))
    documents = document_files(folder, beside_data=others > 0)
    if not splits and questions is None and others >= len(documents):
        documents = []  # a folder of data files with a note or two
    return Layout(splits=splits or None, questions=questions, documents=documents)


def _questions_file(folder: Path) -> Path | None:
    """The one file `questions` of a known kind in `folder`."""
    files = [
        folder / name
        for name in _names(folder)
        if known_kind(name) is not None and stem_of_name(name).casefold() == QUESTIONS_STEM
    ]
    if len(files) > 1:
        first, second = (shown_path(path.name) for path in files[:2])
        reason = f"both {first} and {second} could be the questions; move one away"
        raise file_error(shown_path(folder), reason)
    return files[0] if files else None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except (OSError, ValueError) as error:
        raise refused_access(folder, error) from None
