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

from nexus_tui.app.open_run import OpenRun
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.settings.app import UiSettings
from nexus_tui.words.forecasting import Forecasted

if TYPE_CHECKING:
    from nexus_engine.config import Settings

__all__ = ["Host", "Probe", "host_of"]

Probe = Callable[[Sequence[str], Callable[[], bool]], Forecasted | None]
"""Measures the forecast of a run with these arguments; None if the second one returns True."""


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

    def start_training(self, settings: Settings, *, resume: Path | None = None) -> None:
        """Train in this process and show the run on the live screen; one run at a time."""

    async def action_runs(self) -> None:
        """Go to the list of runs."""

    async def action_new_run(self) -> None:
        """Show the form for a new run."""

    def call_later(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call `callback` soon in the app's own thread."""


def host_of(node: MessagePump) -> Host:
    """The app that `node`, a screen or widget, belongs to."""
    return cast("Host", node.app)
