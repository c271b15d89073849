"""The part Pair: two lines, their similarity by both models as you type, history and pins."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import Size
from textual.timer import Timer
from textual.widgets import Input

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.text_input import LabelledInput, TextInput
from nexus_tui.app.playground.pair_rows import PairRows, ScoredRows
from nexus_tui.app.playground.state import PlaygroundState, playground_of
from nexus_tui.charts.pairs.bars import PairValues, clipped, pair_picture
from nexus_tui.charts.pairs.tables import (
    FULL_BELOW,
    FULL_BESIDE,
    PAIR_COLUMNS,
    heading,
    pin_columns,
    pin_lines,
    pin_row,
)

__all__ = ["AnswerBars", "HistoryRows", "PairPane", "PinRows"]


class AnswerBars(Canvas):
    """The similarities of the present pair, or the reason why there are none yet."""

    DEFAULT_CSS = "AnswerBars { height: 3; margin: 1 1; }"

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """Three lines."""
        playground = playground_of(self)
        palette = self.chart_style.palette
        if playground.wanted_pair is None:
            return [
                Text("i begins: type two sentences and see their similarity", palette.dim),
                Text("as you type. Or paste lines of tab-separated pairs.", palette.dim),
            ]
        if playground.error:
            return [Text(clipped(playground.error, width, self.chart_style), palette.warn)]
        if playground.answer is None:
            words = "scoring" if playground.ready else "loading the model, this takes some seconds"
            return [Text(words, palette.dim)]
        answer = playground.answer
        fresh = answer.pair == playground.wanted_pair
        return pair_picture(
            PairValues(answer.base, answer.tuned), width, self.chart_style, fresh=fresh
        )


class HistoryRows(ScoredRows):
    """Pairs kept with Enter, the newest first."""

    def count(self) -> int:
        """Number of kept pairs."""
        return len(self.playground.history)

    def head(self, width: int) -> Sequence[Text]:
        """Title and columns."""
        columns = PAIR_COLUMNS if self.count() else ""
        return [heading("History", "", columns, width, self.chart_style)]

    def empty(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """How to keep a pair."""
        return [Text("  Enter in the second line keeps a pair here", self.chart_style.palette.dim)]

    def facts(self, index: int) -> tuple[str, str, float, float | None]:
        """Sentences and cosines of a row."""
        answer = self.playground.history[index]
        return answer.first, answer.second, answer.base, answer.tuned


class PinRows(PairRows):
    """Pinned pairs with their cosines over the run's checkpoints."""

    DEFAULT_CSS = "PinRows { height: auto; max-height: 8; }"

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """One line for the title, then the lines of each pin."""
        return 1 + max(1, self.count() * self.lines_at(width))

    def count(self) -> int:
        """Number of pins; 0 while they are switched off."""
        return len(self.playground.book.pins) if self.playground.book.on else 0

    def head(self, width: int) -> Sequence[Text]:
        """Title and columns."""
        full = width - 2 >= (FULL_BESIDE if self.each == 1 else FULL_BELOW)
        columns = pin_columns(full=full) if self.count() else ""
        return [heading("Pinned", "", columns, width, self.chart_style)]

    def empty(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """How to pin a pair, or to switch the pins on."""
        if not self.playground.book.on:
            pins = len(self.playground.book.pins)
            words = f"  switched off ({pins} kept); P switches them on"
        else:
            words = "  p pins a pair, scored again at each checkpoint"
        return [Text(words, self.chart_style.palette.dim)]

    def row(self, index: int, width: int) -> Text:
        """A pin."""
        return pin_row(*self._facts(index), width, self.chart_style)

    def row_lines(self, index: int, width: int) -> Sequence[Text]:
        """A pin on one line or two."""
        if self.each == 1:
            return [self.row(index, width)]
        return pin_lines(*self._facts(index), width, self.chart_style)

    def _facts(
        self, index: int
    ) -> tuple[tuple[str, str], float | None, float | None, Sequence[float]]:
        pair = self.playground.book.pins[index].pair
        cosines = self.playground.pin_cosines.get(pair)
        base, now = (None, None) if cosines is None else (cosines.base, cosines.tuned)
        return pair, base, now, self.playground.path_of(pair)


class PairPane(Container):
    """Two lines with bars, pins, and history."""

    def __init__(self) -> None:
        super().__init__(id="part-pair")
        self._timer: Timer | None = None
        self._recalled = -1
        self._pins_shown = 0

    def compose(self) -> ComposeResult:
        """Lines and bars, pins, history."""
        with Vertical(id="pair-main"):
            yield LabelledInput(
                "first", TextInput(placeholder="type or paste a sentence", id="pair-first")
            )
            yield LabelledInput("second", TextInput(placeholder="and another", id="pair-second"))
            yield AnswerBars(id="pair-answer")
        yield PinRows(id="pair-pins")
        yield HistoryRows(id="pair-history")

    @property
    def playground(self) -> PlaygroundState:
        """The playground's state."""
        return playground_of(self)

    @property
    def first(self) -> TextInput:
        """The first line."""
        return self.query_one("#pair-first", TextInput)

    @property
    def second(self) -> TextInput:
        """The second line."""
        return self.query_one("#pair-second", TextInput)

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two sentences in the lines; None if either is empty."""
        first, second = self.first.value.strip(), self.second.value.strip()
        return (first, second) if first and second else None

    def home(self) -> Rows:
        """The widget that gets the focus when a line loses it."""
        return self.query_one(HistoryRows)

    def show(self, what: str) -> None:
        """Redraw what has changed: answer, model, history or pins."""
        if what in ("answer", "model"):
            self.query_one(AnswerBars).redraw()
        if what == "history":
            self.query_one(HistoryRows).redraw()
        if what in ("pins", "model"):
            pins = self.query_one(PinRows)
            if pins.count() != self._pins_shown:
                self._pins_shown = pins.count()
                pins.refresh(layout=True)
            pins.redraw()

    def fill(self, first: str, second: str) -> None:
        """Put a pair into the lines and score it at once."""
        with self.prevent(Input.Changed):
            self.first.value, self.second.value = first, second
        self.score()

    def score(self) -> None:
        """Score the pair in the lines now."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        pair = self.pair
        if pair is None:
            if self.playground.wanted_pair is not None:
                self.playground.drop_pair()
        elif pair != self.playground.wanted_pair or self.playground.error:
            self.playground.score_pair(*pair)
            self.query_one(AnswerBars).redraw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Score the pair once typing pauses."""
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.playground.rest_seconds, self.score)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the empty line, or keeps the pair if both lines are filled."""
        event.stop()
        if self.pair is None:
            (self.second if self.first.value.strip() else self.first).focus()
            return
        self._recalled = -1
        self.score()
        self.playground.keep()

    def on_text_input_recalled(self, event: TextInput.Recalled) -> None:
        """Up and down in a line step through the history."""
        event.stop()
        history = self.playground.history
        index = self._recalled + event.step
        if -1 <= index < len(history):
            self._recalled = index
            self.fill(*(history[index].pair if index >= 0 else ("", "")))
            for line in (self.first, self.second):
                line.action_end()

    def swap(self) -> None:
        """Exchange the two lines."""
        self.fill(self.second.value, self.first.value)

    def clear(self) -> None:
        """Empty both lines, ready for another pair."""
        self.fill("", "")
        self.first.focus()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Put the chosen pair of the history, or pin, into the lines."""
        event.stop()
        if isinstance(event.rows, PinRows):
            self.fill(*self.playground.book.pins[event.index].pair)
        else:
            self.fill(*self.playground.history[event.index].pair)

    def judged_pair(self) -> tuple[str, str] | None:
        """The pin under the cursor, else the present pair, else the row of the history."""
        pair = self.selected_pair()
        index = self.query_one(HistoryRows).selected
        return self.playground.history[index].pair if pair is None and index is not None else pair

    def selected_pair(self) -> tuple[str, str] | None:
        """The pin under the cursor if the pins have the focus, else the present pair."""
        pins = self.query_one(PinRows)
        index = pins.selected
        if pins.has_focus and index is not None:
            return self.playground.book.pins[index].pair
        return self.pair
