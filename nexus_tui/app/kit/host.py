"""What screens and widgets may use of the app: the one way in which a feature reaches the whole.

A feature never imports the application. It asks `host_of` for what is listed here, so that the
rooms of the app depend on `kit` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.message_pump import MessagePump
from textual.notifications import SeverityLevel

from nexus_tui.app.open_run import OpenRun
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.settings.app import UiSettings

if TYPE_CHECKING:
    from nexus_engine.config import Settings

__all__ = ["Host", "host_of"]


class Host(Protocol):
    """The app as its features see it."""

    settings: UiSettings
    open_run: OpenRun | None
    marked: list[Path]
    """Runs marked for comparison, in the order of their letters."""
    may_probe: bool
    """Whether a screen may measure a forecast without being asked to."""
    pointed_run: str | None
    """The run that the list of runs points at: what the playground asks where none is open."""

    @property
    def chart_style(self) -> ChartStyle:
        """Signs and styles of pictures for the present theme."""

    @property
    def training(self) -> bool:
        """Whether this process trains a run now."""

    def tell(self, message: str, severity: SeverityLevel = "information") -> None:
        """A line in the corner for a few seconds."""

    def open_folder(self, path: Path, *, show: bool = True) -> None:
        """Open the run in `path`."""

    def start_training(self, settings: Settings, *, resume: Path | None = None) -> None:
        """Train in this process and open it on the live screen. One run at a time."""

    async def action_runs(self) -> None:
        """To the list of runs."""

    async def action_new_run(self) -> None:
        """The form for a new run."""

    def call_later(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call `callback` in the app's own thread, soon."""


def host_of(node: MessagePump) -> Host:
    """The app that `node`, a screen or widget, belongs to."""
    return cast("Host", node.app)
