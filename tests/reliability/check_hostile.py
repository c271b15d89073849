"""A run folder that a stranger made, through every command that opens one.

Each trial changes one thing in a copy of a sound run and gives it to each command. Each must end in
time with a documented exit code, without a traceback, and leave alone what links lead to.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reliability import children, hostile_files, tiny_runs
from reliability.hostile_files import Change, Outside
from reliability.outcome import Outcome

PROMISE = "run folders that strangers made"
SECONDS = 20.0
"""For one command; the slowest takes two."""
NEIGHBOUR = "neighbour"
DOCUMENTED = {0, 1, 2, 3, 4, 5}
SENTENCES = ("A man plays a guitar.", "Somebody makes music.")
LISTS = ("runs list", "runs show", "attach --once", "report", "app list", "app open")
MODELS = ("eval", "similarity", "search", "compare")
TRAINS = ("train --resume", "stop")
ALL = (*LISTS, *MODELS, *TRAINS)
SOUND = {"stop": 1}
"""Exit codes on a sound run that are not 0: the test holds the lock, so it does not stop."""


class _TooLongError(BaseException):
    """A command did not end."""


def _begin(folder: Path) -> None:
    """In a child: a run that was killed after its first checkpoint, and another one beside it."""
    import msgspec
    import torch

    from nexus_engine.events import CheckpointSaved
    from nexus_engine.model.base_model import base_shape
    from nexus_engine.runs.folder import runs_root
    from nexus_engine.runs.saved_model import intact_card, save_model

    def stop(event: Any, steering: Any) -> None:
        if isinstance(event, CheckpointSaved):
            steering.stop()

    tiny_runs.train(folder, "dendrites", meet=stop, epochs=2, switch_epochs=(0,))
    run = folder / "run"
    log = run / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if '"event": "run_stopped"' not in line))
    (run / "result.json").unlink(missing_ok=True)
    (folder / "corpus.txt").write_text("\n".join(SENTENCES) + "\n")
    # A set of dendrites in best/: the best of so short a run may be the base model itself.
    card = intact_card(run / "best")
    assert card is not None
    facts = msgspec.structs.asdict(card)
    for field in ("format", "weights_file", "weights_sha256"):
        del facts[field]
    width = base_shape(card.base_folder).encoder.width
    shapes = {"incoming": (1, width), "threshold": (1,), "gain": (1, width)}
    unit = {f"encoder.layers.1.v.{leaf}": torch.rand(shape) / 50 for leaf, shape in shapes.items()}
    save_model(run / "best", unit, facts)
    neighbour = runs_root() / NEIGHBOUR
    shutil.copytree(run, neighbour)
    shutil.rmtree(neighbour / "checkpoints")


# The commands


def _app_list(run: Path) -> int:
    """What the app does for its list: every run's line and the details under it."""
    from nexus_engine.runs.index import RunIndex
    from nexus_tui.charts.run.details import run_details
    from nexus_tui.charts.run.one_picture import terminal_chart_style
    from nexus_tui.charts.run.rows import columns_for, run_line

    chart_style = terminal_chart_style(ascii_only=False)
    index = RunIndex(run.parent)
    for _ in range(2):  # the second time what did not change is taken from the first
        found = index.refresh()
        for summary in found:
            line = run_line(summary, columns_for(found, 100), chart_style, now=time.time())
            sys.stdout.write(line.plain)
            record = index.record(summary.path)
            assert record is not None
            lines = run_details(record, width=120, height=10, chart_style=chart_style)
            sys.stdout.write("\n".join(line.plain for line in lines))
    return 0


def _app_open(run: Path) -> int:
    """What the app does when a run is opened: its events, its state, its charts, a wish."""
    from nexus_engine.errors import NexusError
    from nexus_engine.runs.run_view import RunView, reduce
    from nexus_tui.app.playground.queried_model import QueriedModel, stamp_of
    from nexus_tui.app.run_sources import LoggedRun
    from nexus_tui.charts.run.heading import Head
    from nexus_tui.charts.run.one_picture import state_lines, terminal_chart_style

    source = LoggedRun(run)
    view = RunView()
    for event in [*source.drain(), *source.drain()]:
        view = reduce(view, event)
    try:
        alive = source.live()
    except NexusError:
        return 1
    chart_style = terminal_chart_style(ascii_only=True)
    for width in (20, 100):
        state_lines(view, Head(name=source.name, alive=alive), width, chart_style)
    stamp_of(QueriedModel(source.name, run))
    return 0


