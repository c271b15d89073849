"""Files of questions for tests, and what was loaded from them."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["known", "rejected", "split_names", "splits", "write_csv", "write_lines"]


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def splits(data):
    return data.train, data.dev, data.test


def known(data):
    """Question to its answers, over all splits."""
    return _texts_of(data, lambda split: split.answers.rows)


def rejected(data):
    """Question to its negatives, over all splits."""
    return _texts_of(data, lambda split: split.negatives)


def _texts_of(data, lists):
    return {
        question: {data.passages[int(row)].as_py() for row in lists(split).list_at(place)}
        for split in splits(data)
        for place, question in enumerate(split.questions.to_pylist())
    }


def split_names(data):
    """Question to the name of its split."""
    return {
        question: name
        for name, split in zip(("train", "dev", "test"), splits(data), strict=True)
        for question in split.questions.to_pylist()
    }
