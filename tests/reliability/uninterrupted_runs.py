"""Runs that were left alone, each trained once: what a run that met trouble must come to."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from reliability import children, tiny_runs


class Whole(NamedTuple):
    """What such a run came to, and the seconds that it took."""

    facts: dict[str, Any]
    seconds: float


_found: dict[str, Whole] = {}
_locks = {case: threading.Lock() for case in tiny_runs.CASES}


def whole(place: Path, case: str) -> Whole:
    """The run of `case` without any mutation; trained in `place` where this is the first call."""
    with _locks[case]:
        if case not in _found:
            folder = place / f"whole-{case}"
            tiny_runs.write_data(folder / "pairs")
            _found[case] = Whole(*children.call(_train, folder, case=case))
        return _found[case]


def _train(folder: Path, *, case: str) -> tuple[dict[str, Any], float]:
    begun = time.monotonic()
    tiny_runs.train(folder, case)
    return tiny_runs.facts(folder / "run"), time.monotonic() - begun
