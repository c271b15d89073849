"""Pins on disk: `pinned.json` in the user's data folder, readable by the owner only.

The file holds the pairs and questions that the user pinned. Removing the last pin deletes the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from nexus_engine.disk.files import make_folder, replace_json
from nexus_engine.disk.json_text import plain, revive
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import DataError, one_line
from nexus_engine.runs.folder import runs_root

__all__ = ["Pin", "PinBook", "pins_file", "read_pins", "write_pins"]

MAX_PINS = 50
MAX_RUNS = 6
"""Runs for which a pin keeps its cosines, the newest."""
MAX_POINTS = 200
MAX_BYTES = 200_000_000
"""Bound on the file, wide because a pinned sentence may be as long as one of a data file."""

CosinePath = tuple[tuple[int, float], ...]
"""(epoch, cosine with the weights of that epoch), by rising epoch."""


@dataclass(frozen=True, slots=True, repr=False)
class Pin:
    """A pair and its cosines by run folder. It has no repr, so that no sentence reaches a log."""

    first: str
    second: str
    paths: Mapping[str, CosinePath] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str]:
        """The two sentences."""
        return self.first, self.second

    def scored(self, run: str, epoch: int, cosine: float) -> Pin:
        """The pin with one more point, which replaces those of this epoch and later ones."""
        earlier = tuple(point for point in self.paths.get(run, ()) if point[0] < epoch)
        path = (*earlier, (epoch, cosine))[-MAX_POINTS:]
        if path == self.paths.get(run):
            return self
        others = [(name, points) for name, points in self.paths.items() if name != run]
        newest = dict(others[-(MAX_RUNS - 1) :])
        return replace(self, paths={**newest, run: path})


@dataclass(frozen=True, slots=True, repr=False)
class PinBook:
    """All pins, the newest first. With `on` False they are kept, but neither shown nor scored."""

    on: bool = True
    pins: tuple[Pin, ...] = ()
    questions: tuple[str, ...] = ()
    """Pinned questions, whose answers Teach ranks before and after a retrain."""

    def with_question(self, question: str) -> PinBook:
        """The book with this question pinned."""
        if question in self.questions:
            return self
        return replace(self, questions=(question, *self.questions)[:MAX_PINS])

    def without_question(self, question: str) -> PinBook:
        """The book without this question."""
        kept = tuple(other for other in self.questions if other != question)
        return replace(self, questions=kept)

    def with_pin(self, first: str, second: str) -> PinBook:
        """The book with this pair pinned; a pair that is pinned already keeps its place."""
        if any(pin.pair == (first, second) for pin in self.pins):
            return self
        return replace(self, pins=(Pin(first, second), *self.pins)[:MAX_PINS])

    def without(self, pair: tuple[str, str]) -> PinBook:
        """The book without this pair."""
        return replace(self, pins=tuple(pin for pin in self.pins if pin.pair != pair))

    def scored(self, run: str, epoch: int, cosines: Mapping[tuple[str, str], float]) -> PinBook:
        """The book with one more point for each pair in `cosines`."""
        pins = tuple(
            pin.scored(run, epoch, cosines[pin.pair]) if pin.pair in cosines else pin
            for pin in self.pins
        )
        return self if pins == self.pins else replace(self, pins=pins)


class _PinOnDisk(msgspec.Struct, forbid_unknown_fields=True):
    first: str
    second: str
    paths: dict[str, list[tuple[int, float]]] = {}


class _BookOnDisk(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    on: bool
    pins: list[_PinOnDisk]
    questions: list[str] = []


def pins_file() -> Path:
    """`$XDG_DATA_HOME/nexus/pinned.json`, or the platform's own data folder."""
    return runs_root().parent / "pinned.json"


def read_pins(path: Path) -> PinBook:
    """The pins in the file `path`; none if there is no such file.

    Raises:
        DataError: the file exists but cannot be read as pins.
    """
    try:
        content = revive(read_json(path, MAX_BYTES))
        book = msgspec.convert(content, _BookOnDisk, strict=False)
    except FileNotFoundError:
        return PinBook()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise DataError(
            f"{one_line(path)}: no pins can be read from it ({type(error).__name__}); "
            "the next pin moves it to pinned.json.unread"
        ) from None
    pins = (
        Pin(pin.first, pin.second, {run: tuple(points) for run, points in pin.paths.items()})
        for pin in book.pins[:MAX_PINS]
    )
    return PinBook(book.on, tuple(pins), tuple(book.questions[:MAX_PINS]))


def write_pins(path: Path, book: PinBook) -> None:
    """Replace the file `path` by `book` atomically, mode 0600; without pins, delete it.

    An existing file that cannot be read as pins is first renamed to `pinned.json.unread`.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        read_pins(path)
    except DataError:
        os.replace(path, path.with_name(path.name + ".unread"))
    if not book.pins and not book.questions and book.on:
        path.unlink(missing_ok=True)
        return
    make_folder(path.parent)
    pins = [
        {"first": pin.first, "second": pin.second, "paths": dict(pin.paths)} for pin in book.pins
    ]
    content: dict[str, object] = {"format": 1, "on": book.on, "pins": pins}
    if book.questions:  # versions without pinned questions read a file that has none
        content["questions"] = list(book.questions)
    replace_json(path, plain(content))
