"""Runs on a label file: the last one, and the settings of the next. Blocking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_engine.errors import NexusError

if TYPE_CHECKING:
    from nexus_engine.config import Settings, TrainConfig

__all__ = ["NextRun", "last_run", "next_run"]


class NextRun(NamedTuple):
    """The settings of a run on a label file, and the folder of the weights of the one before.

    `before` is None where there is none: then the base model came before.
    """

    settings: Settings
    before: Path | None


def last_run(labels: Path) -> Path | None:
    """The folder of the newest finished run on the label file `labels`; None without one."""
    from nexus_engine.runs.folder import runs_root
    from nexus_engine.runs.index import RunIndex
    from nexus_engine.runs.summary import read_facts

    for run in RunIndex(runs_root()).refresh():
        if run.state != "finished" or not (run.path / "best" / "model.json").is_file():
            continue
        settings = read_facts(run.path).get("settings")
        if isinstance(settings, dict) and settings.get("data") == str(labels):
            return run.path
    return None


def next_run(labels: Path, spec: str, task: Literal["pairs", "retrieval"]) -> NextRun:
    """A run on all verdicts in `labels`, on the texts of `spec`; what the last one chose stays.

    `task` decides where the file holds verdicts of both kinds.

    Raises:
        NexusError: the file cannot be read, or holds nothing that can be trained on.
    """
    from nexus_engine.labels.combining import combined
    from nexus_engine.labels.reading import read_labels
    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_engine.teaching.retraining import labels_run_config
    from nexus_tui.work.teach_data import absolute_spec

    both = combined(read_labels(labels).verdicts)
    has_both = bool(both.pairs and both.passages)
    before = last_run(labels)
    config = labels_run_config(
        labels,
        absolute_spec(spec),
        None if before is None else _config_of(before),
        task=task if has_both else None,
    )
    return NextRun(resolve_for_base(config), None if before is None else before / "best")


def _config_of(run: Path) -> TrainConfig | None:
    """What the user chose for `run`; None where its settings are of another version."""
    from nexus_engine.config import config_from_mapping
    from nexus_engine.runs.summary import read_facts
    from nexus_engine.settings.record import SETTINGS

    settings = read_facts(run).get("settings")
    if not isinstance(settings, dict):
        return None
    try:
        known = {name: value for name, value in settings.items() if name in SETTINGS}
        return config_from_mapping(known, run.name)
    except NexusError:
        return None
