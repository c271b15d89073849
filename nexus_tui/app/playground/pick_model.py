"""A list of the models that you can query: the base model, and runs with trained weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from nexus_engine.runs.folder import list_runs
from nexus_engine.runs.summary import RunSummary
from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.work_queue import WorkQueue
from nexus_tui.app.playground.queried_model import BASE_ALONE, QueriedModel
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.words.formats import correlation

__all__ = ["PickModel"]


def models_on_disk() -> list[RunSummary]:
    """Every run that has trained weights, newest first. Reads the disk."""
    return [run for run in list_runs() if (run.path / "best" / "model.json").is_file()]


class ModelRows(Rows):
    """The base model, then the runs."""

    DEFAULT_CSS = "ModelRows { height: auto; max-height: 14; }"

    def __init__(self, present: QueriedModel) -> None:
        super().__init__(id="model-rows")
        self._present = present
        self.runs: Sequence[RunSummary] = ()

    def get_content_height(self, *_: object) -> int:
        """One line for each model."""
        return self.count()

    def count(self) -> int:
        """Number of models: the base model and the runs."""
        return 1 + len(self.runs)

    def model(self, index: int) -> QueriedModel:
        """The model of a row."""
        if index == 0:
            return BASE_ALONE
        run = self.runs[index - 1]
        return QueriedModel(run.name, run.path)

    def row(self, index: int, width: int) -> Text:
        """A model."""
        palette = self.chart_style.palette
        present = self.model(index).run == self._present.run
        line = Text().append(f"{self.chart_style.glyphs.kept if present else ' '} ", palette.good)
        if index == 0:
            return line.append("base: the model before training", palette.text)
        run = self.runs[index - 1]
        when = time.strftime("%d %b %H:%M", time.localtime(run.started_unix_s))
        facts = f"  {run.state:<11}  {correlation(run.best_dev):>6}  {when}"
        name = clipped(run.name, max(8, width - len(facts) - 2), self.chart_style)
        line.append(name, palette.text)
        line.append(" " * max(0, width - line.cell_len - len(facts)))
        return line.append(facts, palette.dim)


class PickModel(ClosesOnce, ModalScreen[QueriedModel | None]):
    """Returns the chosen model; None for Escape."""

    DEFAULT_CSS = """
    PickModel { align: center middle; background: $background 60%; }
    PickModel > Vertical {
        width: 76; max-width: 98%; height: auto; max-height: 90%;
        background: $panel; padding: 0 1; border: round $primary; border-title-color: $primary;
    }
    PickModel Static { height: 1; color: $foreground 70%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss_none", "Stay", id="model.cancel"),
    ]

    def __init__(self, present: QueriedModel, queue: WorkQueue) -> None:
        super().__init__()
        self._present = present
        self._queue = queue

    def compose(self) -> ComposeResult:
        """The list, which fills once the disk is read."""
        with Vertical() as box:
            box.border_title = "Choose a model"
            yield ModelRows(self._present)
            yield Static(Content("looking for runs"), id="model-note")

    def on_mount(self) -> None:
        """Read the disk in the queue."""
        self._queue.submit("models", lambda _: models_on_disk(), self._listed, self._failed)

    def _listed(self, runs: list[RunSummary]) -> None:
        if not self.is_attached:
            return
        rows = self.query_one(ModelRows)
        rows.runs = runs
        paths = [run.path for run in runs]
        rows.cursor = 1 + paths.index(self._present.run) if self._present.run in paths else 0
        rows.refresh(layout=True)
        rows.redraw()
        words = "Enter chooses one" if runs else "no run has trained weights yet: base alone"
        self.query_one("#model-note", Static).update(Content(words))

    def _failed(self, message: str) -> None:
        if self.is_attached:
            self.query_one("#model-note", Static).update(Content(message))

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Return the model of the chosen row."""
        self.dismiss(self.query_one(ModelRows).model(event.index))

    def action_dismiss_none(self) -> None:
        """Escape closes the dialog without a choice."""
        self.dismiss(None)
