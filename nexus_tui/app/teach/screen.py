"""The screen Teach: judge pairs and search results by single keys, and retrain on the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nexus_engine.errors import one_line
from nexus_engine.events import Event
from nexus_tui.app.kit.canvas import Canvas, DrawnLines
from nexus_tui.app.kit.declared_keys import key_displays
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.lines_question import LinesQuestion, WantedLine
from nexus_tui.app.kit.text_input import MAX_CHARACTERS
from nexus_tui.app.teach.asking import DEMOS
from nexus_tui.app.teach.changes_pane import ChangesRows
from nexus_tui.app.teach.items import PairItem, SearchItem
from nexus_tui.app.teach.pair_pane import PairPane
from nexus_tui.app.teach.search_pane import SearchPane
from nexus_tui.app.teach.state import TeachState, teach_of
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.teach.notes import head_line, message_lines
from nexus_tui.charts.teach.progress import progress_line

__all__ = ["TeachScreen"]

HINTS = {
    "pin": "pins",
    "edit": "edits",
    "jump": "jumps",
    "retrain": "retrains",
    "changes": "what changed",
    "open": "other texts",
}
"""What a key does, by the end of its ID, in the line below an item that nothing was said of."""

ASKING_ACTIONS = frozenset({"unsure", "skip", "undo", "pin", "edit", "jump", "ask", "kind"})
"""Actions on what is asked."""


class TeachScreen(NexusScreen):
    """One item at a time; its state is `NexusApp.teach`."""

    DEFAULT_CSS = """
    TeachScreen #teach-head { height: 1; margin-bottom: 1; }
    TeachScreen.-short #teach-head { margin-bottom: 0; }
    TeachScreen #teach-message { height: 1fr; margin: 0 2; }
    TeachScreen #teach-last, TeachScreen #teach-progress { height: 1; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "unsure", "Unsure", id="teach.unsure"),
        Binding("s", "skip", "Skip", id="teach.skip"),
        Binding("backspace,ctrl+z", "undo", "Undo", key_display="Bksp", id="teach.undo"),
        Binding("t", "retrain", "Retrain", id="teach.retrain"),
        Binding("p", "pin", "Pin", id="teach.pin"),
        Binding("w", "changes", "What changed", id="teach.changes"),
        Binding("e", "edit", "Edit", id="teach.edit"),
        Binding("c", "try_more", "More labels?", show=False, id="teach.more"),
        Binding("slash", "jump", "Jump", key_display="/", id="teach.jump"),
        Binding("i", "ask", "Ask your own", show=False, id="teach.ask"),
        Binding("o", "open", "Open texts", show=False, id="teach.open"),
        Binding("right_square_bracket,left_square_bracket", "kind", "Pairs or search",
                show=False, id="teach.kind"),
        # A digit without an item answers nothing; the app's own would lead to another screen.
        Binding("0,1,2,3,4,5,6,7,8,9", "wait", show=False),
        Binding("escape", "back", "Back", key_display="Esc", show=False, id="teach.back"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._shows_changes = False

    def body(self) -> ComposeResult:
        """The head, the item, the last answer, the progress."""
        yield DrawnLines(self._head, id="teach-head")
        yield PairPane(self.teach)
        yield SearchPane(self.teach)
        yield ChangesRows(self.teach)
        yield DrawnLines(self._message, id="teach-message")
        yield DrawnLines(self._last, id="teach-last")
        yield DrawnLines(self._progress, id="teach-progress")

    @property
    def teach(self) -> TeachState:
        """The state."""
        return teach_of(self)

    def on_mount(self) -> None:
        """Open the label file and the data."""
        self.teach.changed = self._changed
        self._changed()
        self.teach.open()

    def run_changed(self, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Show how far a retrain is."""
        self.query_one("#teach-last", DrawnLines).redraw()

    # Drawing

    def _changed(self) -> None:
        if not self.is_attached:
            return
        item = None if self._shows_changes else self.teach.item
        shown: dict[str, bool] = {
            "#teach-pair": isinstance(item, PairItem),
            "#teach-search": isinstance(item, SearchItem),
            "#teach-message": item is None and not self._shows_changes,
            "#teach-changes": self._shows_changes,
        }
        for selector, display in shown.items():
            widget = self.query_one(selector, Canvas)
            if widget.display != display:
                widget.display = display
            if display:
                widget.redraw()
                if widget.can_focus and not widget.has_focus:
                    widget.focus()
        for selector in ("#teach-head", "#teach-last", "#teach-progress"):
            self.query_one(selector, Canvas).redraw()

    def _head(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        teach = self.teach
        kinds = (teach.feed.kind,) if teach.feed.asker is None else teach.feed.asker.kinds
        labels = one_line(self.nexus.labels.path.name, 60)
        data = teach.spec if teach.feed.asker is None else teach.feed.asker.label
        return [head_line(teach.feed.kind, kinds, data, labels, width, self.chart_style)]

    def _message(self, width: int, height: int) -> list[Text]:
        teach = self.teach
        keys = key_displays(self)
        if teach.error:
            title, lines = "Nothing can be asked", [teach.error]
            offered = {keys["teach.open"]: "open your own texts", keys["teach.back"]: "back"}
        elif teach.feed.lacks_questions:
            title = "These texts hold no question"
            lines = ["A question is a heading, or stands in a file of questions."]
            offered = {
                keys["teach.ask"]: "ask one of your own",
                keys["teach.kind"]: "judge pairs of these texts",
                keys["teach.open"]: "open other texts",
            }
        elif teach.feed.ended:
            title = "Everything was asked"
            lines = ["Each of these was judged or skipped."]
            offered = {
                keys["teach.retrain"]: "retrain on the verdicts",
                keys["teach.open"]: "open other texts",
                keys["teach.back"]: "back",
            }
        else:
            title, offered = f"Reading {one_line(teach.spec, 60)}", {}
            lines = ["The model looks for what is worth asking."]
        return message_lines(title, lines, offered, width, height, self.chart_style)

    def _last(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        teach, palette = self.teach, self.chart_style.palette
        if teach.write_error:
            return [Text(clipped(teach.write_error, width, self.chart_style), palette.bad)]
        keys = key_displays(self)
        if teach.retraining.words and (teach.retraining.is_busy or not teach.last):
            return [Text(clipped(teach.retraining.words, width, self.chart_style), palette.run)]
        if teach.last:
            words = f"last: {teach.last}; {keys['teach.undo']} takes it back"
        else:
            offered = ("pin", "edit", "jump", "retrain", "changes", "open")
            words = ", ".join(f"{keys[f'teach.{name}']} {HINTS[name]}" for name in offered)
        if teach.is_pinned:
            words = f"pinned; {words}"
        return [Text(clipped(words, width, self.chart_style), palette.dim)]

    def _progress(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        retrain = key_displays(self)["teach.retrain"]
        return [progress_line(self.teach.progress(retrain), width, self.chart_style)]

    # Actions

    async def action_unsure(self) -> None:
        """Be unsure about the pair, or about the passage under the cursor."""
        await self.teach.unsure()

    async def action_skip(self) -> None:
        """Go on without an answer."""
        await self.teach.skip()

    async def action_undo(self) -> None:
        """Take back the last answer."""
        await self.teach.undo()

    def action_pin(self) -> None:
        """Pin what is asked, or remove its pin."""
        if self.teach.item is None:
            return
        was_pinned = self.teach.is_pinned
        self.teach.pin()
        self.nexus.tell(
            "no longer pinned" if was_pinned else "pinned: a retrain shows it before and after"
        )

    def action_edit(self) -> None:
        """Edit the texts before judging them."""
        item, note = self.teach.item, "Enter judges the edited text in its place. Esc cancels."
        if isinstance(item, PairItem):
            lines = [WantedLine("first text", item.first), WantedLine("second text", item.second)]
            title, taken = "Edit the pair", self._pair_edited
        elif isinstance(item, SearchItem):
            lines = [WantedLine("question", item.question)]
            title, taken = "Edit the question", self._question_edited
        else:
            return
        if any(len(line.proposed) > MAX_CHARACTERS for line in lines):
            self.nexus.tell(f"a text of more than {MAX_CHARACTERS:,} characters is not edited here")
            return
        self.app.push_screen(LinesQuestion(title, lines, note), taken)

    def _pair_edited(self, texts: tuple[str, ...] | None) -> None:
        if texts is not None:
            self.teach.edit_pair(*texts)

    def _question_edited(self, texts: tuple[str, ...] | None) -> None:
        if texts is not None:
            self.teach.edit_question(*texts)

    def action_ask(self) -> None:
        """Ask a question of one's own."""
        note = "Enter shows the passages nearest to it. Esc cancels."
        line = WantedLine("your question")
        self.app.push_screen(LinesQuestion("Ask your own question", [line], note), self._asked)

    def _asked(self, texts: tuple[str, ...] | None) -> None:
        if texts is not None:
            self.teach.ask(*texts)

    def action_jump(self) -> None:
        """Return to an earlier verdict."""
        total = len(self.teach.tally.standing(self.nexus.labels.rater))
        note = f"The number of a verdict, 1 to {total}, or words of its texts. Esc cancels."
        line = WantedLine("number or words")
        self.app.push_screen(LinesQuestion("Jump to a verdict", [line], note), self._jumped)

    def _jumped(self, texts: tuple[str, ...] | None) -> None:
        if texts is not None:
            self.teach.jump(*texts)

    def action_open(self) -> None:
        """Ask about other texts."""
        note = (
            "A file with a sentence a line, a folder of documents, questions, or demo-search. "
            "Enter opens it, Esc cancels."
        )
        line = WantedLine("path", "" if self.teach.spec in DEMOS else self.teach.spec)
        self.app.push_screen(LinesQuestion("Open texts", [line], note), self._path_given)

    def _path_given(self, texts: tuple[str, ...] | None) -> None:
        if texts is not None:
            self.teach.reopen(*texts)

    def action_kind(self) -> None:
        """Ask items of the other kind."""
        self.teach.turn("pairs" if self.teach.feed.kind == "search" else "search")

    def action_wait(self) -> None:
        """Do nothing."""

    def action_retrain(self) -> None:
        """Train on the verdicts so far."""
        self.teach.retrain()

    def action_try_more(self) -> None:
        """Find out what more labels would bring."""
        self.teach.try_more()

    def action_changes(self) -> None:
        """Show what the last retrain changed, or return to what is asked."""
        self._shows_changes = not self._shows_changes
        self._changed()
        self.refresh_bindings()

    def action_back(self) -> None:
        """Return to what is asked, or to the list of runs."""
        if self.teach.retraining.stop_trying():
            return
        if self._shows_changes:
            self.action_changes()
        else:
            self.app.switch_mode("runs")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave out what cannot be done while the list of changes is shown."""
        return not (self._shows_changes and action in ASKING_ACTIONS)
