"""What a stranger can put in the place of a run's files, and absurd numbers for those they hold.

A `Change` is applied to a copy of a sound run. What it may not touch lies beside: the canary file.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CANARY = b"not yours to change\n"
HUGE = 1 << 40
"""Bytes of a file that is one hole."""
DEEP = 900
"""Fewer levels than the JSON reader refuses by itself, more than a recursion over them survives."""


class Outside(NamedTuple):
    """Beside the run: a file that a link leads to, and a name that a dangling one does."""

    canary: Path
    dangling: Path

    @classmethod
    def make(cls, folder: Path) -> Outside:
        """In a new `folder`."""
        folder.mkdir()
        made = cls(folder / "canary", folder / "nothing")
        made.canary.write_bytes(CANARY)
        made.canary.chmod(0o644)
        return made

    def faults(self) -> list[str]:
        """What was changed there."""
        wrong = []
        if sorted(os.listdir(self.canary.parent)) != [self.canary.name]:
            wrong.append("a file was made where a link led")
        content, mode = self.canary.read_bytes(), stat.S_IMODE(self.canary.stat().st_mode)
        if content != CANARY or mode != 0o644:
            wrong.append("the canary was changed")
        return wrong


class Change(NamedTuple):
    """One thing that is wrong with the run; `file` is relative to its folder."""

    file: str
    what: str
    apply: Callable[[Path, Outside], None]


def _taken(path: Path) -> None:
    """Take away what is there, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _link(target: Callable[[Outside], Path]) -> Callable[[Path, Outside], None]:
    def apply(path: Path, outside: Outside) -> None:
        _taken(path)
        path.symlink_to(target(outside))

    return apply


def _fifo(path: Path, outside: Outside) -> None:
    _taken(path)
    os.mkfifo(path, 0o600)


def _folder(path: Path, outside: Outside) -> None:
    _taken(path)
    path.mkdir()


def _sparse(path: Path, outside: Outside) -> None:
    _taken(path)
    with path.open("wb") as file:
        file.truncate(HUGE)


def _written(content: bytes) -> Callable[[Path, Outside], None]:
    def apply(path: Path, outside: Outside) -> None:
        _taken(path)
        path.write_bytes(content)

    return apply


PLACES: dict[str, Callable[[Path, Outside], None]] = {
    "a link to a file": _link(lambda outside: outside.canary),
    "a dangling link": _link(lambda outside: outside.dangling),
    "a link to itself": lambda path, outside: (_taken(path), path.symlink_to(path.name))[1],
    "a FIFO": _fifo,
    "a device": _link(lambda outside: Path("/dev/zero")),
    "a folder": _folder,
    "a hole": _sparse,
    "nested deep": _written(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "nested deeper": _written(b"[" * 200_000),
    "empty": _written(b""),
}


def _linked_folder(path: Path, outside: Outside) -> None:
    """The run's folder itself elsewhere, and a link to it in its place."""
    elsewhere = outside.canary.parent.parent / "elsewhere"
    _taken(elsewhere)
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


FOLDERS = {
    "a link to a folder": _linked_folder,
    **{name: PLACES[name] for name in ("a link to a file", "a dangling link", "a FIFO")},
}
FILES = ("run.json", "events.jsonl", "result.json", "audit.jsonl", "control.jsonl", "lock")
INNER = ("best", "checkpoints")


def places(run: Path) -> list[Change]:
    """Each file and folder of `run` as each thing that it should not be."""
    inside = [str(p.relative_to(run)) for p in sorted(run.rglob("*")) if p.is_file()]
    found = [
        Change(name, what, apply)
        for name in sorted({*FILES, *inside})
        for what, apply in PLACES.items()
    ]
    folders = [*INNER, *(str(p.relative_to(run)) for p in run.glob("checkpoints/*"))]
    return found + [
        Change(name, what, apply) for name in folders for what, apply in FOLDERS.items()
    ]


# Numbers

VALUES: tuple[Any, ...] = (
    10**400, 2**62, -(2**62), 1e308, -1e308, 5e-324, 0, -1, "NaN", "Infinity", "x", None, ["x"],
    True,
)  # fmt: skip


def _numbers(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers are, lists of them too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*at, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _numbers(item, (*at, place))
    elif isinstance(value, int | float) or value is None:
        yield at


def _put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return changed


def _json(name: str, at: tuple[Any, ...], new: Any) -> Callable[[Path, Outside], None]:
    def apply(path: Path, outside: Outside) -> None:
        path.write_text(json.dumps(_put(json.loads(path.read_text()), at, new)))
        if name.endswith("state.json"):  # whoever changes it makes the manifest agree
            content, manifest = path.read_bytes(), path.with_name("manifest.json")
            facts = json.loads(manifest.read_text())
            digest = hashlib.sha256(content).hexdigest()
            facts["state.json"] = {"size_bytes": len(content), "sha256": digest}
            manifest.write_text(json.dumps(facts))

    return apply


def _event(line: int, at: tuple[Any, ...], new: Any) -> Callable[[Path, Outside], None]:
    def apply(path: Path, outside: Outside) -> None:
        lines = path.read_text().splitlines()
        lines[line] = json.dumps(_put(json.loads(lines[line]), at, new))
        path.write_text("\n".join(lines) + "\n")

    return apply


def numbers(run: Path) -> list[Change]:
    """Each number in the JSON files of `run`, and in one event of each kind, in turn absurd.

    The trials are in such an order that any few in a row are of different values.
    """
    found = []
    files = sorted(p for p in run.rglob("*.json") if p.name != "result.json")
    for path in files:
        name = str(path.relative_to(run))
        for at in _numbers(json.loads(path.read_text())):
            where = "/".join(map(str, at))
            found += [
                Change(name, f"{where} is {str(new)[:12]}", _json(name, at, new)) for new in VALUES
            ]
    seen = set()
    for number, line in enumerate((run / "events.jsonl").read_text().splitlines()):
        event = json.loads(line)
        if event.get("event") in seen or "event" not in event:
            continue
        seen.add(event["event"])
        for at in _numbers(event):
            where = f"{event['event']}, {'/'.join(map(str, at))}"
            found += [
                Change("events.jsonl", f"{where} is {str(new)[:12]}", _event(number, at, new))
                for new in VALUES
            ]
    return found


# Weights


def _weights(change: Callable[[Any], Any]) -> Callable[[Path, Outside], None]:
    def apply(path: Path, outside: Outside) -> None:
        from safetensors.torch import load_file, save_file

        card = path.with_name("model.json")
        tensors = {name: change(tensor) for name, tensor in load_file(path).items()}
        path.unlink()
        save_file(tensors, path)
        facts = json.loads(card.read_text())
        facts["weights_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        card.write_text(json.dumps(facts))

    return apply


def weights(run: Path) -> list[Change]:
    """Weights with the right digest that no run writes: other types, and too large to use."""
    name = str(next((run / "best").glob("weights-*")).relative_to(run))
    kinds: dict[str, Callable[[Any], Any]] = {
        "weights of int64": lambda tensor: tensor.long(),
        "weights of float64": lambda tensor: tensor.double(),
        "weights of float16": lambda tensor: tensor.half(),
        "weights of 3e37": lambda tensor: tensor * 0 + 3e37,
    }
    return [Change(name, what, _weights(change)) for what, change in kinds.items()]
