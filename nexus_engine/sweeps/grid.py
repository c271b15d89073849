"""What a sweep runs: axes of settings, seeds, and the settings shared by all runs."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from nexus_engine.config import Settings, TrainConfig, Tune, config_from_mapping
from nexus_engine.errors import ConfigError, NexusError, one_line
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.named_task import with_task
from nexus_engine.scores import Metric

__all__ = [
    "MAX_RUNS",
    "Axis",
    "Cell",
    "Grid",
    "default_grid",
    "grid_from_file",
    "parse_seeds",
]

MAX_RUNS = 10_000
"""Runs of a sweep, and so also its seeds and the values of an axis."""
MAX_BYTES = 1_000_000
"""Size of a grid file."""

DEFAULT_AXES: dict[Tune, dict[str, tuple[Any, ...]]] = {
    # The twelve runs of the published project.
    "full": {"lr": (1e-5, 2e-5, 5e-5), "batch_size": (16, 32), "warmup_epochs": (2, 4)},
    # Three axes around the recipe of the frozen encoder: learning rate, batch size, and how long
    # the first set learns before the second may grow.
    "dendrites": {
        "lr": (1e-3, 1.7e-3, 3e-3),
        "batch_size": (32, 64),
        "switch_epochs": ((0, 1), (0, 2)),
    },
    "adapter": {"lr": (3e-5, 1e-4, 3e-4), "batch_size": (16, 32), "warmup_epochs": (2, 4)},
}
RETRIEVAL_AXES: dict[Tune, dict[str, tuple[Any, ...]]] = {
    # Around the recipes for questions: a larger batch has more passages to tell apart, and mined
    # negatives make up for a smaller one.
    "dendrites": {"lr": (4e-3, 8e-3, 1.6e-2), "batch_size": (64, 256), "hard_negatives": (0, 1)},
    "adapter": {"lr": (3e-4, 1e-3, 3e-3), "batch_size": (64, 256), "hard_negatives": (0, 1)},
    "full": {"lr": (5e-5, 1e-4, 2e-4), "batch_size": (64, 128), "hard_negatives": (0, 1)},
}


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One swept setting: its name in `TrainConfig` and its values in order."""

    name: str
    values: tuple[Any, ...]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `point` counts the combinations of the axes from 0, `values` are its settings."""

    name: str
    point: int
    values: tuple[Any, ...]
    seed: int


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Every combination of the axes' values, with every seed, on the settings of `common`."""

    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    common: dict[str, Any]

    @property
    def size(self) -> int:
        """The number of runs, counted without building them."""
        return math.prod(len(axis.values) for axis in self.axes) * len(self.seeds)

    def points(self) -> tuple[tuple[Any, ...], ...]:
        """The combinations of values, the last axis changing fastest."""
        return tuple(itertools.product(*(axis.values for axis in self.axes)))

    def cells(self) -> tuple[Cell, ...]:
        """Every run, all points of a seed before the next seed: early results cover the grid."""
        return tuple(
            Cell(name=f"{point + 1:03d}-seed-{seed}", point=point, values=values, seed=seed)
            for seed in self.seeds
            for point, values in enumerate(self.points())
        )

    def cell(self, name: str) -> Cell:
        """The run called `name`.

        Raises:
            ConfigError: there is none.
        """
        for cell in self.cells():
            if cell.name == name:
                return cell
        raise ConfigError(f"{one_line(name, 80)}: the grid has no such run")

    def config(self, cell: Cell) -> TrainConfig:
        """The configuration of `cell`.

        Raises:
            ConfigError: a name or value that no training takes.
        """
        swept = {axis.name: value for axis, value in zip(self.axes, cell.values, strict=True)}
        return config_from_mapping({**self.common, **swept, "seed": cell.seed}, "grid")

    def settings(self, cell: Cell) -> Settings:
        """The resolved settings of `cell`.

        Raises:
            ConfigError: a value out of range, or settings that contradict each other.
        """
        return resolve_for_base(with_task(self.config(cell)))

    @property
    def metric(self) -> Metric:
        """The metric that decides in the runs; Spearman if the grid cannot be resolved."""
        for cell in self.cells()[:1]:
            with contextlib.suppress(NexusError):
                return "spearman" if self.settings(cell).task == "pairs" else "ndcg_at_10"
        return "spearman"

    def check(self) -> None:
        """Resolve every cell, so that a bad value is reported before anything runs.

        Raises:
            ConfigError: the grid is too large, or why its first bad cell cannot be run.
        """
        if self.size > MAX_RUNS:  # checked before the cells are built
            count = f"{self.size:,}" if self.size < 10**15 else "far too many"
            raise ConfigError(
                f"grid: {count} runs; {MAX_RUNS:,} at most: leave out values or seeds"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError("seeds: name at least one, each once")
        for axis in self.axes:
            values = [repr(value) for value in axis.values]
            if not values or len(set(values)) != len(values):
                raise ConfigError(f"grid: {axis.name} needs at least one value, each once")
        tasks = {self.settings(cell).task for cell in self.cells()}
        if len(tasks) > 1:
            raise ConfigError(
                "grid: some runs learn from graded pairs and some from questions, and Spearman and "
                "nDCG@10 cannot be ranked together: run a sweep of each, with one --task"
            )


def default_grid(common: dict[str, Any], seeds: tuple[int, ...] = (1,)) -> Grid:
    """The twelve combinations that suit regime and task, without the axes that `common` fixes.

    Raises:
        ConfigError: a name or value in `common` that no training takes.
    """
    tune = common.get("tune", "dendrites")
    task = with_task(config_from_mapping(common, "grid")).task
    axes = (RETRIEVAL_AXES if task == "retrieval" else DEFAULT_AXES).get(tune, {})
    return Grid(
        axes=tuple(
            Axis(name=name, values=values)
            for name, values in axes.items()
            if common.get(name) is None
        ),
        seeds=seeds,
        common=common,
    )


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds in a text such as 1-5 or 1,4,7.

    Raises:
        ConfigError: the text is neither, or has more seeds than a sweep can.
    """
    unreadable = ConfigError(f"--seeds {one_line(text, 40)}: give them as 1-5 or 1,4,7")
    interval = re.fullmatch(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", text)
    if interval:
        first, last = int(interval[1]), int(interval[2])
        if last < first:
            raise unreadable
        _check_count(text, last - first + 1)
        return tuple(range(first, last + 1))
    _check_count(text, text.count(",") + 1)
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise unreadable from None


def _check_count(text: str, count: int) -> None:
    if count > MAX_RUNS:
        raise ConfigError(f"--seeds {one_line(text, 40)}: {count:,} seeds; {MAX_RUNS:,} at most")


def grid_from_file(path: Path, common: dict[str, Any], seeds: tuple[int, ...] | None) -> Grid:
    """The grid in a TOML file: `[grid]` with a list for each swept setting, `seeds`, `[train]`.

    `common` and `seeds` come from the command line and win over the file's `[train]` and `seeds`.

    Raises:
        ConfigError: the file cannot be read, or does not hold a grid.
    """
    source = f"--grid {one_line(path, 200)}"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{source}: larger than {MAX_BYTES:,} bytes")
        content = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror}; check the path") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not TOML: {one_line(error, 120)}") from None
    unknown = set(content) - {"grid", "train", "seeds"}
    if unknown:
        raise ConfigError(
            f"{source}: unknown {one_line(sorted(unknown)[0], 40)}; known: [grid], [train], seeds"
        )
    tables = {}
    for name in ("grid", "train"):
        table = content.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{source}: {name} must be a table, [{name}]")
        tables[name] = {str(key).replace("-", "_"): value for key, value in table.items()}
    axes = []
    for name, values in tables["grid"].items():
        if name in ("seed", "data"):
            instead = "write seeds = [1, 2]" if name == "seed" else "set it in [train]"
            raise ConfigError(f"{source}: {name} cannot be an axis; {instead}")
        if not isinstance(values, list):
            raise ConfigError(f"{source}: {name} must be a list of values")
        axes.append(Axis(name=name, values=tuple(values)))
    try:
        file_seeds = msgspec.convert(content.get("seeds", [1]), tuple[int, ...])
    except msgspec.ValidationError:
        raise ConfigError(f"{source}: seeds must be a list of whole numbers") from None
    return Grid(
        axes=tuple(axes),
        seeds=file_seeds if seeds is None else seeds,
        common={**tables["train"], **common},
    )
