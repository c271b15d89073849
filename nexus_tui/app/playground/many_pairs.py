"""Many pairs at once: loaded from a file or pasted, scored in one batch, sorted, saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_engine.errors import DataError, one_line
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.app.playground.work_queue import Check
from nexus_tui.words.formats import cell

if TYPE_CHECKING:
    from nexus_engine.data import Pairs
    from nexus_engine.scoring.querying import ModelPair, PairCosines

__all__ = ["ManyPairs"]

MAX_PAIRS = 100_000
ORDERS = ("difference", "tuned", "base", "file")
"""In the order in which a key goes through them."""


class _Scored(NamedTuple):
    label: str
    pairs: list[tuple[str, str]]
    cosines: list[PairCosines]
    order: list[int]
    models: ModelPair


class ManyPairs(LongWork):
    """The pairs, their cosines and the order in which they are shown."""

    kind = "many"

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        super().__init__(playground, changed)
        self.label = ""
        self.pairs: list[tuple[str, str]] = []
        self.cosines: list[PairCosines] = []
        self.order: list[int] = []
        self.by = ORDERS[0]
        self.saved = ""
        """Where the present table was saved, in words."""
        self._again: Callable[[], Pairs] | None = None
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
        """Score the same pairs by the model and weights of now."""
        if self._again is not None:
            self._score(self.label, self._again, typed=self._typed)

    def _score(self, label: str, read: Callable[[], Pairs], *, typed: bool = False) -> None:
        self._again, self._typed = read, typed
        model, stamp, by = self.playground.model, self.playground.stale, self.by

        def work(check: Check) -> _Scored:
            from nexus_engine.scoring.querying import distinct, ordered, score

            found = read()
            if len(found) > MAX_PAIRS:
                raise DataError(
                    f"{label}: holds {len(found):,} pairs; {MAX_PAIRS:,} are scored here at most, "
                    "`nexus similarity --file` takes any number"
                )
            check()
            pairs = list(zip(found.first.to_pylist(), found.second.to_pylist(), strict=True))
            models = self.playground.models(model)
            self.playground.note(model, "similarity", found, typed=typed)
            self.expect(distinct(pairs) * len(models.each()))
            cosines = score(models, pairs, self.advance, check)
            return _Scored(label, pairs, cosines, ordered(cosines, by), models)

        def done(found: _Scored) -> None:
            self.label, self.pairs, self.cosines, self.order, models = found
            self.saved = ""
            self.answered_by(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin(f"scoring {label}", work, done)

    def sort(self) -> None:
        """Show the table in the next order."""
        self.by = ORDERS[(ORDERS.index(self.by) + 1) % len(ORDERS)]
        by, cosines = self.by, self.cosines

        def work(_: Check) -> list[int]:
            from nexus_engine.scoring.querying import ordered

            return ordered(cosines, by)

        def done(order: list[int]) -> None:
            if len(order) == len(self.pairs):
                self.order = order

        self.begin("sorting", work, done)

    def save(self, path: Path, *, replace: bool, taken: Callable[[], None]) -> None:
        """Write the table as TSV, mode 0600; `taken` when the file is there and not to go."""
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
                taken()

        self.begin("saving", work, done)


def _write(path: Path, lines: Iterator[str]) -> None:
    """A new file for the owner alone; one that was begun and failed is taken away."""
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
    """The table as lines of TSV; no cell is a formula to a spreadsheet."""
    yield "base\ttuned\tdifference\tsentence1\tsentence2\n"
    for place in order:
        (first, second), (base, tuned) = pairs[place], cosines[place]
        after = "" if tuned is None else f"{tuned:.6f}"
        apart = "" if tuned is None else f"{tuned - base:.6f}"
        yield f"{base:.6f}\t{after}\t{apart}\t{cell(first)}\t{cell(second)}\n"