def _commands(folder: Path, run: Path) -> dict[str, Callable[[], int]]:
    from nexus_tui.cli.main import main

    name = str(run)
    shutil.rmtree(folder / "report", ignore_errors=True)
    lines = {
        "runs list": ["runs", "list"],
        "runs show": ["runs", "show", name],
        "attach --once": ["attach", "--once", name],
        "report": ["report", name, "--out", str(folder / "report")],
        "eval": ["eval", name, "--data", str(folder / "pairs")],
        "similarity": ["similarity", name, *SENTENCES],
        "search": ["search", name, SENTENCES[0], "--corpus", str(folder / "corpus.txt")],
        "compare": ["compare", "base", name],
        "train --resume": ["train", "--resume", name],
        "stop": ["stop", name, "--wait", "0.05"],
    }
    found: dict[str, Callable[[], int]] = {
        command: functools.partial(main, line) for command, line in lines.items()
    }
    found["app list"] = functools.partial(_app_list, run)
    found["app open"] = functools.partial(_app_open, run)
    return found


# The trials


def _spoken(
    number: int, path: Path, call: Callable[[], int], seconds: float | None = None
) -> tuple[int | None, str]:
    """What a command ends with, None where it did not in time, and all that it says."""
    late = False

    def give_up(*_: object) -> None:
        nonlocal late
        late = True
        raise _TooLongError

    with (path / f"said-{number}").open("w+b") as said:
        before = os.dup(1), os.dup(2)
        for stream in (1, 2):
            os.dup2(said.fileno(), stream)
        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, seconds or SECONDS)
        code: int | None
        try:
            code = call()
        except _TooLongError:
            code = None
        except Exception as error:
            code = 99
            sys.stderr.write(f"Traceback: {type(error).__name__}: {error}\n")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, former in enumerate(before, start=1):
                os.dup2(former, stream)
                os.close(former)
        said.seek(0)
        return None if late else code, said.read().decode("utf-8", "replace")


def _held(run: Path, command: str) -> Any:
    """The run's lock, so that `stop` finds a live run; nothing for another command."""
    import contextlib

    from nexus_engine.disk.lock import RunLock

    held = contextlib.ExitStack()
    if command == "stop":
        with contextlib.suppress(OSError):  # it is the lock that was changed
            held.enter_context(RunLock(run))
    return held


def _judged(command: str, code: int | None, said: str, *, sound: bool, refused: bool) -> list[str]:
    """What is wrong with how a command ended."""
    last = said.strip().splitlines()[-1][:160] if said.strip() else "without a word"
    if code is None:
        return [f"did not end in {SECONDS:g} s"]
    wrong = []
    if "Traceback" in said or "internal error" in said:
        wrong.append(last)
    if code not in DOCUMENTED:
        wrong.append(f"exit code {code}")
    if sound and code != SOUND.get(command, 0):
        wrong.append(f"exit code {code} on a sound run: {last}")
    if refused and command in MODELS and code != 3:
        wrong.append(f"exit code {code}, not 3: {last}")
    if command in ("runs list", "app list") and NEIGHBOUR not in said:
        wrong.append("hides the other run")
    if code and command not in ("app list", "app open") and not said.strip():
        wrong.append(f"exit code {code} without a word")
    return wrong


def _tried(
    folder: Path, change: Change | None, commands: Sequence[str], *, refused: bool = False
) -> list[str]:
    """One change, or none, through `commands`; what is wrong, a line each."""
    from nexus_engine.runs.folder import runs_root

    run, outside_folder = runs_root() / "run", folder / "outside"
    failures = []
    for number, command in enumerate(commands):
        for place in (run, outside_folder, folder / "elsewhere"):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / "run", run)
        outside = Outside.make(outside_folder)
        label = "sound" if change is None else f"{change.file}: {change.what}"
        if change is not None:
            change.apply(run / change.file, outside)
        with _held(run, command):
            kept = _contents(folder / "elsewhere")
            code, said = _spoken(number, folder, _commands(folder, run)[command])
        wrong = _judged(command, code, said, sound=change is None, refused=refused)
        wrong += outside.faults()
        if _contents(folder / "elsewhere") != kept:
            wrong.append("wrote through a folder that is a link")
        failures += [f"{command}, {label}: {line}" for line in wrong]
        if code is None:
            return failures  # its threads may still be at work in this process
    return failures


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in sorted(folder.rglob("*"))
    }


