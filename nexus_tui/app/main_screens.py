"""The main screens, one for each mode of the app, each imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.screen import Screen

__all__ = ["MAIN_SCREENS"]


def _runs() -> Screen[None]:
    from nexus_tui.app.runs.screen import RunsScreen

    return RunsScreen()


def _live() -> Screen[None]:
    from nexus_tui.app.live.screen import LiveScreen

    return LiveScreen()


def _playground() -> Screen[None]:
    from nexus_tui.app.playground.screen import PlaygroundScreen

    return PlaygroundScreen()


def _compare() -> Screen[None]:
    from nexus_tui.app.compare.screen import CompareScreen

    return CompareScreen()


def _teach() -> Screen[None]:
    from nexus_tui.app.teach.screen import TeachScreen

    return TeachScreen()


MAIN_SCREENS: dict[str, Callable[[], Screen[None]]] = {
    "runs": _runs,
    "live": _live,
    "playground": _playground,
    "compare": _compare,
    "teach": _teach,
}
"""By mode: the factory of its first screen."""
