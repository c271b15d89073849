"""The command palette and its commands: quit, keys, themes, and each action with an ID."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from textual.app import App, SystemCommand
from textual.command import CommandPalette
from textual.screen import Screen

from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.kit.declared_keys import declared_keys
from nexus_tui.app.themes import THEMES

__all__ = ["ClosingPalette", "palette_commands"]

HIDDEN = {
    "app.help", "app.commands", "app.quit", "app.interrupt", "app.quit_now", "runs.sweeps",
}  # fmt: skip
"""Actions that the palette offers under another title or ID."""


class ClosingPalette(ClosesOnce, CommandPalette):
    """Textual's palette, which closes itself alone: a second key closes no screen below it."""


def palette_commands(app: App[None], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """The commands for `screen`: its own actions before those of the app."""
    yield SystemCommand("Quit", "Leave the app", _run_action(app, "leave", app))
    yield SystemCommand("Keys", "The keys that apply here", _run_action(app, "keys_help", app))
    for theme in THEMES:
        change = _set_theme(app, theme.name)
        yield SystemCommand(f"Theme: {theme.name}", "Change the colours", change)
    for holder in (screen, app):
        # By ID: an action with two keys is offered once.
        by_id = {binding.id: binding for binding in declared_keys(holder)}
        for name, binding in by_id.items():
            if name and binding.description and name not in HIDDEN:
                act = _run_action(app, binding.action, holder)
                yield SystemCommand(binding.description, name, act)


def _set_theme(app: App[None], name: str) -> Callable[[], None]:
    def change() -> None:
        app.theme = name

    return change


def _run_action(app: App[None], action: str, holder: Any) -> Callable[[], None]:
    def act() -> None:
        app.run_worker(app.run_action(action, default_namespace=holder))

    return act
