"""The audit file of a run: a line for each use of the data, without a word of it.

What was done, when, by which process and user, on how many pairs or sentences, and the fingerprint
of these. The fingerprint of a handful of sentences could be guessed by trying sentences; so two
that were typed in get none.
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
    """Add a line to the audit file in `folder`, pushed to the disk.

    Raises:
        OSError: it cannot be written.
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
