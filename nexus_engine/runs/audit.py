"""The audit file of a run: a line for each use of the data, without any of its text.

A line holds the use, the time, the process and user, the number of pairs or sentences, and their
fingerprint. Typed sentences get no fingerprint, because one of so few sentences can be guessed.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from nexus_engine.disk.growing_lines import append_line

__all__ = ["note_use"]

AUDIT_FILE = "audit.jsonl"


def note_use(folder: Path, use: str, *, fingerprint: str | None, size: int) -> None:
    """Append a line to the audit file in `folder` and sync it.

    Raises:
        OSError: the file cannot be written.
    """
    facts = {
        "time_unix_s": time.time(),
        "use": use,
        "size": size,
        "data_fingerprint": fingerprint,
        "pid": os.getpid(),
        "uid": os.getuid(),
    }
    append_line(folder / AUDIT_FILE, json.dumps(facts), sync=True)
