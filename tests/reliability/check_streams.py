"""Every command with streams that are closed, full, or left by their reader: documented codes.

A child is forked with the engine loaded, gets its streams as a shell would have set them, runs the
command and ends as the interpreter does, which is where a thread that still computes is aborted.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from reliability import children, tiny_runs
from reliability.outcome import Outcome

TRAIN = "train --data pairs --tune adapter --epochs 3 --threads 1"
COMMANDS = {
    "help": "--help",
    "version": "--version",
    "train": f"{TRAIN} --out made",
    "train --json": f"{TRAIN} --out made --json",
    "forecast": f"{TRAIN} --forecast",
    "sweep": "sweep --grid grid.toml --data pairs --out made --jobs 1",
    "sweep --json": "sweep --grid grid.toml --data pairs --out made --jobs 1 --json",
    "eval": "eval ../whole/run",
    "similarity": "similarity base one two",
    "similarity -": "similarity base -",
    "similarity --file": "similarity base --file pairs/test.csv",
    "search": "search base one --corpus lines.txt",
    "compare": "compare base ../whole/run",
    "runs": "runs list",
    "runs show": "runs show ../whole/run",
    "report": "report ../whole/run --out made",
    "attach --once": "attach ../whole/run --once",
    "attach": "attach ../whole/run",
    "config": "config show",
    "doctor": "doctor",
    "unknown": "nonsense",
}
USUAL = {"attach": 2, "unknown": 2, "runs": 0, "similarity -": 0}
"""Exit codes with streams that are all in order; 0 for all others."""
SILENT = ("attach", "unknown", "runs")
"""Those that write nothing on stdout here."""
LIVE_JSON = ("train --json", "sweep --json")
GRID = 'seeds = [1]\n[train]\ntune = "adapter"\nepochs = 1\nthreads = 1\n[grid]\nlr = [1e-4]\n'


class Streams(NamedTuple):
    """How stdin, stdout and stderr are: "file", "closed", "full", "gone", or "line" (one read)."""

    stdin: str = "file"
    stdout: str = "file"
    stderr: str = "file"


KINDS = (
    Streams(stdout="closed"),
    Streams(stdout="full"),
    Streams(stdout="gone"),
    Streams(stdout="line"),
    Streams(stderr="closed"),
    Streams(stderr="full"),
    Streams(stderr="gone"),
    Streams(stderr="line"),
    Streams(stdout="gone", stderr="gone"),
    Streams(stdin="closed"),
    Streams("closed", "closed", "closed"),
)


def _run(folder: Path, *, arguments: list[str], streams: list[str]) -> None:
    """In a child: `nexus ARGUMENTS`, its streams as asked, to the interpreter's own end."""
    tiny_runs.make_tiny()
    os.chdir(folder)
    for number, kind in enumerate(streams):
        _become(number, kind)
    from nexus_tui.cli.main import main

    code = main(arguments)
    ctypes.PyDLL(None).Py_Exit(code)


def _become(number: int, kind: str) -> None:
    name = ("stdin", "stdout", "stderr")[number]
    if kind == "closed":
        os.close(number)
    elif kind == "file":
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        _put(os.open(f"{name}.txt", flags, 0o600), number)
    elif kind == "full":
        _put(os.open("/dev/full", os.O_WRONLY), number)
    else:
        reading, writing = os.pipe()
        _put(writing, number)
        if kind == "gone":
            os.close(reading)
        else:
            threading.Thread(target=_read_a_line, args=(reading,), daemon=True).start()
    mode = "r" if number == 0 else "w"
    opened = None if kind == "closed" else open(number, mode, closefd=False)  # noqa: SIM115
    setattr(sys, name, opened)  # as Python sets it at its start


def _put(handle: int, number: int) -> None:
    os.dup2(handle, number)
    os.close(handle)


def _read_a_line(handle: int) -> None:
    while (found := os.read(handle, 1)) and found != b"\n":
        pass
    os.close(handle)


