"""The pairs and passages of a label file, one label for each, as the rows of other files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nexus_engine.data.messages import file_error
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import one_line
from nexus_engine.labels.combining import Combined, combined
from nexus_engine.labels.reading import acts_of, fingerprint_of_verdicts
from nexus_engine.labels.standing import Standing

__all__ = ["LabelRows", "label_records", "read_label_rows"]

FINGERPRINT_DIGITS = 16
MAX_NAMED_RATERS = 3


@dataclass(frozen=True, slots=True)
class LabelRows:
    """The labels of a file, and one line on where they come from."""

    combined: Combined
    fingerprint: str
    """SHA-256 (hex) of the verdicts that stand."""
    note: str

    def lacking(self, task: Literal["pairs", "retrieval"]) -> str:
        """Why there is nothing for `task`, and what there is."""
        pairs, passages = len(self.combined.pairs), len(self.combined.passages)
        if task == "pairs" and passages:
            reason = f"holds no graded pairs, but {passages:,} passages for questions"
            return f"{reason}; train on them with --task retrieval"
        if task == "retrieval" and pairs:
            reason = f"holds no passages for questions, but {pairs:,} pairs"
            return f"{reason}; train on them with --task pairs"
        return "holds no label that can be trained on; judge some with: nexus teach"


def read_label_rows(source: Source) -> LabelRows:
    """Read the label file `source`. Raises DataError where it cannot be read."""
    try:
        with source.open() as file:
            acts = acts_of(file, source.label)
    except OSError:
        raise file_error(source.label, "cannot be read; check the disk") from None
    verdicts = Standing(acts.acts).verdicts()
    raters = list(dict.fromkeys(verdict.rater for verdict in verdicts))
    names = ", ".join(one_line(rater, 30) for rater in raters[:MAX_NAMED_RATERS])
    if len(raters) > MAX_NAMED_RATERS:
        names += f" and {len(raters) - MAX_NAMED_RATERS} more"
    fingerprint = fingerprint_of_verdicts(verdicts)
    digits = fingerprint[:FINGERPRINT_DIGITS]
    note = f"labels {digits}: {len(verdicts):,} verdicts of {names or 'nobody'}"
    if acts.damaged:
        note += f"; {acts.damaged:,} damaged lines do not count"
    return LabelRows(combined(verdicts), fingerprint, note)


def label_records(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The passages of a label file as records, with 1 as `label` for an answer and 0 for none.

    Raises DataError where it has none.
    """
    rows = read_label_rows(source)
    if not rows.combined.passages:
        raise file_error(source.label, rows.lacking("retrieval"))
    for number, each in enumerate(rows.combined.passages, start=1):
        yield (
            number,
            {
                "question": each.question,
                "passage": each.passage,
                "label": int(each.relevant),
                "split": each.part,
            },
        )
