"""The part Many: pairs from a file or pasted, scored as one job, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.text_input import LabelledInput, TextInput
from nexus_tui.app.playground.many_pairs import ManyPairs
from nexus_tui.app.playground.pair_rows import ScoredRows
from nexus_tui.app.playground.work_line import WorkLine
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.pairs.tables import PAIR_COLUMNS, heading
from nexus_tui.words.formats import count

if TYPE_CHECKING:
    from nexus_tui.app.playground.state import PlaygroundState

__all__ = ["ManyPane"]

SORTED_BY = {
    "difference": "largest change first",
    "tuned": "most alike by tuned first",
    "base": "most alike by base first",
    "file": "in the order of the file",
}


class ManyRows(ScoredRows):
    """The scored pairs."""

    def __init__(self, many: ManyPairs) -> None:
        super().__init__(id="many-rows")
        self._many = many

    def count(self) -> int:
        """Number of scored pairs."""
        return len(self._many.order)

    def head(self, width: int) -> Sequence[Text]:
        """The sort order and the columns."""
        if not self.count():
            return ()
        return [heading("Pairs", SORTED_BY[self._many.by], PAIR_COLUMNS, width, self.chart_style)]

    def empty(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """How to load pairs."""
        if self._many.doing:
            return ()
        dim = self.chart_style.palette.dim
        return [
            Text("  Press i and enter the path of a file with two columns of", dim),
            Text("  sentences: CSV, TSV, JSONL or Parquet. Or paste lines of pairs,", dim),
            Text("  separated by tabs or commas, into any line.", dim),
        ]

    def facts(self, index: int) -> tuple[str, str, float, float | None]:
        """Sentences and cosines of a row."""
        number = self._many.order[index]
        (first, second), (base, tuned) = self._many.pairs[number], self._many.cosines[number]
        return first, second, base, tuned


class PairInFull(Canvas):
    """Both sentences of the row under the cursor, each on its own line."""

    DEFAULT_CSS = "PairInFull { height: 2; margin: 0 1; }"

    def __init__(self, many: ManyPairs, rows: ManyRows) -> None:
        super().__init__()
        self._many, self._rows = many, rows

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """Two lines."""
        index = self._rows.selected
        if index is None:
            return []
        pair = self._many.pairs[self._many.order[index]]
        return [
            Text.assemble(
                (f"{number} ", self.chart_style.palette.title),
                clipped(side, width - 2, self.chart_style),
            )
            for number, side in enumerate(pair, start=1)
        ]


class ManyPane(Container):
    """Path, progress, table, and the selected pair in full."""

    def __init__(self, playground: PlaygroundState) -> None:
        super().__init__(id="part-many")
        self.many = ManyPairs(playground, self._changed)
        self._rows = ManyRows(self.many)

    def compose(self) -> ComposeResult:
        """The path, the progress, the table, the selected pair."""
        yield LabelledInput(
            "file", TextInput(placeholder="path of a file of pairs", id="many-path")
        )
        yield WorkLine(self.many, self._result, "many-work")
        yield self._rows
        yield PairInFull(self.many, self._rows)

    def _result(self) -> str:
        many = self.many
        if not many.order:
            return ""
        if many.saved:
            return many.saved
        epoch = "" if many.epoch is None else f", epoch {many.epoch}"
        return f"{count(len(many.order))} pairs of {many.label} by {many.model_name}{epoch}"

    def _changed(self) -> None:
        if self.is_attached:
            self.tick()
            self._rows.redraw()
            self.query_one(PairInFull).redraw()
            self.screen.refresh_bindings()

    def home(self) -> Rows:
        """The widget that gets the focus when a line loses it."""
        return self._rows

    def tick(self) -> None:
        """Redraw the progress."""
        self.query_one(WorkLine).redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter scores the file."""
        event.stop()
        path = event.value.strip()
        if path:
            self.many.load(path)
            self._rows.focus()

    def pair_at(self, index: int) -> tuple[str, str]:
        """The pair of a row."""
        return self.many.pairs[self.many.order[index]]

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the pair under the cursor in full."""
        event.stop()
        self.query_one(PairInFull).redraw()
