"""The playground's screen: pairs as you type, many pairs at once, and search in a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from nexus_engine.data.pasting import pasted_kind
from nexus_engine.errors import ConfigError, one_line
from nexus_engine.events import Event
from nexus_engine.system.user_paths import user_path
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.label_book import PassageAnswer
from nexus_tui.app.kit.lines_question import LinesQuestion, WantedLine
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.text_input import TextInput
from nexus_tui.app.playground.head import PARTS, PlaygroundHead
from nexus_tui.app.playground.many_pane import ManyPane
from nexus_tui.app.playground.pair_pane import PairPane, PinRows
from nexus_tui.app.playground.pick_model import PickModel
from nexus_tui.app.playground.queried_model import QueriedModel
from nexus_tui.app.playground.search_pane import SearchPane
from nexus_tui.app.playground.state import PlaygroundState, playground_of
from nexus_tui.app.playground.verdicts import ask_grade, write_verdict
from nexus_tui.words.formats import shown_path

__all__ = ["PlaygroundScreen"]

PROGRESS_SECONDS = 0.5
SAVE_AS = "scored-pairs.tsv"


class PlaygroundScreen(NexusScreen):
    """Three parts, one shown at a time; their state is `NexusApp.playground`."""

    AUTO_FOCUS = "#pair-history"
    DEFAULT_CSS = """
    PlaygroundScreen PlaygroundHead { height: 1; margin-bottom: 1; }
    PlaygroundScreen.-short PlaygroundHead { margin-bottom: 0; }
    PlaygroundScreen #part-pair { layout: vertical; height: 1fr; }
    PlaygroundScreen #part-many, PlaygroundScreen #part-search { layout: vertical; height: 1fr; }
    PlaygroundScreen #pair-main { height: auto; }
    PlaygroundScreen #pair-pins { margin: 0 1 1 1; }
    PlaygroundScreen #pair-history { margin: 0 1; height: 1fr; }
    PlaygroundScreen.-short #pair-pins { margin: 0 1; max-height: 5; }
    PlaygroundScreen.-short AnswerBars { margin: 0 1; }
    PlaygroundScreen #many-rows, PlaygroundScreen #search-rows { margin: 0 1; }
    PlaygroundScreen.-medium #part-search.-passages MatchInFull { height: 6; }
    PlaygroundScreen.-tall #part-search.-passages MatchInFull { height: 10; }
    PlaygroundScreen.-wide #part-pair {
        layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; grid-rows: auto 1fr; grid-gutter: 0 2;
    }
    PlaygroundScreen.-wide #pair-pins {
        row-span: 2; height: 1fr; max-height: 100%; margin: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i,enter", "type", "Type", key_display="i", id="play.type"),
        Binding("n", "question(1)", "Next question", id="play.question"),
        Binding("N", "question(-1)", "Question before", show=False, id="play.question_before"),
        Binding("a", "answer", "Answer", id="play.answer"),
        Binding("right_square_bracket,ctrl+t", "part(1)", "Next part", id="play.next"),
        Binding("left_square_bracket", "part(-1)", "Part before", show=False, id="play.previous"),
        Binding("p,ctrl+n", "pin", "Pin", id="play.pin"),
        Binding("u", "unpin", "Unpin", id="play.unpin"),
        Binding("v", "verdict", "Wrong score", id="play.verdict"),
        Binding("plus", "relevant(True)", "Answers", key_display="+", id="play.answers"),
        Binding("minus", "relevant(False)", "Does not", key_display="-", id="play.no_answer"),
        Binding("P", "switch_pins", "Pins on or off", show=False, id="play.pins"),
        Binding("m", "model", "Model", id="play.model"),
        Binding("o", "load", "Load pairs", show=False, id="play.load"),
        Binding("slash", "search", "Search", key_display="/", show=False, id="play.search"),
        Binding("H", "history", "History", show=False, id="play.history"),
        Binding("x", "swap", "Swap", show=False, id="play.swap"),
        Binding("c,ctrl+l", "clear", "Clear", show=False, id="play.clear"),
        Binding("t", "sort", "Sort", id="play.sort"),
        Binding("s", "save", "Save", id="play.save"),
        Binding("r", "again", "Again", id="play.again"),
        Binding("escape", "give_up", "Give up", key_display="Esc", id="play.cancel"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._part = PARTS[0][0]

    def body(self) -> ComposeResult:
        """The head and the three parts."""
        yield PlaygroundHead()
        yield PairPane()
        yield ManyPane(self.playground)
        yield SearchPane(self.playground)

    @property
    def playground(self) -> PlaygroundState:
        """The playground's state."""
        return playground_of(self)

    @property
    def _pair(self) -> PairPane:
        return self.query_one(PairPane)

    @property
    def _many(self) -> ManyPane:
        return self.query_one(ManyPane)

    @property
    def _search(self) -> SearchPane:
        return self.query_one(SearchPane)

    def on_mount(self) -> None:
        """Show the first part and subscribe to the playground's state."""
        self.playground.opened = True
        self.playground.changed = self._changed
        self.playground.read_pins()
        self._show_part(self._part)
        self._search.propose()
        self.set_interval(PROGRESS_SECONDS * (1 + self.nexus.settings.low_bandwidth), self._tick)

    def on_screen_resume(self) -> None:
        """Come to the front: query the model that is wanted now."""
        super().on_screen_resume()
        self.playground.follow_weights()

    def run_changed(self, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Follow the open run to another model; `PlaygroundState.tick` watches for new weights."""
        self.query_one(PlaygroundHead).redraw()
        if self.playground.wanted() != self.playground.model:
            self.playground.follow_weights()

    def _changed(self, what: str) -> None:
        if not self.is_attached:
            return
        if what == "data":
            self._search.propose()
        if what == "model":
            self.query_one(PlaygroundHead).redraw()
            self._many.tick()
            self._search.tick()
        self._pair.show(what)
        self.refresh_bindings()

    def _tick(self) -> None:
        if self.is_current:
            self._many.tick()
            self._search.tick()

    # Parts

    def _show_part(self, part: str) -> None:
        self._part = part
        head = self.query_one(PlaygroundHead)
        head.part = part
        head.redraw()
        for key, _ in PARTS:
            self.query_one(f"#part-{key}").display = key == part
        self.refresh_bindings()

    def _pane(self) -> PairPane | ManyPane | SearchPane:
        return {"pair": self._pair, "many": self._many, "search": self._search}[self._part]  # type: ignore[return-value]

    def action_part(self, step: int) -> None:
        """Go to the next part."""
        keys = [key for key, _ in PARTS]
        typing = isinstance(self.focused, TextInput)
        self._show_part(keys[(keys.index(self._part) + step) % len(keys)])
        if typing:
            self.action_type()
        else:
            self._pane().home().focus()

    def on_playground_head_part_chosen(self, event: PlaygroundHead.PartChosen) -> None:
        """A part was clicked."""
        self._show_part(event.part)
        self._pane().home().focus()

    def on_playground_head_model_clicked(self) -> None:
        """The model was clicked."""
        self.action_model()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Whether a key has an effect now; the footer hides the others."""
        if not self.is_mounted:
            return True
        many, search = self._many, self._search
        match action:
            case "sort" | "save":
                return self._part == "many" and bool(many.many.order)
            case "again":
                return (self._part == "many" and bool(many.many.order)) or (
                    self._part == "search" and search.work.can_repeat
                )
            case "question":
                return self._part == "search" and bool(search.path.value.strip())
            case "verdict":
                return self._judged_pair() is not None
            case "relevant":
                return self._part == "search" and search.match is not None
            case "answer":
                return self._part == "search" and search.work.place is not None
            case "give_up":
                return bool(many.many.doing or search.work.doing)
            case "pin" | "swap" | "clear" | "history" | "switch_pins":
                return self._part == "pair"
            case "unpin":
                return self._part == "pair" and bool(self.playground.book.pins)
        return True

    # Typing

    def action_type(self) -> None:
        """Focus the first line of this part."""
        if self._part == "search":
            self._search.begin()
        else:
            self._pane().query(TextInput).first().focus()

    def on_text_input_left(self) -> None:
        """Escape leaves the line, so that keys are commands again."""
        self._pane().home().focus()

    def on_text_input_pasted(self, event: TextInput.Pasted) -> None:
        """Score pasted pairs, or insert one sentence that was wrapped over several lines."""
        event.stop()
        kind = pasted_kind(event.text)
        if kind is None:
            event.line.put_in(event.text)
            return
        self._show_part("many")
        self._many.home().focus()
        self._many.many.paste(event.text, kind)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Stop here: each part handles Enter itself."""
        event.stop()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Take a scored pair, or the query with a match, to the part Pair."""
        event.stop()
        pane = self._pane()
        if not isinstance(pane, PairPane):
            pair = pane.pair_at(event.index)
            self._show_part("pair")
            self._pair.fill(*pair)
            self._pair.home().focus()

    # Actions

    def action_pin(self) -> None:
        """Pin the present pair."""
        pair = self._pair.pair
        if pair is None:
            self.nexus.tell("type two sentences first, then pin them")
        else:
            self.playground.pin(*pair)

    def action_unpin(self) -> None:
        """Remove the pin under the cursor, or that of the present pair."""
        pair = self._pair.selected_pair()
        if pair is not None and any(pin.pair == pair for pin in self.playground.book.pins):
            self.playground.unpin(pair)
        else:
            self._pair.query_one(PinRows).focus()
            self.nexus.tell("choose a pin with the arrows; u removes it")

    def action_switch_pins(self) -> None:
        """Switch the pins off, or on again."""
        self.playground.switch_pins()

    def action_model(self) -> None:
        """Choose the queried model."""
        self.app.push_screen(PickModel(self.playground.model, self.playground.quick), self._picked)

    def _picked(self, model: QueriedModel | None) -> None:
        if model is not None:
            self.playground.pick(model)

    def action_load(self) -> None:
        """Load a file of pairs."""
        self._show_part("many")
        self.action_type()

    def action_search(self) -> None:
        """Search in a corpus."""
        self._show_part("search")
        self.action_type()

    def action_history(self) -> None:
        """Focus the history."""
        self._pair.home().focus()

    def action_swap(self) -> None:
        """Exchange the two sentences."""
        self._pair.swap()

    def action_clear(self) -> None:
        """Empty both lines."""
        self._pair.clear()

    def action_sort(self) -> None:
        """Sort the table by the next order."""
        self._many.many.sort()

    def action_again(self) -> None:
        """Repeat the work with the present model and weights."""
        if self._part == "many":
            self._many.many.again()
        else:
            self._search.work.again()

    def action_question(self, step: int) -> None:
        """Search for the next question of the corpus, or the one before."""
        self._search.step(step)

    def action_answer(self) -> None:
        """Go to the next known answer in the list."""
        if not self._search.to_answer():
            self.nexus.tell("no known answer is among the nearest here")

    def _judged_pair(self) -> tuple[str, str] | None:
        """The pair that a verdict is about: the row under the cursor, or the pair in the lines."""
        if self._part == "many":
            index = self._many.home().selected
            return None if index is None else self._many.pair_at(index)
        return self._pair.judged_pair() if self._part == "pair" else None

    def action_verdict(self) -> None:
        """Say what the score of the pair should be."""
        pair = self._judged_pair()
        if pair is not None:
            ask_grade(self, pair)

    async def action_relevant(self, relevant: bool) -> None:
        """Say whether the passage under the cursor answers the query."""
        match, query = self._search.match, self._search.work.query
        if match is not None:
            answer = PassageAnswer(query, match.sentence, match.source or None, relevant)
            await write_verdict(self, answer)

    def action_give_up(self) -> None:
        """Cancel long work."""
        for work in (self._many.many, self._search.work):
            work.cancel()

    def action_save(self) -> None:
        """Save the table as TSV."""
        note = "The file will hold the sentences, readable by you only. Enter saves, Esc cancels."
        line = WantedLine("path", SAVE_AS)
        self.app.push_screen(LinesQuestion("Save the scored pairs", [line], note), self._save_to)

    def _save_to(self, answer: tuple[str, ...] | None) -> None:
        if answer is None:
            return
        try:
            path = user_path(answer[0])
        except ConfigError as error:
            self.notify(one_line(error), severity="error", markup=False)
            return

        def ask_to_replace() -> None:
            choices = (Choice("r", "replace it", "replace"), Choice("k", "keep it", "keep"))
            question = Question(f"{shown_path(path)} already exists.", choices)
            self.app.push_screen(question, decided)

        def decided(choice: str | None) -> None:
            if choice == "replace":
                self._many.many.save(path, replace=True, on_exists=ask_to_replace)

        self._many.many.save(path, replace=False, on_exists=ask_to_replace)
