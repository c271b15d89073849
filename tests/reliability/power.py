"""Power cuts: what a disk may hold when the current goes, for every moment of a save.

A recorded sequence of operations is replayed into a model of a file system. A file's bytes are
certain once the file was fsynced; a name (made, renamed, removed) once its folder was. Whatever was
not pushed may be there, in part, or not: each state built here is one that a machine may wake up
to. This is stricter than common file systems are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reliability.faults import operations

Operation = tuple[Any, ...]


def record(action: Any, root: Path) -> list[Operation]:
    """The write-side operations of `action()` under `root`: paths relative, bytes with them."""
    found: list[Operation] = []
    names: dict[int, str] = {}

    def inside(path: Any, dir_fd: int | None = None) -> str:
        whole = os.fsdecode(path)
        if dir_fd is not None:
            whole = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), whole)
        return os.path.relpath(whole, root)

    def opened(handle: int) -> str:
        """The file of a descriptor, opened here or before."""
        return names.get(handle) or inside(os.readlink(f"/proc/self/fd/{handle}"))

    def meet(number: int, name: str, true: Any, arguments: Any, named: Any) -> Any:
        result = true(*arguments, **named)
        first = arguments[0]
        match name:
            case "open":
                names[result] = inside(first)
                found.append(("create", names[result], bool(arguments[1] & os.O_TRUNC)))
            case "write":
                found.append(("write", opened(first), bytes(arguments[1])[:result]))
            case "ftruncate":
                found.append(("truncate", opened(first), arguments[1]))
            case "fsync":
                found.append(
                    ("fsync", os.path.relpath(os.readlink(f"/proc/self/fd/{first}"), root))
                )
            case "rename" | "replace":
                found.append(("rename", inside(first), inside(arguments[1])))
            case "unlink" | "rmdir":
                found.append(("remove", inside(first, named.get("dir_fd"))))
            case "mkdir":
                found.append(("mkdir", inside(first)))
            case "chmod" | "fchmod":
                pass
            case _:
                raise NotImplementedError(name)
        return result

    with operations(meet):
        action()
    return [op for op in found if not any(isinstance(x, str) and x.startswith("..") for x in op)]


@dataclass
class Node:
    """A file or folder. `entries` maps names to nodes; `pending` are changes not yet pushed."""

    folder: bool
    data: bytes = b""
    durable: bytes = b""
    entries: dict[str, Node] = field(default_factory=dict)
    durable_entries: dict[str, Node] = field(default_factory=dict)
    pending: list[tuple[tuple[str, Node | None], ...]] = field(default_factory=list)


def _load(path: Path) -> Node:
    if path.is_dir():
        entries = {p.name: _load(p) for p in path.iterdir()}
        return Node(True, entries=entries, durable_entries=dict(entries))
    content = path.read_bytes()
    return Node(False, data=content, durable=content)


class Disk:
    """The model, begun from a folder as it is."""

    def __init__(self, path: Path) -> None:
        self.root = _load(path)

    def _find(self, name: str) -> Node:
        node = self.root
        for part in Path(name).parts:
            node = node.entries[part]
        return node

    def _change(self, folder: str, *changes: tuple[str, Node | None]) -> None:
        node = self._find(folder)
        for name, there in changes:
            if there is None:
                node.entries.pop(name, None)
            else:
                node.entries[name] = there
        node.pending.append(changes)

    def apply(self, operation: Operation) -> None:
        kind, name, *rest = operation
        parent, last = os.path.dirname(name), os.path.basename(name)
        match kind:
            case "create":
                if last not in self._find(parent).entries:
                    self._change(parent, (last, Node(False)))
                elif rest[0]:
                    self._find(name).data = b""
            case "mkdir":
                self._change(parent, (last, Node(True)))
            case "write":
                self._find(name).data += rest[0]
            case "truncate":
                self._find(name).data = self._find(name).data[: rest[0]]
            case "fsync":
                node = self._find(name)
                node.durable = node.data
                node.durable_entries, node.pending = dict(node.entries), []
            case "rename":
                assert os.path.dirname(rest[0]) == parent, (
                    "a rename between folders is not modelled"
                )
                self._change(parent, (last, None), (os.path.basename(rest[0]), self._find(name)))
            case "remove":
                self._change(parent, (last, None))

    def states(self) -> Iterator[dict[str, bytes | None]]:
        """Trees (name to bytes, None for a folder) that may be there after a cut now."""
        pending = sum(len(node.pending) for node in self._nodes(self.root))
        cuts: list[tuple[int, ...]] = [tuple(range(n)) for n in range(pending + 1)]
        cuts += [tuple(i for i in range(pending) if i != out) for out in range(pending - 1)]
        for kept in cuts:
            for bytes_of in (_all, _none, _half, _zeros):
                yield self._tree(set(kept), bytes_of)

    def _nodes(self, node: Node) -> Iterator[Node]:
        yield node
        for below in {
            id(n): n for n in [*node.entries.values(), *node.durable_entries.values()]
        }.values():
            yield from self._nodes(below)

    def _tree(self, kept: set[int], bytes_of: Any) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        number = 0
        numbered: dict[int, list[int]] = {}
        for node in self._nodes(self.root):
            if id(node) not in numbered:
                numbered[id(node)] = list(range(number, number + len(node.pending)))
                number += len(node.pending)

        def walk(node: Node, at: str) -> None:
            entries = dict(node.durable_entries)
            for place, changes in zip(numbered[id(node)], node.pending, strict=True):
                if place in kept:
                    for name, there in changes:
                        if there is None:
                            entries.pop(name, None)
                        else:
                            entries[name] = there
            for name, below in entries.items():
                path = os.path.join(at, name)
                found[path] = None if below.folder else bytes_of(below)
                if below.folder:
                    walk(below, path)

        walk(self.root, "")
        return found


def _all(node: Node) -> bytes:
    return node.data


def _none(node: Node) -> bytes:
    return node.durable


def _half(node: Node) -> bytes:
    if node.data.startswith(node.durable):
        new = node.data[len(node.durable) :]
        return node.durable + new[: len(new) // 2]
    return node.data[: len(node.data) // 2]


def _zeros(node: Node) -> bytes:
    if node.data.startswith(node.durable):
        return node.durable + bytes(len(node.data) - len(node.durable))
    return bytes(len(node.data))


def build(tree: dict[str, bytes | None], path: Path) -> None:
    """Make the tree real."""
    path.mkdir()
    for name in sorted(tree):
        content = tree[name]
        if content is None:
            (path / name).mkdir(parents=True, exist_ok=True)
        else:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