def expected(name: str, streams: Streams) -> tuple[int, ...]:
    """The documented exit codes."""
    usual = USUAL.get(name, 0)
    if streams.stdin == "closed" and name == "similarity -":
        return (3,)
    if name in SILENT:
        return (usual,)
    match streams.stdout:
        case "full":
            return (4,)
        case "gone":
            return (1,)
        case "line":  # whatever was written before the reader went
            return (1,) if name == "train --json" else (usual, 1)
    return (usual,)


def _tried(place: Path, name: str, streams: Streams, mutation: str | None) -> list[str]:
    said = f"{name}, " + " ".join(
        f"{stream} {kind}" for stream, kind in streams._asdict().items() if kind != "file"
    )
    folder = place / said.replace(" ", "_").replace(",", "")
    tiny_runs.write_data(folder / "pairs")
    (folder / "grid.toml").write_text(GRID)
    (folder / "lines.txt").write_text("one\ntwo\n")
    (folder / "stdin.txt").write_text("a door\ta window\n")
    process = children.start(
        _run, folder, mutation, arguments=COMMANDS[name].split(), streams=list(streams)
    )
    code = children.finish(process)
    talk = _text(folder / "stderr.txt") + _text(folder / "stderr")
    wrong = []
    if code not in expected(name, streams):
        wrong.append(f"{said}: exit {code}, not {expected(name, streams)}")
    signs = ("Traceback", "Exception ignored", "internal error")
    wrong += [f"{said}: {sign} on stderr" for sign in signs if sign in talk]
    if name.startswith("train") and not wrong:
        wrong += _run_wrong(folder / "made", said, name, streams)
    return wrong


def _run_wrong(run: Path, said: str, name: str, streams: Streams) -> list[str]:
    """What is wrong with what became of the run."""
    last = json.loads(_text(run / "events.jsonl").splitlines()[-1])["event"]
    unread = name == "train --json" and streams.stdout in ("full", "gone", "line")
    wanted = "run_stopped" if unread else "run_finished"
    return [] if last == wanted else [f"{said}: the run ended with {last}, not {wanted}"]


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def streams_close(
    place: Path,
    names: Sequence[str] = tuple(COMMANDS),
    kinds: Sequence[Streams] = KINDS,
    mutation: str | None = None,
) -> Outcome:
    """Each command with each kind of streams."""
    place.mkdir(exist_ok=True)
    tiny_runs.write_data(place / "whole" / "pairs")
    if any("../whole/run" in COMMANDS[name] for name in names):
        children.call(tiny_runs.train, place / "whole", case="adapter")
    tasks = list(itertools.product(names, kinds))
    with ThreadPoolExecutor(2) as two:
        found = two.map(lambda task: _tried(place, *task, mutation), tasks)
        failures = [line for lines in found for line in lines]
    return Outcome("streams that close end nothing unsaid", len(tasks), failures)


# Sentences in other locales

SENTENCES = ("木门打开了", "门关着")


def _similarity(folder: Path, *, encoding: str) -> float:
    """In a child: the similarity of two sentences whose bytes a shell hands on in UTF-8."""
    import contextlib
    import io
    from unittest import mock

    from nexus_tui.cli.main import main

    def decoded(text: str) -> str:
        return text.encode("utf-8").decode(encoding, "surrogateescape")

    def encoded(text: str) -> bytes:
        return text.encode(encoding, "surrogateescape")

    written = io.StringIO()
    arguments = ["similarity", "base", "--json", *map(decoded, SENTENCES)]
    with contextlib.redirect_stdout(written), mock.patch("os.fsencode", encoded):
        assert main(arguments) == 0
    return float(json.loads(written.getvalue())["base"])


def other_locales(place: Path, mutation: str | None = None) -> Outcome:
    """A sentence is the same in every locale."""
    encodings = ("utf-8", "ascii", "iso-8859-1")
    found = {
        name: children.call(_similarity, place / name, mutation, encoding=name)
        for name in encodings
    }
    failures = [
        f"in {name}: {figure}, not {found['utf-8']}"
        for name, figure in found.items()
        if abs(figure - found["utf-8"]) > 1e-6
    ]
    return Outcome("sentences are UTF-8 in every locale", len(found), failures)
