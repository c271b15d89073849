"""The configuration of a run that trains on the labels so far.

A retrain starts from the base model and trains on all labels. That is deterministic: the same
labels give the same model, whatever was trained in between, and no earlier mistake stays in the
weights. It costs nothing: 20, 60 and 150 verdicts on the demo documents are all learned in the same
15 passes (docs/teach.md). To go on from a run's weights instead, its linear units are folded into a
plain model (`nexus export RUN --format st`), which then is the `base`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from nexus_engine.config import TrainConfig, config_from_mapping
from nexus_engine.data.questions.label_corpus import DEMO
from nexus_engine.errors import DataError
from nexus_engine.labels.combining import combined
from nexus_engine.labels.reading import read_labels, shown
from nexus_engine.labels.verdicts import Verdict
from nexus_engine.system.user_paths import user_path

__all__ = ["RANKED_PASSAGES", "labels_run_config", "task_of_verdicts"]

RANKED_PASSAGES = 1000
"""Passages, a sample, among which questions are ranked during a retrain: embedding more would take
longer than the training itself."""
KEPT = ("seed", "tune", "recipe", "keep_general", "device", "precision", "threads", "max_length")
"""Settings of the last run that the next one takes over."""

Task = Literal["pairs", "retrieval"]


def labels_run_config(
    labels: Path,
    documents: str | None = None,
    last: TrainConfig | None = None,
    *,
    task: Task | None = None,
    base: Path | None = None,
) -> TrainConfig:
    """What `nexus train` needs to train on the label file `labels`.

    Args:
        labels: The label file.
        documents: The texts that were taught on, `demo-search` or a path; None for the passages
            that were judged alone. Of no use for pairs.
        last: The configuration of the last run on these labels, whose choices stay.
        task: What to train on where the file holds both pairs and passages; None takes that with
            more labels.
        base: A folder with the weights to start from; None takes the base model, as ever.

    Raises:
        DataError: the file cannot be read, or holds nothing that can be trained on.
    """
    chosen = task or task_of_verdicts(read_labels(labels).verdicts)
    if chosen is None:
        raise DataError(f"{shown(labels)}: holds no label that can be trained on; judge some first")
    values: dict[str, Any] = {}
    if last is not None:
        values = {name: getattr(last, name) for name in KEPT if getattr(last, name) is not None}
    values |= {"data": str(labels.absolute()), "task": chosen}
    if base is not None:
        values["base"] = str(base.absolute())
    if chosen == "retrieval" and documents is not None:
        # A path is recorded as one that every later command finds.
        where = documents if documents == DEMO else str(user_path(documents, DataError).absolute())
        values |= {"corpus": where, "eval_corpus": RANKED_PASSAGES}
    return config_from_mapping(values, "labels")


def task_of_verdicts(verdicts: Iterable[Verdict]) -> Task | None:
    """What more of the labels are for, pairs if as many; None where there is no label."""
    both = combined(verdicts)
    if not both.pairs and not both.passages:
        return None
    return "pairs" if len(both.pairs) >= len(both.passages) else "retrieval"
