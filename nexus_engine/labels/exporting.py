"""Labels as CSV or JSON lines, in the columns that data files have."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.labels.combining import HIGHEST, LeftOut, combined
from nexus_engine.labels.reading import Labels, shown
from nexus_engine.labels.verdicts import Part
from nexus_engine.labels.writing import new_path, write_whole

__all__ = ["ExportKind", "Exported", "export"]

ExportKind = Literal["pairs", "search"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")
PAIR_COLUMNS = ("sentence1", "sentence2", "score", "split")
SEARCH_COLUMNS = ("question", "passage", "label", "split")
SCORE_DIGITS = 6


class Exported(NamedTuple):
    """What was written."""

    path: Path
    kind: ExportKind
    rows: dict[Part, int]
    """By part; only parts that occur."""
    left_out: LeftOut


def export(files: Sequence[Labels], out: Path, kind: ExportKind | None = None) -> Exported:
    """Write the labels of `files`, combined over raters, as the new file `out`.

    Pairs have a score from 0 to 1, the grade over 5; passages have 1 for an answer and 0 for none.
    `kind` may be None where the files hold one kind alone.

    Raises:
        ConfigError: the name of `out` ends in neither .csv nor .jsonl, or `kind` is needed.
        DataError: there is nothing to write, or `out` exists or cannot be written.
        ResourceError: the disk is full; nothing is left of `out`.
    """
    path = new_path(out)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"--out {shown(path)}: name a file that ends in .csv or .jsonl")
    labels = combined(verdict for each in files for verdict in each.verdicts)
    if kind is None:
        if labels.pairs and labels.passages:
            counts = f"{len(labels.pairs):,} pairs and {len(labels.passages):,} passages"
            raise ConfigError(f"the labels hold {counts}; choose --kind pairs or --kind search")
        kind = "search" if labels.passages else "pairs"
    rows: list[tuple[str, str, float | int, Part]]
    if kind == "pairs":
        columns, left_out = PAIR_COLUMNS, labels.pairs_left_out
        rows = [
            (a, b, round(score / HIGHEST, SCORE_DIGITS), part) for a, b, score, part in labels.pairs
        ]
    else:
        columns, left_out = SEARCH_COLUMNS, labels.passages_left_out
        rows = [(p.question, p.passage, int(p.relevant), p.part) for p in labels.passages]
    if not rows:
        what = "pair" if kind == "pairs" else "passage"
        reasons = "".join(f"; {line}" for line in left_out.lines())
        raise DataError(
            f"{shown(files[0].path)}: holds no {what} with an answer to export{reasons}"
        )
    write_whole(path, _csv(columns, rows) if suffix == ".csv" else _json_lines(columns, rows))
    parts = Counter(row[-1] for row in rows)
    return Exported(path, kind, {part: parts[part] for part in PARTS if parts[part]}, left_out)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    # Every text is quoted: some versions of Python leave a lone carriage return bare.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json_lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    records = (dict(zip(columns, row, strict=True)) for row in rows)
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records).encode()
