"""Exports, embeddings and indexes that small commands write, and what is to be seen of them.

`World.make` does each work once without a fault; the checks compare with that.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from index_support import contents, write_lines
from question_folders import write_questions

from reliability import children, tiny_runs
from reliability.faults import failing, killing, operations

OUT = "out"
UMASK = 0o277
WINDOW, BLOCKS = 16, (16, 12)
"""Texts between two records of progress, so that a short command has many."""
NO_LIBRARY = 'raise ImportError("not here")\n'
"""In the place of sentence-transformers: exports are then read back in three seconds, not ten."""


class Work(NamedTuple):
    """A command that writes. `out` is its file or folder in the place where it works."""

    name: str
    words: tuple[str, ...]
    out: str = OUT
    changes: bool = False
    """Whether it changes the sound index at `out`; else `out` is new."""
    scratch: tuple[str, ...] = ()
    """Names that an interrupted command may leave beside `out`."""


BUILDING = (f".{OUT}.building",)
EXPORT = (f".{OUT}.export", f".{OUT}.export.lock")
WORKS = {
    work.name: work
    for work in (
        Work("export st", ("export", "RUN", "--format", "st", "--out", "OUT"), scratch=EXPORT),
        Work("export onnx", ("export", "RUN", "--format", "onnx", "--out", "OUT"), scratch=EXPORT),
        Work("export delta", ("export", "RUN", "--format", "delta", "--out", "OUT"),
             scratch=EXPORT),
        Work("embed", ("embed", "RUN", "LINES", "--out", "OUT"), "v.npy",
             scratch=("v.npy.partial", "v.npy.partial.json", "v.npy.json")),
        Work("embed int8",
             ("embed", "RUN", "LINES", "--out", "OUT", "--dtype", "int8", "--dims", "48"),
             "v.parquet", scratch=("v.parquet.partial", "v.parquet.partial.json")),
        Work("build", ("index", "build", "QUESTIONS", "--model", "RUN", "--out", "OUT",
                       "--with-base"), scratch=BUILDING),
        Work("add", ("index", "add", "OUT", "MORE"), changes=True),
        Work("refresh", ("index", "refresh", "OUT", "--model", "BASE"), changes=True),
    )
}  # fmt: skip
INDEXES = ("build", "add", "refresh")
IN_INDEX = re.compile(r"(index\.json|texts\.db|lock|(vectors|base)-\d{4}|model-[0-9a-f]{16})$")
SMALL = ("embed", "embed int8", *INDEXES)


# In a child


def _make_world(folder: Path) -> None:
    from export_runs import make_run, write_pairs

    from nexus_engine.model.base_model import find_base_model

    write_pairs(folder / "pairs")
    base = folder / "base" if (folder / "base").exists() else None
    make_run(folder / "run", find_base_model(base), folder / "pairs")


def _make_small() -> None:
    """Short windows and blocks, one thread."""
    import torch

    from nexus_engine.indexing import building, refreshing
    from nexus_engine.scoring import embedding_files

    torch.set_num_threads(1)
    embedding_files.WINDOW_TEXTS = WINDOW
    for call in (building.build, building.add, refreshing.refresh):
        defaults = call.__kwdefaults__
        assert defaults is not None
        defaults["blocks"] = building.Blocks(*BLOCKS)


def command(
    folder: Path,
    *,
    words: Sequence[str],
    stub: str,
    room: bool = True,
    kill: tuple[int, str] | None = None,
    fail: tuple[int, int, bool] | None = None,
) -> dict[str, int]:
    """A command; with `kill` it dies at an operation, with `fail` its disk fails there."""
    from nexus_engine.exports import place
    from nexus_tui.cli.main import main

    _make_small()
    os.umask(UMASK)
    os.environ["PYTHONPATH"] = stub
    if not room:  # so that an export meets the full disk itself
        place.ROOM_BYTES = dict.fromkeys(place.ROOM_BYTES, 0)
    if kill is None and fail is None:
        return {"code": main(list(words)), "operations": 0}
    met = killing(*kill) if kill else None
    if fail is not None:
        met = failing(fail[0], fail[1], for_good=fail[2], half=True)
    assert met is not None
    with operations(met) as count:
        code = main(list(words))
        return {"code": code, "operations": count()}


# Outputs


class World(NamedTuple):
    """What the commands read, and for each what it must write."""

    folder: Path
    wanted: dict[str, Any]
    """What `state` says of the complete output, by the name of the work."""
    before: dict[str, Any]
    seconds: dict[str, float]

    @classmethod
    def make(cls, folder: Path, names: Sequence[str], mutation: str | None = None) -> World:
        """Each work done once, without a fault."""
        folder.mkdir()
        tiny_runs.write_base(folder / "base")
        children.call(_make_world, folder)
        write_lines(folder / "lines.txt", 90)
        (folder / "more").mkdir()
        write_lines(folder / "more" / "more.txt", 40)
        write_questions(folder / "questions", others=40)
        (folder / "stub").mkdir()
        (folder / "stub" / "sentence_transformers.py").write_text(NO_LIBRARY)
        world = cls(folder, {}, {}, {})
        needed = {*names, *(["build"] if {"add", "refresh"} & {*names} else [])}
        for name in [each for each in WORKS if each in needed]:
            work, place = WORKS[name], folder / f"whole-{name.replace(' ', '-')}"
            world.begin(work, place)
            world.before[name] = state(work, place)
            begun = time.monotonic()
            told = children.call(command, folder / "child", mutation, **world.call(work, place))
            world.seconds[name] = time.monotonic() - begun
            if told["code"]:
                said = (folder / "child" / "stderr").read_text()[-300:]
                raise RuntimeError(f"{name} ended with {told['code']}: {said}")
            world.wanted[name] = state(work, place)
        return world

    def begin(self, work: Work, place: Path) -> None:
        """A place for `work`, with the index that it changes."""
        place.mkdir()
        if work.changes:
            shutil.copytree(self.folder / "whole-build" / OUT, place / OUT)

    def call(self, work: Work, place: Path) -> dict[str, Any]:
        """The arguments of `command`."""
        known: dict[str, Path | str] = {
            "RUN": self.folder / "run", "LINES": self.folder / "lines.txt",
            "QUESTIONS": self.folder / "questions", "MORE": self.folder / "more",
            "OUT": place / work.out, "BASE": "base",
        }  # fmt: skip
        if (self.folder / "base").exists():
            known["BASE"] = f"base:{self.folder / 'base'}"
        words = [str(known.get(word, word)) for word in work.words]
        return {"words": words, "stub": str(self.folder / "stub")}


def digests(place: Path) -> dict[str, str]:
    """The digest of each file below `place`, by its name there."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def state(work: Work, place: Path) -> Any:
    """What the output in `place` is, None where it is absent; an error where it is torn."""
    out = place / work.out
    if not os.path.lexists(out):
        return None
    if work.name in INDEXES:
        return _answers(out)
    if out.is_dir():
        return digests(out)
    beside = out.with_name(f"{out.name}.json")
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (out, beside)
            if path.exists()]  # fmt: skip


