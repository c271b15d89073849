"""What another process asks of a live run, by way of the run's folder.

`control.jsonl` in the run folder takes one line for each request. Only the folder's owner can write
there. The run looks at the file a few times a second, at a step or between two batches of an
evaluation; a file and not a socket, since no command but `fetch` opens one.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Literal, get_args

from nexus_engine.disk.growing_lines import LineTail, append_line
from nexus_engine.disk.json_text import parse_json

__all__ = ["Ask", "ControlFile"]

Ask = Literal["stop", "pause", "resume", "grow", "roll_back"]
"""What can be asked of a live run."""

FILE_NAME = "control.jsonl"
LOOK_SECONDS = 0.25
"""Between two looks at the file: one `open` each."""


class ControlFile:
    """The requests to the run in `folder`: written by any process, read by the one that runs it.

    A reader sees what is asked after it was made, and nothing of what was asked before.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._tail = LineTail.at_end(self._path)
        self._looked = 0.0

    def send(self, ask: Ask) -> None:
        """Ask the run for `ask`.

        Raises:
            OSError: the file cannot be written whole, or is a link or no regular file.
        """
        facts = {"ask": ask, "time_unix_s": time.time(), "pid": os.getpid()}
        append_line(self._path, json.dumps(facts))

    def take(self) -> list[Ask]:
        """What was asked since the last look, oldest first; lines that make no sense are left."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        found: list[Ask] = []
        for line in self._tail.read():
            with contextlib.suppress(ValueError):
                said = parse_json(line)
                asked = said.get("ask") if isinstance(said, dict) else None
                found += [ask for ask in get_args(Ask) if ask == asked]
        return found
