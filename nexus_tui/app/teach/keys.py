"""Whether the user's own keys for Teach can be used: each is a key, and each action has its own."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from nexus_engine.errors import one_line
from nexus_tui.app.kit.declared_keys import bindings_of, key_name
from nexus_tui.app.teach.pair_pane import PairPane
from nexus_tui.app.teach.screen import TeachScreen
from nexus_tui.app.teach.search_pane import SearchPane

__all__ = ["key_problem"]

PREFIX = "teach."
MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
KEY_NAMES = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())
APP_KEYS = {"q": "app.quit", "question_mark": "app.help", "ctrl+p": "app.commands",
            "ctrl+c": "app.interrupt", "ctrl+q": "app.quit_now"}  # fmt: skip
"""Keys of the app that Teach must not take away, unless the user has moved them."""


def key_problem(keymap: Mapping[str, str]) -> str:
    """What is wrong with the keys for Teach in [ui.keys], in one line; "" if nothing is."""
    own = {name: keys for name, keys in keymap.items() if name.startswith(PREFIX)}
    known = {
        binding.id: binding
        for kind in (PairPane, SearchPane, TeachScreen)
        for bindings in bindings_of(kind).values()
        for binding in bindings
        if binding.id
    }
    for name, keys in own.items():
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"[ui.keys]: no action is called {one_line(name, 40)}{hint}"
        for key in keys.split(","):
            if not _is_key(key.strip()):
                return (
                    f"[ui.keys] {name}: {one_line(key, 40) or 'an empty text'} is no key; "
                    'give a character, or a name such as "f5" or "ctrl+k"'
                )
    for pane in (PairPane, SearchPane):
        clash = _clash(own, keymap, pane)
        if clash:
            return clash
    return ""


def _clash(own: Mapping[str, str], keymap: Mapping[str, str], pane: type) -> str:
    """The first key that two actions share while `pane` is shown, in words."""
    holders: dict[str, str] = {key: name for key, name in APP_KEYS.items() if name not in keymap}
    for kind in (pane, TeachScreen):
        bindings = [b for several in bindings_of(kind).values() for b in several]
        for binding in (binding for binding in bindings if binding.id):
            for key in _keys_of(binding, own):
                other = holders.setdefault(key, str(binding.id))
                if other != binding.id:
                    return (
                        f"[ui.keys]: {other} and {binding.id} share the key {key}; "
                        "give one of them another key"
                    )
    return ""


def _keys_of(binding: Binding, own: Mapping[str, str]) -> list[str]:
    keys = own.get(binding.id or "")
    return [binding.key] if keys is None else [key_name(key.strip()) for key in keys.split(",")]


def _is_key(key: str) -> bool:
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    if not set(modifiers) <= MODIFIERS or not name:
        return False
    if len(name) == 1:
        return name.isprintable() and not name.isspace()
    if name in KEY_NAMES:
        return True
    try:
        unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return False
    return True
