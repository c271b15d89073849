"""An index that is damaged or somebody else's, through every command that opens one, and the app.

Each trial changes one thing in a copy of a sound index. Each command must end in time with a
documented exit code and one line; a refusal changes nothing on the disk, and neither does a look.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from question_folders import write_questions

from reliability import children, hostile_indexes
from reliability.check_hostile import _prepared, _spoken
from reliability.hostile_files import Change, Outside
from reliability.outcome import Outcome

PROMISE = "indexes that strangers made, or bad disks"
QUERY = "A man plays a guitar."
SECONDS = 90.0
"""For one command on a busy machine; the slowest takes two."""
LOOKS = ("search", "status", "eval", "app")
WRITES = ("add", "refresh")
ALL = (*LOOKS, *WRITES)
REFUSED = {"tables": ("search", "eval", "status", "app", "add"), "vectors": LOOKS}
"""Kinds of change that these commands must refuse with 3."""
MISSED = ("a link as",)
"""Changes that a command need not see: a foreign journal of another time is none."""


def _begin(folder: Path) -> None:
    """In a child: an index with questions and base vectors, and one more document to add."""
    from saved_models import save_grown_model

    from nexus_engine.indexing.building import Blocks, add, build
    from nexus_engine.indexing.index_card import JOB_FILE
    from nexus_engine.model.base_model import find_base_model

    _prepared()
    write_questions(folder / "questions")
    for name, epoch, strength in (("first", 1, 0.3), ("second", 2, 0.6)):
        save_grown_model(folder / name, epoch, strength, find_base_model())
    index = folder / "index"
    list(build(str(folder / "questions"), str(folder / "first"), index, with_base=True))
    (folder / "more").mkdir()
    (folder / "more" / "more.txt").write_text("A woman slices a tomato.\n\nIt rains.\n")
    copy = folder / "copy"
    shutil.copytree(index, copy)
    for _ in add(copy, str(folder / "more"), blocks=Blocks(1, 1)):
        if (copy / JOB_FILE).exists():  # what an addition records first
            shutil.copy(copy / JOB_FILE, folder / "order")
            break
    shutil.rmtree(copy)


def _app(folder: Path, index: Path) -> int:
    """What the playground does with an index as its corpus."""
    from nexus_engine.errors import NexusError
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.querying import Querier
    from nexus_tui.app.playground.searched import key_of, open_searched

    try:
        searched = open_searched(key_of(str(index), None, 256), lambda: None)
        try:
            models = Querier().adopt(load_model(str(folder / "first")))
            searched.missing(models, "first")
            questions = searched.questions
            known = [] if questions is None else list(questions.texts[:2])
            for query in (QUERY, *known):
                searched.find(models, query, lambda: None)
        finally:
            searched.close()
    except NexusError as error:
        sys.stderr.write(f"nexus: error: {error}\n")
        return int(error.exit_code)
    return 0


def _commands(folder: Path, index: Path) -> dict[str, Callable[[], int]]:
    from nexus_tui.cli.main import main

    lines = {
        "search": ["search", "--index", str(index), QUERY],
        "status": ["index", "status", str(index), "--files"],
        "eval": ["index", "eval", str(index), "--data", str(folder / "questions")],
        "add": ["index", "add", str(index), str(folder / "more")],
        "refresh": ["index", "refresh", str(index), "--model", str(folder / "second")],
    }
    return {
        "app": functools.partial(_app, folder, index),
        **{name: functools.partial(main, line) for name, line in lines.items()},
    }


def _contents(index: Path) -> dict[str, str]:
    """Each file of the index but its lock, with a digest."""
    found = {}
    for path in sorted(index.rglob("*")):
        if path.name in ("lock", "order"):
            continue
        is_plain = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30
        content = path.read_bytes() if is_plain else str(path.lstat().st_mode).encode()
        found[str(path.relative_to(index))] = hashlib.sha256(content).hexdigest()
    return found


def _wrong(command: str, kind: str, what: str, code: int | None, said: str) -> list[str]:
    errors = [line for line in said.splitlines() if line.startswith("nexus: ")]
    if code is None:
        return ["did not end"]
    wrong = []
    if "Traceback" in said or "internal error" in said:
        wrong.append(errors[-1] if errors else said.strip()[-160:])
    if code not in (0, 1, 2, 3, 4):
        wrong.append(f"exit code {code}")
    if code and len(errors) != 1:
        wrong.append(f"exit code {code} with {len(errors)} lines")
    if hostile_indexes.SECRET in said:
        wrong.append("quotes a text")
    must = command in REFUSED.get(kind, ()) and not what.startswith(MISSED)
    if must and code != 3:
        wrong.append(f"exit code {code}, not 3: {errors[-1:]}")
    if kind == "sound" and code:
        wrong.append(f"exit code {code} on a sound index: {errors[-1:]}")
    return wrong


def _tried(folder: Path, kind: str, change: Change | None, commands: Iterable[str]) -> list[str]:
    failures = []
    index, outside_folder = folder / "tried", folder / "outside"
    for number, command in enumerate(commands):
        for place in (index, outside_folder):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / "index", index)
        outside = Outside.make(outside_folder)
        what = ""
        if change is not None:
            what = change.what
            shutil.copy(folder / "order", index / "order")
            change.apply(index / change.file, outside)
            (index / "order").unlink(missing_ok=True)
        before = _contents(index)
        code, said = _spoken(number, folder, _commands(folder, index)[command], SECONDS)
        wrong = _wrong(command, kind, what, code, said) + outside.faults()
        if (command in LOOKS or code) and _contents(index) != before:
            after = _contents(index)
            names = {n for n in {*before, *after} if before.get(n) != after.get(n)}
            # An addition that fails half-way undoes its own part, in the pages of the database.
            if command in LOOKS or kind not in ("values", "flips", "jobs"):
                wrong.append(f"exit {code}, changed {sorted(names)}")
        label = "sound" if change is None else f"{change.file}: {change.what}"
        failures += [f"{command}, {label}: {line}" for line in wrong]
        if code is None:
            return failures
    return failures


Trial = tuple[str, int, tuple[str, ...]]


def _try_all(folder: Path, *, trials: Sequence[Trial]) -> list[str]:
    """In a child: the trials, one after another."""
    _prepared()
    lists = hostile_indexes.changes(folder / "index")
    failures: list[str] = []
    for kind, place, commands in trials:
        change = None if place < 0 else lists[kind][place]
        failures += _tried(folder, kind, change, commands)
    return failures


IN_ONE_CHILD = 40
STRIDES = {"numbers": 5}


def hostile_index(
    place: Path, few: int | None = None, mutation: str | None = None, kinds: Sequence[str] = ()
) -> Outcome:
    """Each change through all commands; with `few` about so many of a kind through two each."""
    folder = place / "hostile-index"
    folder.mkdir()
    children.call(_begin, folder)
    trials: list[Trial] = [("sound", -1, ALL)]
    for kind, listed in hostile_indexes.changes(folder / "index").items():
        if kinds and kind not in kinds:
            continue
        stride = STRIDES.get(kind, 1) if few is None else max(1, len(listed) // few) | 1
        for number in range(0, len(listed), stride):
            pair = (ALL[number % len(ALL)], ALL[(number + 1) % len(ALL)])
            pair = WRITES if kind == "jobs" else pair
            trials.append((kind, number, ALL if few is None else pair))
    found: list[str] = []
    for begin in range(0, len(trials), IN_ONE_CHILD):
        part = trials[begin : begin + IN_ONE_CHILD]
        found += children.call(_try_all, folder, mutation, trials=part)
    made = sum(len(commands) for _, _, commands in trials)
    return Outcome(PROMISE, made, found)
