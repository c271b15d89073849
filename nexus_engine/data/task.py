"""Which task data is for: graded pairs, or questions with the passages that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from nexus_engine.data.files.locating import located_file
from nexus_engine.data.questions.fields import recognise
from nexus_engine.data.questions.reading import beir_files
from nexus_engine.data.reading.records import read_records
from nexus_engine.errors import NexusError
from nexus_engine.system.user_paths import user_path

__all__ = ["Task", "task_of"]

Task = Literal["pairs", "retrieval"]


def task_of(spec: str, columns: Mapping[str, str] | None = None) -> Task:
    """The task that `spec` is data for."""
    if spec == "demo-search":
        return "retrieval"
    try:
        path = user_path(spec, NexusError)
        if path.is_dir():
            return "retrieval" if beir_files(path) is not None else "pairs"
        source, kind = located_file(path)
        _, record = next(iter(read_records(source, kind)))
        return "retrieval" if recognise(record, columns) else "pairs"
    except (NexusError, OSError, ValueError, StopIteration):
        return "pairs"
