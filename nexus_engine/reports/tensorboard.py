"""The metrics of runs as TensorBoard event files, one folder for each arm of each run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.files import FILE_MODE
from nexus_engine.reports.gather import Gathered, Run

__all__ = ["write_tensorboard"]


def _folder_names(runs: Sequence[Run]) -> list[str]:
    """A folder name for each run; runs of one name are numbered."""
    seen: dict[str, int] = {}
    found = []
    for run in runs:
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in run.label) or "run"
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return found


def write_tensorboard(gathered: Gathered, out: Path) -> int:
    """Write loss by step, and Spearman on dev and the guard by epoch; the number of folders made.

    Values that are not finite are left out. Files are for their owner alone.

    Raises:
        ConfigError: tensorboardX is not installed, or `out` cannot be written to.
    """
    try:
        from tensorboardX import SummaryWriter  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError(
            "--tensorboard needs tensorboardX: pip install 'nexus-dendrites[tensorboard]'"
        ) from None
    made = 0
    try:
        for run, name in zip(gathered.runs, _folder_names(gathered.runs), strict=True):
            for arm in run.arms:
                folder = out / name / arm.name.replace(":", "-")
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with SummaryWriter(str(folder)) as writer:
                    series = {
                        "loss": arm.losses,
                        "dev/spearman": [(p.epoch, p.spearman) for p in arm.points],
                        "guard/spearman": [(p.epoch, p.guard_spearman) for p in arm.points],
                    }
                    for tag, points in series.items():
                        for step, value in points:
                            if math.isfinite(value):
                                writer.add_scalar(tag, value, step)
                for file in folder.iterdir():
                    file.chmod(FILE_MODE)
                made += 1
    except OSError as error:
        raise ConfigError(f"--tensorboard {one_line(out, 200)}: {error.strerror}") from None
    return made
