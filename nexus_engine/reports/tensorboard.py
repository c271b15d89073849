"""The metrics of runs as TensorBoard event files, one folder for each arm of each run."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nexus_engine.disk.files import FILE_MODE, FOLDER_MODE
from nexus_engine.errors import ConfigError, ResourceError, one_line
from nexus_engine.reports.gather import Arm, Gathered, Run
from nexus_engine.scores import Metric
from nexus_engine.system.shortages import OUT_OF_ROOM

__all__ = ["write_tensorboard"]


def _suffix(run: Run) -> str:
    """The end of the names of the run's files; two runs of the same name have different ones."""
    identity = json.dumps([run.name, run.begun_unix_s, one_line(run.facts.get("data_fingerprint"))])
    return ".nexus-" + hashlib.sha256(identity.encode()).hexdigest()[:12]


def _exported(out: Path, suffix: str) -> set[Path]:
    """The event files in `out` whose names end in `suffix`."""
    return set(out.glob(f"*/*/events.out.tfevents.*{suffix}"))


def _folder(run: Run, out: Path, earlier: set[Path]) -> Path:
    """The run's folder in `out`: the one of its earlier export, or a new one, numbered if needed.

    A folder that holds other event files is not used: TensorBoard would join the curves.
    """
    if earlier:
        return min(earlier).parent.parent
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in run.label) or "run"
    candidates = (out / (name if n == 1 else f"{name}-{n}") for n in itertools.count(1))
    return next(path for path in candidates if not any(path.glob("*/*tfevents*")))


def _write_arm(writer: Any, arm: Arm, metric: Metric) -> None:
    series: dict[str, Sequence[tuple[int, float]]] = {
        "loss": arm.losses,
        f"dev/{metric}": [(p.epoch, p.score) for p in arm.points],
        "guard/spearman": [(p.epoch, p.guard_spearman) for p in arm.points],
        "guard/rehearsal_weight": arm.keep_weights,
    }
    for name in ("mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"):
        values = [(p.epoch, getattr(p, name)) for p in arm.points]
        series[f"dev/{name}"] = [(epoch, value) for epoch, value in values if value is not None]
    for tag, points in series.items():
        for step, value in points:
            if math.isfinite(value):
                writer.add_scalar(tag, value, step)


def write_tensorboard(gathered: Gathered, out: Path) -> None:
    """Write the loss by step, and the scores on dev and the guard by epoch.

    Values that are not finite are left out. Only the owner can read the files. A run's earlier
    export to `out` is replaced: only its files are deleted, once the new ones are written.

    Raises:
        ConfigError: tensorboardX is not installed, or `out` cannot be written to.
        ResourceError: the disk is full.
    """
    try:
        from tensorboardX import SummaryWriter  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError(
            "--tensorboard needs tensorboardX: pip install 'nexus-dendrites[tensorboard]'"
        ) from None
    try:
        for suffix, run in {_suffix(run): run for run in gathered.runs}.items():
            earlier = _exported(out, suffix)
            run_folder = _folder(run, out, earlier)
            # Without the time, two exports within a second would have files of the same name.
            unique_suffix = f".{time.time_ns()}{suffix}"
            for arm in run.arms:
                folder = run_folder / arm.name.replace(":", "-")
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                with SummaryWriter(str(folder), filename_suffix=unique_suffix) as writer:
                    _write_arm(writer, arm, run.metric)
            for file in _exported(out, suffix) - earlier:
                file.chmod(FILE_MODE)
            for file in earlier:
                file.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in OUT_OF_ROOM:
            raise ResourceError(
                f"--tensorboard {one_line(out, 200)}: {error.strerror}; "
                "make room, or choose another folder"
            ) from None
        raise ConfigError(f"--tensorboard {one_line(out, 200)}: {error.strerror}") from None
