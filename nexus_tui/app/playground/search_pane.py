"""The part Search: the texts of a corpus nearest to a query, by base and by tuned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

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
from nexus_tui.charts.pairs.tables import answers_line, match_row, match_words, side_width
from nexus_tui.words.formats import count

if TYPE_CHECKING:
    from nexus_engine.scoring.searching import Match
    from nexus_tui.app.playground.state import PlaygroundState

__all__ = ["SearchPane"]

MIN_TWO_COLUMNS = 70
"""Below this width, one side is shown at a time."""


class _Side(NamedTuple):
    """What one model finds."""

    title: str
    matches: list[Match]
    is_tuned: bool = False


class MatchRows(Rows):
    """The nearest texts by rank; left and right switch between base and tuned."""

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
        """The side of the cursor: 0 for base, 1 for tuned; always 0 with one side alone."""
        return self._side if len(self._sides()) == 2 else 0

    def _sides(self) -> list[_Side]:
        matches = self._search.matches
        if matches is None:
            return []
        sides = (_Side("by base", matches.by_base), _Side("by tuned", matches.by_tuned, True))
        return [side for side in sides if side.matches]

    @property
    def match(self) -> Match | None:
        """The match under the cursor."""
        index = self.selected
        return None if index is None else self._sides()[self.side].matches[index]

    def count(self) -> int:
        """Number of ranks."""
        sides = self._sides()
        return min(len(side.matches) for side in sides) if sides else 0

    def head(self, width: int) -> Sequence[Text]:
        """The model of each column."""
        sides = self._sides()
        if not sides:
            return ()
        palette = self.chart_style.palette
        if len(sides) == 2 and width >= MIN_TWO_COLUMNS:
            column_width = side_width(width - 2)
            titles = f"  {sides[0].title:<{column_width + 3}}{sides[1].title}"
            return [Text(titles, palette.title)]
        line = Text().append(f"  {sides[self.side].title}", palette.title)
        if len(sides) == 2:
            line.append("   left and right: base, tuned", palette.dim)
        if not self._search.base_command:
            return [line]
        words = f"  by base too: {self._search.base_command}"
        if len(words) > width:  # the line of the corpus says which index
            words = "  by base too: nexus index refresh INDEX --with-base"
        return [line, Text(clipped(words, width, self.chart_style), palette.dim)]

    def empty(self, width: int) -> Sequence[Text]:
        """How to search, or an error that its line has no room for."""
        if self._search.doing or self._search.matches is not None:
            return ()
        dim = self.chart_style.palette.dim
        if len(self._search.error) > width:
            error = Text(self._search.error, self.chart_style.palette.warn)
            return list(error.wrap(self.app.console, width))
        lines = [
            "  Press i and enter the path of a text file, a sentence a",
            "  line, or of questions, of documents, or of an index. Then",
            "  enter what to look for. n takes the next question, and",
            "  marks its known answers. In an index file:*.md and",
            "  folder:NAME in the query choose files.",
        ]
        own_data = self._search.playground.own_data
        if own_data is not None and own_data.task == "retrieval":
            lines = [
                "  Press n for the first question of the run's own data:",
                "  its known answers are marked, with their ranks. i takes",
                "  any other query or corpus.",
            ]
        return [Text(line, dim) for line in lines]

    def row(self, index: int, width: int) -> Text:
        """One rank, by each side."""
        sides = self._sides()
        if len(sides) == 1 or width + 2 < MIN_TWO_COLUMNS:
            return self._cell(sides[self.side], index, width)
        column_width = side_width(width)
        line = Text()
        for place, side in enumerate(sides):
            part = self._cell(side, index, column_width)
            part.append(" " * (column_width - part.cell_len))
            line = Text.assemble(line, part)
            if place == 0:
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

    def _cell(self, side: _Side, index: int, width: int) -> Text:
        match = side.matches[index]
        rank, cosine = match.base_rank, match.base
        if side.is_tuned:
            rank, cosine = match.tuned_rank, match.tuned
        assert rank is not None
        assert cosine is not None
        return match_row(
            rank,
            cosine,
            match.rise,
            match.sentence,
            width,
            self.chart_style,
            is_answer=match.is_answer,
        )

    def to_answer(self) -> bool:
        """Move the cursor to the next known answer on its side; False if none is in the list."""
        sides, total = self._sides(), self.count()
        if not total:
            return False
        matches = sides[self.side].matches
        places = [(self.cursor + step) % total for step in range(1, total + 1)]
        place = next((place for place in places if matches[place].is_answer), None)
        if place is not None:
            self.action_move(place - self.cursor)
        return place is not None

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


class AnswerLine(Canvas):
    """The question's place in the corpus, and how the ranks of its known answers changed."""

    DEFAULT_CSS = "AnswerLine { height: 1; margin: 0 1; display: none; }"

    def __init__(self, search: CorpusSearch) -> None:
        super().__init__(id="search-answers")
        self._search = search

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        place, matches = self._search.place, self._search.matches
        if place is None or matches is None:
            return []
        ranks = [(match.base_rank, match.tuned_rank) for match in matches.answers]
        return [answers_line(*place, ranks, width, self.chart_style)]


