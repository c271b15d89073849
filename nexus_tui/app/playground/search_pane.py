"""The part Search: the sentences of a text file nearest to a query, by base and by tuned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from nexus_engine.errors import one_line
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.text_input import LabelledInput, TextInput
from nexus_tui.app.playground.corpus_search import CorpusSearch
from nexus_tui.app.playground.work_line import WorkLine
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.pairs.tables import match_row, match_words, side_width
from nexus_tui.words.formats import count

if TYPE_CHECKING:
    from nexus_engine.scoring.searching import Match
    from nexus_tui.app.playground.state import PlaygroundState

__all__ = ["SearchPane"]

MIN_TWO_COLUMNS = 70
"""Below this width, one side is shown at a time."""


class MatchRows(Rows):
    """The nearest sentences by rank; left and right switch between base and tuned."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "side(0)", "By base", show=False, id="list.left"),
        Binding("right,l", "side(1)", "By tuned", show=False, id="list.right"),
    ]

    def __init__(self, search: CorpusSearch) -> None:
        super().__init__(id="search-rows")
        self._search = search
        self._side = 1

    @property
    def side(self) -> int:
        """The side of the cursor: 0 for base, 1 for tuned; always 0 without a tuned model."""
        matches = self._search.matches
        return self._side if matches is not None and matches.by_tuned else 0

    def _sides(self) -> list[tuple[str, list[Match]]]:
        matches = self._search.matches
        if matches is None:
            return []
        sides = [("by base", matches.by_base)]
        if matches.by_tuned:
            sides.append(("by tuned", matches.by_tuned))
        return sides

    @property
    def match(self) -> Match | None:
        """The match under the cursor."""
        index = self.selected
        return None if index is None else self._sides()[self.side][1][index]

    def count(self) -> int:
        """Number of ranks."""
        sides = self._sides()
        return len(sides[0][1]) if sides else 0

    def head(self, width: int) -> Sequence[Text]:
        """The model of each column."""
        sides = self._sides()
        if not sides:
            return ()
        palette = self.chart_style.palette
        if len(sides) == 2 and width >= MIN_TWO_COLUMNS:
            column_width = side_width(width - 2)
            return [Text(f"  {sides[0][0]:<{column_width + 3}}{sides[1][0]}", palette.title)]
        line = Text().append(f"  {sides[self.side][0]}", palette.title)
        if len(sides) == 2:
            line.append("   left and right: base, tuned", palette.dim)
        return [line]

    def empty(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """How to search."""
        if self._search.doing or self._search.matches is not None:
            return ()
        dim = self.chart_style.palette.dim
        return [
            Text("  Press i and enter the path of a text file, one sentence a", dim),
            Text("  line. Then enter what to look for.", dim),
        ]

    def row(self, index: int, width: int) -> Text:
        """One rank, by each side."""
        sides = self._sides()
        if len(sides) == 1 or width + 2 < MIN_TWO_COLUMNS:
            return self._cell(sides[self.side][1][index], self.side, width)
        column_width = side_width(width)
        line = Text()
        for side, (_, matches) in enumerate(sides):
            part = self._cell(matches[index], side, column_width)
            part.append(" " * (column_width - part.cell_len))
            line = Text.assemble(line, part)
            if side == 0:
                line.append(f" {self.chart_style.glyphs.upright} ", self.chart_style.palette.dim)
        return line

    def point(self, line: Text, width: int) -> Text:
        """The row with the side under the cursor highlighted."""
        if len(self._sides()) == 1 or width < MIN_TWO_COLUMNS:
            return super().point(line, width)
        column_width = side_width(width - 2)
        start = 2 + self.side * (column_width + 3)
        before, current, after = line.divide([start, start + column_width])
        return Text.assemble(before, Text(current.plain, self.chart_style.palette.selected), after)

    def _cell(self, match: Match, side: int, width: int) -> Text:
        rank = match.base_rank if side == 0 else match.tuned_rank or 0
        cosine = match.base if side == 0 or match.tuned is None else match.tuned
        return match_row(rank, cosine, match.rise, match.sentence, width, self.chart_style)

    def action_side(self, side: int) -> None:
        """Move the cursor to a column."""
        self._side = side
        self.redraw()
        self.post_message(self.Moved(self))

    def on_click(self, event: events.Click) -> None:
        """A click selects a row and a side."""
        if self.size.width >= MIN_TWO_COLUMNS:
            self._side = int(event.x > 2 + side_width(self.size.width - 2))
        super().on_click(event)


class MatchInFull(Canvas):
    """The sentence under the cursor, with its line and ranks."""

    DEFAULT_CSS = "MatchInFull { height: 3; margin: 0 1; }"

    def __init__(self, rows: MatchRows) -> None:
        super().__init__()
        self._rows = rows

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """Its line and ranks, then the sentence."""
        match = self._rows.match
        if match is None:
            return []
        words = match_words(
            match.line, match.times, match.base_rank, match.base, match.tuned_rank, match.tuned
        )
        rows = height - 1
        sentence = Text(one_line(match.sentence, 4 * width * max(1, rows)))
        parts = list(sentence.wrap(self.app.console, width))[:rows]
        if len(parts) == rows and rows:
            shown = sum(len(part.plain) for part in parts[:-1])
            parts[-1] = Text(clipped(sentence.plain[shown:].strip(), width, self.chart_style))
        return [Text(clipped(words, width, self.chart_style), self.chart_style.palette.dim), *parts]


class SearchPane(Container):
    """File and query, progress, matches, and the selected match in full."""

    def __init__(self, playground: PlaygroundState) -> None:
        super().__init__(id="part-search")
        self.work = CorpusSearch(playground, self._changed)
        self._rows = MatchRows(self.work)

    def compose(self) -> ComposeResult:
        """File and query, the progress, the matches, the selected match."""
        yield LabelledInput("file", TextInput(placeholder="path of a text file", id="search-path"))
        yield LabelledInput("query", TextInput(placeholder="what to look for", id="search-query"))
        yield WorkLine(self.work, self._result, "search-work")
        yield self._rows
        yield MatchInFull(self._rows)

    @property
    def path(self) -> TextInput:
        """The file's line."""
        return self.query_one("#search-path", TextInput)

    @property
    def query_line(self) -> TextInput:
        """The query's line."""
        return self.query_one("#search-query", TextInput)

    def _result(self) -> str:
        work = self.work
        if work.matches is None:
            return ""
        epoch = "" if work.epoch is None else f", epoch {work.epoch}"
        return f"{count(work.matches.sentences)} sentences by {work.model_name}{epoch}"

    def _changed(self) -> None:
        if self.is_attached:
            self.tick()
            self._rows.redraw()
            self.query_one(MatchInFull).redraw()
            self.screen.refresh_bindings()

    def home(self) -> Rows:
        """The widget that gets the focus when a line loses it."""
        return self._rows

    def tick(self) -> None:
        """Redraw the progress."""
        self.query_one(WorkLine).redraw()

    def begin(self) -> None:
        """Focus the query if there is a file, else the file."""
        (self.query_line if self.path.value.strip() else self.path).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the empty line, or searches if both lines are filled."""
        event.stop()
        path, query = self.path.value.strip(), self.query_line.value.strip()
        if not path or not query:
            self.begin()
            return
        self._rows.cursor = 0
        self.work.search(path, query)

    def pair_at(self, index: int) -> tuple[str, str]:
        """The query and the sentence of a row."""
        self._rows.cursor = index
        match = self._rows.match
        return self.work.query, "" if match is None else match.sentence

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the match under the cursor in full."""
        event.stop()
        self.query_one(MatchInFull).redraw()
