"""The part of the app that its features may use.

A feature never imports the application. It calls `host_of` and uses what `Host` lists, so that
features depend on `kit` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.message_pump import MessagePump
from textual.notifications import SeverityLevel

from nexus_tui.app.kit.label_book import LabelBook
from nexus_tui.app.kit.pin_shelf import PinShelf
from nexus_tui.app.open_run import OpenRun
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.settings.app import UiSettings
from nexus_tui.words.forecasting import Forecasted

if TYPE_CHECKING:
    from nexus_engine.config import Settings

__all__ = ["Begun", "Host", "Probe", "host_of"]

Probe = Callable[[Sequence[str], Callable[[], bool]], Forecasted | None]
"""Measures the forecast of a run with these arguments; None if the second one returns True."""

Begun = Callable[[Path | None], None]
"""Called with the folder of a run that has begun, or with None if it could not begin."""


class Host(Protocol):
    """The app as its features see it."""

    settings: UiSettings
    open_run: OpenRun | None
    marked: list[Path]
    """Runs marked for comparison, in the order of their letters."""
    may_probe: bool
    """Whether a screen may measure a forecast before the user asks for one."""
    probe: Probe
    """Measures a forecast; blocks, so call it in a worker thread."""
    pointed_run: str | None
    """The run under the cursor of the list: the playground queries it while none is open."""
    labels: LabelBook
    """The label file, which takes the verdicts of all screens."""

    @property
    def pins(self) -> PinShelf:
        """The pins of all screens."""

    @property
    def chart_style(self) -> ChartStyle:
        """Glyphs and styles of charts in the current theme."""

    @property
    def training(self) -> bool:
        """Whether this process is training a run."""

    def tell(self, message: str, severity: SeverityLevel = "information") -> None:
        """Show a line in the corner for a few seconds."""

    def open_folder(self, path: Path, *, show: bool = True) -> None:
        """Open the run in `path`."""

    def start_training(
        self,
        settings: Settings,
        *,
        resume: Path | None = None,
        show: bool = True,
        begun: Begun = lambda _: None,
    ) -> None:
        """Train in this process, one run at a time; `show` brings the live screen to the front.

        `begun` is called with the run's folder, or with None if the run could not begin.
        """

    async def open_export(self, run: Path) -> None:
        """Show the export of the run in the folder `run`, or the one at work."""

    async def action_runs(self) -> None:
        """Go to the list of runs."""

    async def action_new_run(self) -> None:
        """Show the form for a new run."""

    def call_later(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call `callback` soon in the app's own thread."""


def host_of(node: MessagePump) -> Host:
    """The app that `node`, a screen or widget, belongs to."""
    return cast("Host", node.app)
