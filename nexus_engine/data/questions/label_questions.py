"""The questions of a label file: marked passages are answers, and those marked wrong negatives."""

from __future__ import annotations

from typing import NamedTuple

from nexus_engine.data.messages import file_error
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.reading.label_rows import read_label_rows
from nexus_engine.data.reading.sources import Source

__all__ = ["GatheredLabels", "gather_labels"]


class GatheredLabels(NamedTuple):
    """`fingerprint` of the verdicts, and `notes` on them."""

    fingerprint: str
    notes: list[str]


def gather_labels(into: Gathered, source: Source) -> GatheredLabels:
    """Gather the passages of the label file `source`, each question in its part.

    Raises DataError where it has no passage.
    """
    labels = read_label_rows(source)
    passages = labels.combined.passages
    if not passages:
        raise file_error(source.label, labels.lacking("retrieval"))
    for row, each in enumerate(passages, start=1):
        into.rows += 1
        question = into.question(source.label, row, each.question, split=each.part)
        passage = into.passage(source.label, row, each.passage)
        if each.relevant:
            into.answer(question, passage)
        else:
            into.negative(question, passage)
    notes = [labels.note, *labels.combined.passages_left_out.lines()]
    return GatheredLabels(labels.fingerprint, notes)
