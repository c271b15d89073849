"""What a sweep runs: axes of settings, seeds, and the settings that all runs share. Pure."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from nexus_engine.config import Settings, TrainConfig, Tune, config_from_mapping, resolve
from nexus_engine.errors import ConfigError, one_line

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
"""Runs of a sweep; so also its seeds, and the values of an axis."""
MAX_BYTES = 1_000_000
"""Size of a grid's file."""

DEFAULT_AXES: dict[Tune, dict[str, tuple[Any, ...]]] = {
    # The published project's twelve.
    "full": {"lr": (1e-5, 2e-5, 5e-5), "batch_size": (16, 32), "warmup_epochs": (2, 4)},
    # The same three questions around the recipe of the frozen encoder: rate, batch, and how long
    # the first set learns before the second may come.
    "dendrites": {
        "lr": (1e-3, 1.7e-3, 3e-3),
        "batch_size": (32, 64),
        "switch_epochs": ((0, 1), (0, 2)),
    },
    "adapter": {"lr": (3e-5, 1e-4, 3e-4), "batch_size": (16, 32), "warmup_epochs": (2, 4)},
}


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One swept setting, by its name in `TrainConfig`, and its values in order."""

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
        """How many runs there are, without making them."""
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
        """What `cell` asks for.

        Raises:
            ConfigError: a name or value that no training takes.
        """
        swept = {axis.name: value for axis, value in zip(self.axes, cell.values, strict=True)}
        return config_from_mapping({**self.common, **swept, "seed": cell.seed}, "grid")

    def settings(self, cell: Cell) -> Settings:
        """What `cell` resolves to.

        Raises:
            ConfigError: a value out of range, or settings that contradict each other.
        """
        return resolve(self.config(cell))

    def check(self) -> None:
        """Resolve every cell, so that a bad value is told before anything runs.

        Raises:
            ConfigError: the first cell that cannot be run, and why.
        """
        if self.size > MAX_RUNS:  # before anything is made of them
            count = f"{self.size:,}" if self.size < 10**15 else "far too many"
            raise ConfigError(
                f"grid: {count} runs; {MAX_RUNS:,} at most: leave out values or seeds"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError("seeds: name at least one, each once")
        for axis in self.axes:
            shown = [repr(value) for value in axis.values]
            if not shown or len(set(shown)) != len(shown):
                raise ConfigError(f"grid: {axis.name} needs at least one value, each once")
        for cell in self.cells():
            self.settings(cell)


def default_grid(common: dict[str, Any], seeds: tuple[int, ...] = (1,)) -> Grid:
    """The twelve combinations that suit the regime in `common`, less what `common` fixes."""
    tune = common.get("tune", "dendrites")
    axes = DEFAULT_AXES.get(tune, {})
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
    """Seeds given as 1-5 or 1,4,7.

    Raises:
        ConfigError: neither, or more than a sweep can have.
    """
    wanted = ConfigError(f"--seeds {one_line(text, 40)}: give them as 1-5 or 1,4,7")
    parts = re.fullmatch(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", text)
    if parts:
        first, last = int(parts[1]), int(parts[2])
        if last < first:
            raise wanted
        _check_number(text, last - first + 1)
        return tuple(range(first, last + 1))
    _check_number(text, text.count(",") + 1)
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise wanted from None


def _check_number(text: str, seeds: int) -> None:
    if seeds > MAX_RUNS:
        raise ConfigError(f"--seeds {one_line(text, 40)}: {seeds:,} seeds; {MAX_RUNS:,} at most")


def grid_from_file(path: Path, common: dict[str, Any], seeds: tuple[int, ...] | None) -> Grid:
    """The grid of a TOML file: `[grid]` with a list for each swept setting, `seeds`, `[train]`.

    `common` (what the command line says) goes over the file's `[train]`, `seeds` over its own.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    shown = one_line(path, 200)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"--grid {shown}: larger than {MAX_BYTES:,} bytes")
        found = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"--grid {shown}: {error.strerror}; check the path") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--grid {shown}: not TOML: {one_line(error, 120)}") from None
    unknown = set(found) - {"grid", "train", "seeds"}
    if unknown:
        raise ConfigError(
            f"--grid {shown}: unknown {one_line(sorted(unknown)[0], 40)}; known: [grid], [train], "
            "seeds"
        )
    tables = {}
    for name in ("grid", "train"):
        table = found.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--grid {shown}: {name} must be a table, [{name}]")
        tables[name] = {str(key).replace("-", "_"): value for key, value in table.items()}
    axes = []
    for name, values in tables["grid"].items():
        if name in ("seed", "data"):
            raise ConfigError(f"--grid {shown}: {name} cannot be an axis; seeds = [1, 2] is")
        if not isinstance(values, list):
            raise ConfigError(f"--grid {shown}: {name} must be a list of values")
        axes.append(Axis(name=name, values=tuple(values)))
    try:
        listed = msgspec.convert(found.get("seeds", [1]), tuple[int, ...])
    except msgspec.ValidationError:
        raise ConfigError(f"--grid {shown}: seeds must be a list of whole numbers") from None
    return Grid(
        axes=tuple(axes),
        seeds=listed if seeds is None else seeds,
        common={**tables["train"], **common},
    )
