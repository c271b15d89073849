"""Events as JSON lines and back.

JSON has no NaN or infinity, so a number that is not finite is written as the string "NaN",
"Infinity" or "-Infinity" and read back as that number.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from nexus_engine.disk.growing_lines import SCHEMA_VERSION
from nexus_engine.disk.json_text import parse_json, plain, revive
from nexus_engine.errors import RunError
from nexus_engine.event_ranges import out_of_range
from nexus_engine.events import Event, Step

__all__ = ["decode_event", "encode_event", "event_fields"]

CONTROL_SCORES = ("control_dev_spearman", "control_test_spearman")


def encode_event(event: Event) -> str:
    """The event as one line of JSON, without a line end and without scores that are None."""
    return json.dumps(event_fields(event), ensure_ascii=False, allow_nan=False)


def event_fields(event: Event) -> dict[str, Any]:
    """The event's fields as JSON holds them, without scores that are None."""
    fields: dict[str, Any] = plain(event)
    return fields if type(event) is Step else _without_absent(fields)


def _without_absent(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without those that are None, in records inside them too.

    A run with graded pairs and no control says so by null, as it always did.
    """
    named_null = CONTROL_SCORES if fields.get("metric") == "spearman" else ()
    return {
        name: [_without_absent(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
        for name, value in fields.items()
        if value is not None or name in named_null
    }


def decode_event(line: str | bytes) -> Event:
    """The event of one line of JSON.

    Raises:
        RunError: the line is not an event of this schema, or a number in it is out of range.
    """
    try:
        event = _DECODER.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        event = _decode_named_numbers(line)
    field = out_of_range(event)
    if field:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {field} is out of range")
    return event


_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
"""Decodes events whose numbers are all finite, several times as fast as `_decode_named_numbers`."""


def _decode_named_numbers(line: str | bytes) -> Event:
    """The event of a line that may hold "NaN", "Infinity" or "-Infinity" for a number.

    Raises:
        RunError: the line is not an event.
    """
    try:
        event: Event = msgspec.convert(revive(parse_json(line)), type=Event)
    except (ValueError, msgspec.ValidationError) as error:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {type(error).__name__}") from None
    return event