class MatchInFull(Canvas):
    """The text under the cursor, with its line or passage and its ranks."""

    DEFAULT_CSS = "MatchInFull { height: 3; margin: 0 1; }"

    def __init__(self, search: CorpusSearch, rows: MatchRows) -> None:
        super().__init__()
        self._search = search
        self._rows = rows

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """Its place and ranks, then the text."""
        match = self._rows.match
        if match is None:
            return []
        words = match_words(
            match.line,
            match.times,
            match.base_rank,
            match.base,
            match.tuned_rank,
            match.tuned,
            unit=self._search.unit,
            source=one_line(match.source, 200),
        )
        rows = height - 1
        sentence = Text(one_line(match.sentence, 4 * width * max(1, rows)))
        parts = list(sentence.wrap(self.app.console, width))[:rows]
        if len(parts) == rows and rows:
            shown = sum(len(part.plain) for part in parts[:-1])
            parts[-1] = Text(clipped(sentence.plain[shown:].strip(), width, self.chart_style))
        return [Text(clipped(words, width, self.chart_style), self.chart_style.palette.dim), *parts]


class SearchPane(Container):
    """Corpus and query, progress, known answers, matches, and the selected match in full."""

    def __init__(self, playground: PlaygroundState) -> None:
        super().__init__(id="part-search")
        self._playground = playground
        self.work = CorpusSearch(playground, self._changed, self._show_question)
        self._rows = MatchRows(self.work)
        self._proposed = ""
        """The run's own data, where it fills the path."""

    def compose(self) -> ComposeResult:
        """Corpus and query, the progress, the known answers, the matches, the selected match."""
        yield LabelledInput(
            "corpus",
            TextInput(placeholder="path of texts or an index, or demo-search", id="search-path"),
        )
        yield LabelledInput("query", TextInput(placeholder="what to look for", id="search-query"))
        yield WorkLine(self.work, self._result, "search-work")
        yield AnswerLine(self.work)
        yield self._rows
        yield MatchInFull(self.work, self._rows)

    @property
    def path(self) -> TextInput:
        """The corpus's line."""
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
        texts = "sentences" if work.unit == "line" else "passages"
        words = ", and by words" if work.ranks_by_words else ""
        return f"{count(work.matches.sentences)} {texts} by {work.model_name}{epoch}{words}"

    def _changed(self) -> None:
        if self.is_attached:
            self.set_class(self.work.unit == "passage", "-passages")
            self.query_one(AnswerLine).display = self.work.place is not None
            self.tick()
            self._rows.redraw()
            self.query_one(AnswerLine).redraw()
            self.query_one(MatchInFull).redraw()
            self.screen.refresh_bindings()

    def propose(self) -> None:
        """Fill the path with the run's own questions, unless the user has entered another."""
        data = self._playground.own_data
        spec = data.spec if data is not None and data.task == "retrieval" else ""
        if self.path.value == self._proposed:
            self.path.value = spec
        self._proposed = spec
        self._rows.redraw()

    def step(self, step: int) -> None:
        """Search for the next question of the corpus, or the one before."""
        path = self.path.value.strip()
        if path:
            self._rows.cursor = 0
            self.work.step(path, step)
            self._rows.focus()

    def to_answer(self) -> bool:
        """Move the cursor to the next known answer; False if none is in the list."""
        self._rows.focus()
        return self._rows.to_answer()

    def _show_question(self, text: str) -> None:
        self.query_line.value = text
        self.query_line.cursor_position = 0

    def on_unmount(self) -> None:
        """Close an open index."""
        self.work.close()

    def home(self) -> Rows:
        """The widget that gets the focus when a line loses it."""
        return self._rows

    def tick(self) -> None:
        """Redraw the progress."""
        self.query_one(WorkLine).redraw()

    def begin(self) -> None:
        """Focus the query if there is a corpus, else the corpus."""
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

    @property
    def match(self) -> Match | None:
        """The match under the cursor."""
        return self._rows.match

    def pair_at(self, index: int) -> tuple[str, str]:
        """The query and the sentence of a row."""
        self._rows.cursor = index
        match = self._rows.match
        return self.work.words, "" if match is None else match.sentence

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the match under the cursor in full."""
        event.stop()
        self.query_one(MatchInFull).redraw()
