"""The task of a configuration, from its data where the user names none."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Literal

import msgspec

from nexus_engine.config import TrainConfig

__all__ = ["with_task"]

SHIPPED: dict[str, Literal["pairs", "retrieval"]] = {
    "demo": "pairs",
    "stsb": "pairs",
    "demo-search": "retrieval",
}


def with_task(config: TrainConfig) -> TrainConfig:
    """`config` with the task that its data is for, if its task is "auto".

    Raises:
        ConfigError: `columns` cannot be understood.
        DataError: a label file holds both pairs and passages.
    """
    if config.task != "auto":
        return config
    task = SHIPPED.get(config.data)
    if task is None:
        try:
            stat = os.stat(os.path.expanduser(config.data))
            stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except (OSError, ValueError):
            stamp = None
        task = _task_of(config.data, config.columns, stamp)
    return msgspec.structs.replace(config, task=task)


@lru_cache(maxsize=16)
def _task_of(
    data: str, columns: str | None, stamp: tuple[int, ...] | None
) -> Literal["pairs", "retrieval"]:
    """The task of a file or folder as it was at `stamp`, which is only a key of the cache."""
    del stamp
    # numpy and Arrow come here; `nexus config show` needs neither for data that ships.
    from nexus_engine.data.questions.fields import columns_option
    from nexus_engine.data.task import task_of

    return task_of(data, columns_option(columns) if columns else None)
