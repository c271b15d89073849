"""Requests of other processes to a live run, through a file in the run's folder.

`control.jsonl` in the run folder gets one line for each request. Only the folder's owner can write
there. The run reads the file a few times a second, at a step or between two batches of an
evaluation. It is a file and not a socket, because no command but `fetch` opens a socket.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path
from typing import Literal, get_args

from nexus_engine.disk.growing_lines import LineTail, append_line
from nexus_engine.disk.json_text import parse_json

__all__ = ["Ask", "ControlFile"]

Ask = Literal["stop", "pause", "resume", "grow", "roll_back"]
"""The requests to a live run."""

FILE_NAME = "control.jsonl"
POLL_SECONDS = 0.25
"""Time between two reads of the file; each costs one `open`."""


class ControlFile:
    """The requests to the run in `folder`: written by any process, read by the one that runs it.

    A reader gets only the requests sent after it was made, at most every `poll_seconds`.
    """

    def __init__(self, folder: Path, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._path = folder / FILE_NAME
        self._tail = LineTail.at_end(self._path)
        self._poll_seconds = poll_seconds
        self._last_read = -math.inf

    def send(self, request: Ask) -> None:
        """Send `request` to the run.

        Raises:
            OSError: the file is a link, is not a regular file or cannot be written.
        """
        facts = {"ask": request, "time_unix_s": time.time(), "pid": os.getpid()}
        append_line(self._path, json.dumps(facts))

    def take(self) -> list[Ask]:
        """The requests since the last read, oldest first; lines that are no request are skipped."""
        now = time.monotonic()
        if now - self._last_read < self._poll_seconds:
            return []
        self._last_read = now
        requests: list[Ask] = []
        for line in self._tail.read():
            with contextlib.suppress(ValueError):
                value = parse_json(line)
                name = value.get("ask") if isinstance(value, dict) else None
                requests += [request for request in get_args(Ask) if request == name]
        return requests
