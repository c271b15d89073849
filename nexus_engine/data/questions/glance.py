"""Count the files and bytes of questions and passages that a SPEC means, without reading one."""

from __future__ import annotations

from pathlib import Path

from nexus_engine.data.files.glance import Glance, glance, glance_at
from nexus_engine.data.files.locating import located_file
from nexus_engine.data.questions.layout import layout_of
from nexus_engine.data.questions.loading import spec_path
from nexus_engine.data.reading.sources import file_source

__all__ = ["glance_at_questions"]


def glance_at_questions(spec: str) -> Glance:
    """The size of the files that `spec` means.

    Raises:
        DataError: a file is missing, unreadable or of unknown kind.
    """
    path = spec_path(spec)
    if not path.is_dir():
        return glance_at([located_file(path)[0]])
    layout = layout_of(path)
    files: list[Path] = list((layout.beir or {}).values())
    files += [file for split in (layout.splits or {}).values() for file in split]
    files += [*layout.documents, *([layout.questions] if layout.questions else [])]
    if not files:  # a dataset saved by the datasets library
        return glance(spec)
    seen = glance_at([file_source(file) for file in files])
    # Lines of a corpus, of queries and of judgements are no count of anything together.
    return seen if layout.beir is None and not layout.documents else seen._replace(lines=None)
