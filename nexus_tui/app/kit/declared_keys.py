"""The keys that a screen or the app declares, whether or not their actions apply now."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

__all__ = ["declared_keys"]


def declared_keys(node: DOMNode, keymap: Mapping[str, str] | None = None) -> list[Binding]:
    """The bindings of `node` alone, one for each key, in the order in which they are declared.

    `Screen.active_bindings` leaves out actions that do not apply; this one does not. With `keymap`,
    by ID the keys that the user wants instead.
    """
    by_key: dict[str, list[Binding]] = {}
    for kind in reversed(type(node).__mro__):
        by_key |= BindingsMap(vars(kind).get("BINDINGS", ())).key_to_bindings
    bindings = BindingsMap.from_keys(by_key)
    if keymap:
        bindings.apply_keymap({name: _whole_names(keys) for name, keys in keymap.items()})
    return [binding for same_key in bindings.key_to_bindings.values() for binding in same_key]


def _whole_names(keys: str) -> str:
    """`keys` with the names that Textual gives signs: `question_mark` for `?`."""
    return ",".join(b.key for b in Binding.make_bindings([Binding(keys, "", "")]))
