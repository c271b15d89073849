"""The keys that apply on a screen, with the IDs by which `[ui.keys]` changes them."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.settings.training import user_file
from nexus_tui.words.formats import aligned, shown_path

__all__ = ["KeysHelp"]


class KeysHelp(ClosesOnce, ModalScreen[None]):
    """A table of keys: those of the screen `about` first, then those of the app."""

    DEFAULT_CSS = """
    KeysHelp { align: center middle; background: $background 60%; }
    KeysHelp > Vertical {
        width: 76; max-width: 98%; height: auto; max-height: 94%;
        background: $panel; padding: 0 1; border: round $primary; border-title-color: $primary;
    }
    KeysHelp VerticalScroll { height: auto; max-height: 100%; }
    KeysHelp Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", id="help.close"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """A box with the table."""
        with Vertical() as box:
            box.border_title = "Keys in force"
            with VerticalScroll():
                yield Static(self._table())

    def _table(self) -> Text:
        rows: list[tuple[str, str, str]] = []
        listed: set[tuple[str, str]] = set()
        for active in self._about.active_bindings.values():
            binding = active.binding
            if not binding.description or (binding.id or "", binding.description) in listed:
                continue
            if binding.id is None and binding.system:
                continue
            listed.add((binding.id or "", binding.description))
            keys = self.app.get_key_display(binding)
            rows.append((keys, binding.description, binding.id or ""))
        rows += [("Tab", "next part of the screen", ""), ("arrows, hjkl", "move", "")]
        lines = aligned([("key", "action", "ID"), *rows], (False, False, False))
        table = Text(lines[0], style="bold")
        for line in lines[1:]:
            table.append("\n" + line, style="not bold")
        settings_file = user_file()
        if settings_file is not None:
            hint = f"\n\nTo change keys: [ui.keys] in {shown_path(settings_file)}"
            table.append(hint, style="not bold dim")
        return table

    def action_scroll(self, lines: int) -> None:
        """Scroll the table, down where `lines` is positive."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
