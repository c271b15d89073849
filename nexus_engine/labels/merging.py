"""Joining label files into one that holds every line of them, undone and replaced ones included."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from nexus_engine.labels.agreement import disagreements
from nexus_engine.labels.lines import encode_act, header_line
from nexus_engine.labels.reading import Labels, by_rater, read_acts, read_labels
from nexus_engine.labels.standing import Standing
from nexus_engine.labels.verdicts import Act
from nexus_engine.labels.writing import new_path, write_whole

__all__ = ["Merged", "merge"]


class Merged(NamedTuple):
    """What was joined."""

    labels: Labels
    """The new file."""
    read: tuple[int, ...]
    """Verdicts that stand in each of the files."""
    repeated: int
    """Lines that more than one file holds; each counts once."""
    replaced: int
    """Verdicts that stood in a file and that a later one of the same rater replaces."""
    disagreed: int
    """Items on which raters gave different answers, and that nobody settled; all are kept."""
    damaged: int
    """Lines that are no acts, and that were not taken over."""


def merge(paths: Sequence[Path], out: Path) -> Merged:
    """Write the acts of `paths` into the new label file `out`, by time.

    The lines of one file keep their order. Of two verdicts of one rater on one item the later one
    stands; verdicts of different raters both stand.

    Raises:
        DataError: a file cannot be read or is no label file; `out` exists or cannot be written.
        ResourceError: the disk is full; nothing is left of `out`.
    """
    path = new_path(out)
    files = [read_acts(each) for each in paths]
    before = [Standing(file.acts).verdicts() for file in files]
    acts: list[Act] = []
    ids = set[str]()
    for act in heapq.merge(*(file.acts for file in files), key=attrgetter("time")):
        if act.id not in ids:
            ids.add(act.id)
            acts.append(act)
    text = "".join(f"{encode_act(act)}\n" for act in acts)
    write_whole(path, header_line() + text.encode())
    labels = read_labels(path)
    together = Standing(acts)
    standing = {verdict.id for verdict in labels.verdicts}
    stood = {verdict.id for verdicts in before for verdict in verdicts}
    return Merged(
        labels,
        tuple(map(len, before)),
        sum(len(file.acts) for file in files) - len(acts),
        sum(together.holds(verdict_id) for verdict_id in stood - standing),
        sum(not each.is_settled for each in disagreements(by_rater([labels]))),
        sum(file.damaged for file in files),
    )
