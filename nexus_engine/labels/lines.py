"""The lines of a label file: a header, then an act a line."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from nexus_engine.disk.json_text import parse_json
from nexus_engine.errors import DataError, one_line
from nexus_engine.labels.verdicts import GRADES, Act, PairVerdict, Undo, Verdict

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_LINE_BYTES",
    "MAX_TEXT_BYTES",
    "VERSION",
    "checked",
    "decode_act",
    "encode_act",
    "header_line",
    "is_header",
    "now",
    "read_header",
]

VERSION = 1
FIELD = "nexus_labels"
MAX_TEXT_BYTES = 1_000_000
"""Of one text in UTF-8, as in other data files."""
MAX_LINE_BYTES = 16_000_000
"""A longer line is no verdict: two texts take less, with each byte escaped in six."""
MAX_HEADER_BYTES = 1000

_DECODER: msgspec.json.Decoder[Act] = msgspec.json.Decoder(Act)


def now() -> str:
    """The time in UTC, as 2026-11-29T05:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def header_line() -> bytes:
    """The first line of a new label file."""
    return (json.dumps({FIELD: VERSION, "created": now()}) + "\n").encode()


def is_header(line: bytes) -> bool:
    """Whether `line`, the first of a file, says that the file holds labels."""
    return _header(line) is not None


def read_header(label: str, line: bytes) -> str:
    """When the file `label` was made, by its first line; "" where it does not say.

    Raises:
        DataError: the line is no header of a label file, or of a later version.
    """
    header = _header(line)
    if header is None:
        reason = f'is no label file: its first line is not {{"{FIELD}": {VERSION}}}'
        raise DataError(f"{label}: {reason}; it was left as it is; name another file")
    if header[FIELD] != VERSION:
        raise DataError(f"{label}: is a label file of a later version; update NEXUS to read it")
    created = header.get("created")
    return one_line(created, 40) if isinstance(created, str) else ""


def _header(line: bytes) -> dict[str, Any] | None:
    if len(line) > MAX_HEADER_BYTES or not line.lstrip().startswith(b"{"):
        return None
    try:
        value = parse_json(line)
    except ValueError:
        return None
    version = value.get(FIELD) if isinstance(value, dict) else None
    return value if isinstance(version, int) and version >= VERSION else None


def encode_act(act: Act) -> str:
    """The act as one line of JSON, without a line end."""
    return msgspec.json.encode(act).decode()


def decode_act(line: bytes) -> Act | None:
    """The act of one line; None for a line that is torn, damaged or of another kind."""
    try:
        act = _DECODER.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
    return act if isinstance(act, Undo) or not _fault(act) else None


def checked(verdict: Verdict) -> Verdict:
    """`verdict` itself.

    Raises:
        DataError: a text is empty or too long, or the answer lacks its grade or mark.
    """
    fault = _fault(verdict)
    if fault:
        raise DataError(f"the verdict cannot be kept: {fault}")
    return verdict


def _fault(verdict: Verdict) -> str:
    """Why the verdict says nothing; "" where it does."""
    if isinstance(verdict, PairVerdict):
        texts = {"first sentence": verdict.a, "second sentence": verdict.b}
        has = [verdict.grade is not None, verdict.same is not None]
        needs = [verdict.answer == "grade", verdict.answer == "same"]
        if verdict.grade is not None and verdict.grade not in GRADES:
            return f"the grade is not one of {GRADES[0]} to {GRADES[-1]}"
    else:
        texts = {"question": verdict.question, "passage": verdict.passage}
        has, needs = [verdict.relevant is not None], [verdict.answer == "mark"]
    if has != needs:
        return f"the answer {verdict.answer!r} does not fit its grade or mark"
    for name, text in texts.items():
        if not text.strip():
            return f"the {name} is empty"
        if "\0" in text:
            return f"the {name} holds a NUL"
        if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            return f"the {name} is longer than 1 MB"
    return ""