def _prepared() -> None:
    """In a child: what each command would do again for the base model is done once."""
    from nexus_engine.model import base_model

    tiny_runs.make_tiny()
    base_model.find_base_model = functools.cache(base_model.find_base_model)
    from nexus_engine.runs import saved_model
    from nexus_engine.scoring import querying
    from nexus_engine.training import inputs

    for module in (inputs, querying, saved_model):
        module.find_base_model = base_model.find_base_model


Trial = tuple[str, int, tuple[str, ...]]
"""A list of changes, the place in it (-1: no change), and the commands."""


def _try_all(folder: Path, *, trials: Sequence[Trial]) -> list[str]:
    """In a child: the trials, one after another."""
    _prepared()
    lists = _lists(folder / "run")
    failures: list[str] = []
    for kind, place, commands in trials:
        change = None if place < 0 else lists[kind][place]
        failures += _tried(folder, change, commands, refused=kind == "weights")
    return failures


def _lists(run: Path) -> dict[str, list[Change]]:
    return {
        "places": hostile_files.places(run),
        "numbers": hostile_files.numbers(run),
        "weights": hostile_files.weights(run),
    }


LONG_STRIDES = {"numbers": 5}
"""Each number has a dozen values, and each value comes to many numbers."""
IN_ONE_CHILD = 50
"""Trials: a child is killed after 400 s."""


def _wanted(kind: str, place: int, change: Change) -> tuple[str, ...]:
    """The commands of the long form: all for a place; for a number two of those that may read it.

    As each number is tried with many values, all commands come to meet it.
    """
    if kind != "numbers":
        return ALL if kind == "places" else MODELS
    readers: tuple[str, ...] = LISTS
    if change.file == "run.json":
        readers = (*LISTS, "eval", "stop", "train --resume")
    elif change.file == "best/model.json":
        readers = MODELS
    elif change.file.startswith("checkpoints"):
        return ("train --resume",)
    return readers[place % len(readers)], readers[(place + 4) % len(readers)]


def hostile(place: Path, few: int | None = None) -> Outcome:
    """Each place and weight, each fifth number, or about `few` of a kind, through the commands."""
    folder = place / "hostile"
    tiny_runs.write_data(folder / "pairs")
    children.call(_begin, folder)
    trials: list[Trial] = [("sound", -1, ALL)]
    for kind, changes in _lists(folder / "run").items():
        stride = LONG_STRIDES.get(kind, 1) if few is None else _stride(len(changes), few)
        for number, change in list(enumerate(changes))[::stride]:
            commands = _wanted(kind, number, change) if few is None else _few(number, change)
            trials.append((kind, number, commands))
    found: list[str] = []
    for begin in range(0, len(trials), IN_ONE_CHILD):
        part = trials[begin : begin + IN_ONE_CHILD]
        found += children.call(_try_all, folder, trials=part)
    made = sum(len(commands) for _, _, commands in trials)
    return Outcome(PROMISE, made, found)


def _stride(changes: int, few: int) -> int:
    """An odd stride, so that each of the ten things that a file may be comes up."""
    return 2 * (changes // (2 * few)) + 1


def _few(number: int, change: Change) -> tuple[str, ...]:
    """Two commands, others for each trial."""
    if change.file.startswith(("best", "audit")):
        return LISTS[number % len(LISTS)], MODELS[number % 2]
    return LISTS[number % len(LISTS)], (*LISTS, "stop")[number % (len(LISTS) + 1)]


def chosen(
    place: Path, kind: str, words: Sequence[str], commands: tuple[str, ...], mutation: str
) -> Outcome:
    """The changes of `kind` that all `words` name, through `commands`, in a broken engine."""
    folder = place / "hostile"
    tiny_runs.write_data(folder / "pairs")
    children.call(_begin, folder)
    trials: list[Trial] = [
        (kind, number, commands)
        for number, change in enumerate(_lists(folder / "run")[kind])
        if all(word in f"{change.file}: {change.what}" for word in words)
    ]
    found = children.call(_try_all, folder, mutation, trials=trials)
    return Outcome(PROMISE, len(trials), found)
