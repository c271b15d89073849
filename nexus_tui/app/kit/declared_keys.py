"""The keys that a screen or the app declares, whether or not their actions apply now."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

from nexus_engine.errors import one_line
from nexus_tui.app.kit.host import host_of

__all__ = ["bindings_of", "declared_keys", "key_displays", "key_name", "unknown_ids"]


PREFIXES = frozenset({
    "app", "chart", "choice", "compare", "go", "help", "list", "log", "model", "new", "path",
    "play", "plot", "question", "run", "runs", "sweep", "sweeps", "switch", "teach",
})  # fmt: skip
"""With what the ID of an action begins, on any screen."""


def declared_keys(node: DOMNode, keymap: Mapping[str, str] | None = None) -> list[Binding]:
    """The bindings of `node` alone, one for each key, in the order of their declaration.

    Unlike `Screen.active_bindings`, this includes actions that do not apply now. `keymap` replaces
    keys: from the ID of a binding to the keys that the user wants.
    """
    bindings = BindingsMap.from_keys(bindings_of(type(node)))
    if keymap:
        bindings.apply_keymap({name: _key_names(keys) for name, keys in keymap.items()})
    return [binding for of_key in bindings.key_to_bindings.values() for binding in of_key]


def bindings_of(kind: type) -> dict[str, list[Binding]]:
    """By key: the bindings that the class `kind` and those above it declare."""
    by_key: dict[str, list[Binding]] = {}
    for declaring in reversed(kind.__mro__):
        by_key |= BindingsMap(vars(declaring).get("BINDINGS", ())).key_to_bindings
    return by_key


def key_displays(*nodes: DOMNode) -> dict[str, str]:
    """By the ID of a binding of `nodes`: the first of its keys in force, as the screen shows it."""
    shown: dict[str, str] = {}
    for node in nodes:
        for binding in declared_keys(node, host_of(node).settings.keys):
            if binding.id:
                shown.setdefault(binding.id, node.app.get_key_display(binding))
    return shown


def unknown_ids(keymap: Mapping[str, str], nodes: Iterable[DOMNode]) -> Iterator[str]:
    """A warning for each ID of `keymap` that no binding of `nodes` has.

    IDs of screens that are not among `nodes` may be right, and are passed over.
    """
    known = {binding.id for node in nodes for binding in declared_keys(node) if binding.id}
    shown = {name.partition(".")[0] for name in known}
    for name in keymap:
        prefix = name.partition(".")[0]
        if name not in known and (prefix in shown or prefix not in PREFIXES):
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"[ui.keys]: no action is called {one_line(name, 40)}{hint}"


def _key_names(keys: str) -> str:
    """`keys` by Textual's names for them, such as `question_mark` for `?`."""
    return ",".join(key_name(key.strip()) for key in keys.split(","))


def key_name(key: str) -> str:
    """One key by Textual's name for it."""
    return next(iter(Binding.make_bindings([Binding(key, "", "")]))).key
