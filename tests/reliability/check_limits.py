"""Every command where memory is limited, from too little to enough, and where its disk is full."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reliability import children, tiny_runs
from reliability.outcome import Outcome

SECONDS = 180.0
"""Within which a command ends that is given too little memory; the machine may be busy."""
LADDER_MB = (48, 100, 200, 320, 700, 1100, 1700, 4500)
"""Of address space: Python needs 40, a report 400, asking a model 2,000 (measured, 2 threads)."""
COMMANDS: dict[str, list[str]] = {
    "config": ["config", "show"],
    "runs": ["runs"],
    "show": ["runs", "show", "RUN"],
    "attach": ["attach", "--once", "RUN"],
    "report": ["report", "RUN", "--out", "OUT"],
    "similarity": ["similarity", "RUN", "a cat", "the cat"],
    "search": ["search", "RUN", "cat", "--corpus", "CORPUS"],
    "eval": ["eval", "RUN", "--data", "PAIRS"],
    "compare": ["compare", "base", "RUN", "--data", "PAIRS"],
    "doctor": ["doctor"],
    "train": ["train", "--data", "PAIRS", "--epochs", "1", "--threads", "1", "--out", "OUT"],
    "sweep": ["sweep", "--data", "PAIRS", "--epochs", "1", "--jobs", "1", "--grid", "GRID",
              "--out", "OUT"],
}  # fmt: skip
WRITERS = {
    **{name: COMMANDS[name] for name in ("report", "train", "sweep")},
    # These write a line about the use beside the run; that it cannot be written is a warning.
    **{name: COMMANDS[name] for name in ("eval", "similarity", "search", "compare")},
    "stdout": ["runs", "show", "RUN"],
    "receipt": ["doctor", "--prove-offline", "--receipt", "OUT"],
}
LIES = ("Traceback", "internal error", "Exception ignored")
"""What no command says to a user, whatever happens."""


def _run(folder: Path) -> None:
    """In a child: a run for the commands that look at one."""
    tiny_runs.train(folder, epochs=1, switch_epochs=(0,))


def _world(place: Path) -> Path:
    folder = place / "world"
    tiny_runs.write_data(folder / "pairs")
    children.call(_run, folder)
    (folder / "corpus.txt").write_text("A cat sleeps.\nIt rains.\n")
    (folder / "grid.toml").write_text("[grid]\nlr = [1e-3]\n")
    return folder


def _started(
    world: Path, words: Sequence[str], out: Path, start: str, limit: int | None, stdout: int
) -> subprocess.Popen[str]:
    """A real `nexus`; `start` is Python that runs before its main, such as a mutation."""
    places = {
        "RUN": str(world / "run"), "PAIRS": str(world / "pairs"), "OUT": str(out),
        "CORPUS": str(world / "corpus.txt"), "GRID": str(world / "grid.toml"),
    }  # fmt: skip
    arguments = [places.get(word, word) for word in words]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    code = f"import sys\n{start}\nfrom nexus_tui.cli.main import main\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=limited,
        env={
            **os.environ,
            "XDG_DATA_HOME": str(world / "data"),
            "XDG_CONFIG_HOME": str(world / "config"),
        },
    )


def _ended(process: subprocess.Popen[str], seconds: float) -> tuple[int | None, str]:
    """Its exit code, None where it had to be killed, and what it said on stderr."""
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
        return None, said
    return process.returncode, said


def _judged(name: str, code: int | None, said: str, resource_word: str) -> list[str]:
    last = said.strip().splitlines()[-1] if said.strip() else ""
    if code is None:
        return [f"{name}: did not end in time"]
    if code not in (0, 4):
        return [f"{name}: exit {code}: {last[:120]}"]
    if any(word in said for word in LIES):
        return [f"{name}: exit {code}, but said: {last[:120]}"]
    if code == 4 and resource_word not in said:
        return [f"{name}: exit 4 without a word of {resource_word}: {last[:120]}"]
    return []


def memory_limited(
    place: Path,
    commands: Sequence[str] = tuple(COMMANDS),
    levels_mb: Sequence[int] = LADDER_MB,
    start: str = "",
    seconds: float = SECONDS,
    at_a_time: int = 2,
) -> Outcome:
    """RLIMIT_AS from too little to enough: each command ends, with 0 or 4, and says why."""
    world = _world(place)
    tasks = [(name, level) for name in commands for level in levels_mb]
    codes: list[int | None] = []

    def attempt(task: tuple[str, int]) -> list[str]:
        name, level = task
        out = place / f"out-{name}-{level}"
        process = _started(world, COMMANDS[name], out, start, level * 1_000_000, subprocess.DEVNULL)
        code, said = _ended(process, seconds)
        codes.append(code)
        return _judged(f"{name} in {level} MB", code, said, "memory")

    with ThreadPoolExecutor(at_a_time) as some:
        failures = [line for lines in some.map(attempt, tasks) for line in lines]
    note = f"{codes.count(0)} done, {codes.count(4)} refused with 4"
    return Outcome("memory limited: each command ends with 0 or 4", len(tasks), failures, note)


# A full disk


@contextlib.contextmanager
def _small_disk(at: Path, size: int) -> Iterator[bool]:
    """A file system of `size` bytes at `at`, where this process may mount one."""
    at.mkdir(parents=True, exist_ok=True)
    library = ctypes.CDLL(None, use_errno=True)
    options = f"size={size},mode=700".encode()
    mounted = library.mount(b"tmpfs", os.fsencode(at), b"tmpfs", 0, options) == 0
    try:
        yield mounted
    finally:
        if mounted:
            library.umount2(os.fsencode(at), 2)  # MNT_DETACH: a killed child may still be in it


def _fill(disk: Path, leave: int) -> None:
    """Fill the disk but for about `leave` bytes."""
    space = os.statvfs(disk)
    free = space.f_bavail * space.f_frsize - leave
    if free > 0:
        (disk / "filler").write_bytes(b"\0" * free)


def full_disk(
    place: Path,
    commands: Sequence[str] = tuple(WRITERS),
    left: Sequence[int] = (0, 20_000),
    start: str = "",
    seconds: float = SECONDS,
) -> Outcome:
    """Every command that writes, with its target on a file system with so many bytes left."""
    world = _world(place)
    failures: list[str] = []
    trials = 0
    for name in commands:
        for leave in left:
            disk = place / f"disk-{name}-{leave}"
            with _small_disk(disk, max(leave * 4, 1_000_000)) as mounted:
                if not mounted:
                    return Outcome(
                        "full disk: each command ends with 4 or a warning", 1, [],
                        "not tried: only root may mount a small file system",
                    )  # fmt: skip
                here = world
                if name in ("eval", "similarity", "search", "compare"):
                    here = _world_on(world, disk)
                _fill(disk, leave)
                trials += 1
                stdout = subprocess.DEVNULL
                if name == "stdout":
                    stdout = os.open("/dev/full", os.O_WRONLY)
                process = _started(here, WRITERS[name], disk / "out", start, None, stdout)
                code, said = _ended(process, seconds)
                if name == "stdout":
                    os.close(stdout)
                label = f"{name} with {leave} bytes left"
                failures += _judged(label, code, said, "No space left")
                if code == 0 and name in ("stdout", "train", "sweep") and leave == 0:
                    failures.append(f"{label}: exit 0, and nothing can have been written")
                if code == 0 and here is not world and leave == 0 and "not noted" not in said:
                    failures.append(f"{label}: no warning that its use is not noted")
    return Outcome("full disk: each command ends with 4 or a warning", trials, failures)


def _world_on(world: Path, disk: Path) -> Path:
    """The run on the small disk, all else where it is; its audit is then full too."""
    here = disk / "world"
    here.mkdir()
    shutil.copytree(world / "run" / "best", here / "run" / "best")
    for name in ("run.json", "result.json", "events.jsonl"):
        shutil.copy(world / "run" / name, here / "run" / name)
    for name in ("pairs", "corpus.txt", "grid.toml"):
        (here / name).symlink_to(world / name)
    (here / "run" / "audit.jsonl").write_bytes(b"")
    return here
