"""What the command palette offers: leaving, the keys, the themes, and each action with an ID."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from nexus_tui.app.kit.declared_keys import declared_keys
from nexus_tui.app.themes import THEMES

__all__ = ["palette_commands"]

HIDDEN = {
    "app.help", "app.commands", "app.quit", "app.interrupt", "app.quit_now", "runs.sweeps",
}  # fmt: skip
"""Actions that are offered in other words, or by another ID."""


def palette_commands(app: App[None], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """The commands for `screen`: its actions before those of the app."""
    yield SystemCommand("Quit", "Leave the app", _acting(app, "leave", app))
    yield SystemCommand("Keys", "The keys in force here", _acting(app, "keys_help", app))
    for theme in THEMES:
        yield SystemCommand(f"Theme: {theme.name}", "Change the colours", _themed(app, theme.name))
    for holder in (screen, app):
        by_id = {binding.id: binding for binding in declared_keys(holder)}  # once with two keys
        for name, binding in by_id.items():
            if name and binding.description and name not in HIDDEN:
                act = _acting(app, binding.action, holder)
                yield SystemCommand(binding.description, name, act)


def _themed(app: App[None], name: str) -> Callable[[], None]:
    def change() -> None:
        app.theme = name

    return change


def _acting(app: App[None], action: str, holder: Any) -> Callable[[], None]:
    def act() -> None:
        app.run_worker(app.run_action(action, default_namespace=holder))

    return act
