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
from nexus_engine.system.shortages import OUT_OF_ROOM

__all__ = ["write_tensorboard"]


def _mark(run: Run) -> str:
    """What the files of the run's exports end with; another run of the same name has another."""
    known = json.dumps([run.name, run.begun_unix_s, one_line(run.facts.get("data_fingerprint"))])
    return ".nexus-" + hashlib.sha256(known.encode()).hexdigest()[:12]


def _exported(out: Path, mark: str) -> set[Path]:
    """The files of earlier exports to `out` that have `mark`."""
    return set(out.glob(f"*/*/events.out.tfevents.*{mark}"))


def _folder(run: Run, out: Path, earlier: set[Path]) -> Path:
    """The run's folder in `out`: that of its earlier export, or a new one, numbered where needed.

    A folder with event files of something else is left alone: TensorBoard would join the curves.
    """
    if earlier:
        return min(earlier).parent.parent
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in run.label) or "run"
    numbered = (out / (name if n == 1 else f"{name}-{n}") for n in itertools.count(1))
    return next(path for path in numbered if not any(path.glob("*/*tfevents*")))


def _write_arm(writer: Any, arm: Arm) -> None:
    series: dict[str, Sequence[tuple[int, float]]] = {
        "loss": arm.losses,
        "dev/spearman": [(p.epoch, p.spearman) for p in arm.points],
        "guard/spearman": [(p.epoch, p.guard_spearman) for p in arm.points],
    }
    for tag, points in series.items():
        for step, value in points:
            if math.isfinite(value):
                writer.add_scalar(tag, value, step)


def write_tensorboard(gathered: Gathered, out: Path) -> int:
    """Write loss by step, and Spearman on dev and the guard by epoch; the number of folders filled.

    Values that are not finite are left out. Files are for their owner alone. A run's earlier export
    to `out` is replaced: its files go once the new ones are written, and nothing else does.

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
    made = 0
    try:
        for mark, run in {_mark(run): run for run in gathered.runs}.items():
            earlier = _exported(out, mark)
            place = _folder(run, out, earlier)
            # Two exports within a second would have files of one name.
            suffix = f".{time.time_ns()}{mark}"
            for arm in run.arms:
                folder = place / arm.name.replace(":", "-")
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
                    _write_arm(writer, arm)
                made += 1
            for file in _exported(out, mark) - earlier:
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
    return made
