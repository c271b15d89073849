"""Many pairs at once: loaded or pasted, scored as one job, sorted and saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_engine.errors import DataError, one_line
from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.words.formats import cell

if TYPE_CHECKING:
    from nexus_engine.data import Pairs
    from nexus_engine.scoring.querying import ModelPair, PairCosines

__all__ = ["ManyPairs"]

MAX_PAIRS = 100_000
ORDERS = ("difference", "tuned", "base", "file")
"""In the order in which the key cycles through them."""


class _Scored(NamedTuple):
    label: str
    pairs: list[tuple[str, str]]
    cosines: list[PairCosines]
    order: list[int]
    models: ModelPair


class ManyPairs(LongWork):
    """The pairs, their cosines and the order in which the table shows them."""

    kind = "many"

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        super().__init__(playground, changed)
        self.label = ""
        self.pairs: list[tuple[str, str]] = []
        self.cosines: list[PairCosines] = []
        self.order: list[int] = []
        self.by = ORDERS[0]
        self.saved = ""
        """Where the table was saved, in words; empty if it is not saved."""
        self._read: Callable[[], Pairs] | None = None
        self._typed = False

    def load(self, path: str) -> None:
        """Score the pairs of a file."""

        def read() -> Pairs:
            from nexus_engine.data import load_unscored

            if path == "-":
                raise DataError("-: name a file; the terminal is the app's own")
            return load_unscored(path)

        self._score(one_line(Path(path).name, 60), read)

    def paste(self, text: str, kind: Literal["tsv", "csv"]) -> None:
        """Score pairs that were pasted."""

        def read() -> Pairs:
            from nexus_engine.data.pasting import read_pasted

            return read_pasted(text, kind)

        self._score("pasted pairs", read, typed=True)

    def again(self) -> None:
        """Score the same pairs with the present model and weights."""
        if self._read is not None:
            self._score(self.label, self._read, typed=self._typed)

    def _score(self, label: str, read: Callable[[], Pairs], *, typed: bool = False) -> None:
        self._read, self._typed = read, typed
        model, stamp, by = self.playground.model, self.playground.stamp, self.by

        def work(check: Check) -> _Scored:
            from nexus_engine.scoring.querying import distinct, ordered, score

            data = read()
            if len(data) > MAX_PAIRS:
                raise DataError(
                    f"{label}: {len(data):,} pairs are more than the {MAX_PAIRS:,} allowed here; "
                    "use `nexus similarity --file`, which takes any number"
                )
            check()
            pairs = list(zip(data.first.to_pylist(), data.second.to_pylist(), strict=True))
            models = self.playground.models(model)
            self.playground.note(model, "similarity", data, typed=typed)
            self.expect(distinct(pairs) * len(models.each()))
            cosines = score(models, pairs, self.advance, check)
            return _Scored(label, pairs, cosines, ordered(cosines, by), models)

        def done(scored: _Scored) -> None:
            self.label, self.pairs, self.cosines, self.order, models = scored
            self.saved = ""
            self.note_origin(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin(f"scoring {label}", work, done)

    def sort(self) -> None:
        """Sort the table by the next of `ORDERS`."""
        self.by = ORDERS[(ORDERS.index(self.by) + 1) % len(ORDERS)]
        by, cosines = self.by, self.cosines

        def work(_: Check) -> list[int]:
            from nexus_engine.scoring.querying import ordered

            return ordered(cosines, by)

        def done(order: list[int]) -> None:
            if len(order) == len(self.pairs):
                self.order = order

        self.begin("sorting", work, done)

    def save(self, path: Path, *, replace: bool, on_exists: Callable[[], None]) -> None:
        """Write the table as TSV, mode 0600.

        If the file exists and `replace` is False, nothing is written and `on_exists` is called.
        """
        pairs, cosines, order = self.pairs, self.cosines, self.order

        def work(_: Check) -> bool:
            lines = scored_lines(pairs, cosines, order)
            if replace:
                from nexus_engine.disk.files import replace_file

                replace_file(path, lambda temporary: _write(temporary, lines))
                return True
            try:
                _write(path, lines)
            except FileExistsError:
                return False
            return True

        def done(written: bool) -> None:
            if written:
                self.saved = f"saved as {one_line(path, 200)}"
            else:
                on_exists()

        self.begin("saving", work, done)


def _write(path: Path, lines: Iterator[str]) -> None:
    """Write a new file, mode 0600; it is removed again if writing fails."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(lines)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def scored_lines(
    pairs: list[tuple[str, str]], cosines: list[PairCosines], order: list[int]
) -> Iterator[str]:
    """The table as lines of TSV, with no cell that a spreadsheet would run as a formula."""
    yield "base\ttuned\tdifference\tsentence1\tsentence2\n"
    for index in order:
        (first, second), (base, tuned) = pairs[index], cosines[index]
        tuned_text = "" if tuned is None else f"{tuned:.6f}"
        difference = "" if tuned is None else f"{tuned - base:.6f}"
        yield f"{base:.6f}\t{tuned_text}\t{difference}\t{cell(first)}\t{cell(second)}\n"
