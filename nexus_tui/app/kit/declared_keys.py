"""The keys that a screen or the app declares, whether or not their actions apply now."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

from nexus_engine.errors import one_line

__all__ = ["declared_keys", "unknown_ids"]


def declared_keys(node: DOMNode, keymap: Mapping[str, str] | None = None) -> list[Binding]:
    """The bindings of `node` alone, one for each key, in the order of their declaration.

    Unlike `Screen.active_bindings`, this includes actions that do not apply now. `keymap` replaces
    keys: from the ID of a binding to the keys that the user wants.
    """
    by_key: dict[str, list[Binding]] = {}
    for kind in reversed(type(node).__mro__):
        by_key |= BindingsMap(vars(kind).get("BINDINGS", ())).key_to_bindings
    bindings = BindingsMap.from_keys(by_key)
    if keymap:
        bindings.apply_keymap({name: _key_names(keys) for name, keys in keymap.items()})
    return [binding for of_key in bindings.key_to_bindings.values() for binding in of_key]


def unknown_ids(keymap: Mapping[str, str], nodes: Iterable[DOMNode]) -> Iterator[str]:
    """A warning for each ID of `keymap` that no binding of `nodes` has."""
    known = {binding.id for node in nodes for binding in declared_keys(node) if binding.id}
    for name in keymap:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"[ui.keys]: no action is called {one_line(name, 40)}{hint}"


def _key_names(keys: str) -> str:
    """`keys` by Textual's names for them, such as `question_mark` for `?`."""
    return ",".join(b.key for b in Binding.make_bindings([Binding(keys, "", "")]))