def _answers(index: Path) -> list[Any]:
    """What a search in the index may find now."""
    import numpy as np

    from nexus_engine.indexing.searching import OpenIndex
    from nexus_engine.indexing.status import index_status

    with OpenIndex(index) as opened:
        card = opened.card
        rows = np.arange(card.passages)
        vectors = [f.vectors(rows) for f in (opened._vectors, opened._base) if f is not None]
        sums = [hashlib.sha256(each.numpy().tobytes()).hexdigest() for each in vectors]
        known = opened.questions()
        texts = list(opened.texts())
    status = index_status(index)
    return [card.model.fingerprint, card.generation, texts, sums, status.questions,
            None if known is None else list(known.texts)]  # fmt: skip


def _modes(place: Path) -> list[str]:
    wrong = []
    for path in sorted(place.rglob("*")):
        mode = path.lstat().st_mode & 0o777
        if mode != (0o700 if path.is_dir() else 0o600):
            wrong.append(f"{path.relative_to(place)} has mode {mode:o}")
    return wrong


def _left(work: Work, place: Path, *, allowed: tuple[str, ...] | None = None) -> list[str]:
    """Names that nobody asked for; those `allowed` may be there after a fault."""
    names = {path.name for path in place.iterdir()} - {work.out, *(allowed or ())}
    if work.out == "v.npy" and (place / work.out).exists():
        names.discard("v.npy.json")
    if work.name in INDEXES and allowed is None:
        names |= {path.name for path in (place / OUT).iterdir() if not IN_INDEX.match(path.name)}
    return [f"left behind: {sorted(names)}"] if names else []


def interrupted(world: World, work: Work, place: Path) -> list[str]:
    """What is wrong right after a fault."""
    try:
        found = state(work, place)
    except Exception as error:
        return [f"torn: {type(error).__name__}: {error}"[:300]]
    wrong = [] if found in (world.before[work.name], world.wanted[work.name]) else ["torn"]
    temporary = tuple(p.name for p in place.iterdir() if ".tmp-" in p.name)
    return wrong + _left(work, place, allowed=(*work.scratch, *temporary))


def completed(
    world: World, work: Work, place: Path, mutation: str | None, child: Path
) -> list[str]:
    """Give the command once more; what is wrong then. One that had come to its end says so."""
    told = children.call(command, child, mutation, **world.call(work, place))
    is_there = told["code"] == 2 and not work.changes and os.path.lexists(place / work.out)
    if told["code"] and not is_there:
        said = (child / "stderr").read_text().strip().splitlines()[-1:]
        return [f"the next run ended with {told['code']}: {said}"]
    wrong = []
    try:
        if state(work, place) != world.wanted[work.name]:
            wrong.append("the next run wrote something else")
    except Exception as error:
        wrong.append(f"torn in the end: {type(error).__name__}: {error}"[:300])
    if work.name in INDEXES:
        whole = contents(world.folder / f"whole-{work.name}" / OUT)
        found = contents(place / OUT)
        wrong += [f"another {key}" for key in whole if found[key] != whole[key]]
    return wrong + _left(work, place) + _modes(place)
