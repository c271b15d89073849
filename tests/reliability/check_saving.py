"""A save is whole or not there: the process is killed, or the disk fails, at every operation."""

from __future__ import annotations

import errno
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from reliability import children, storage
from reliability.faults import failing, killing, operations
from reliability.outcome import Outcome

MOST = 400
"""More operations than any save makes: a save that never ends is a failure too."""


def _killed_save(folder: Path, *, at: int, how: str) -> int:
    """In a child: the save with a kill in it; the number of its operations when it was not met."""
    with operations(killing(at, how)) as count:
        storage.save_again(folder / "run")
    return count()


def _judged(path: Path, **said: bool) -> list[str]:
    try:
        return storage.judge(path, **said)
    except Exception as error:
        return [f"{type(error).__name__} while the folder was read: {error}"]


def killed_at_each_operation(
    place: Path, hows: tuple[str, ...] = ("before", "half", "after"), mutation: str | None = None
) -> Outcome:
    """Kill at operation 1, 2, 3 ... until a save runs to its end."""
    failures: list[str] = []
    trials, operations_seen = 0, 0
    original = place / "original"
    storage.prepare(original)
    for how in hows:
        for at in range(1, MOST):
            here = place / f"{how}-{at}"
            here.mkdir(parents=True)
            shutil.copytree(original, here / "run")
            process = children.start(_killed_save, here, mutation, at=at, how=how)
            code = children.finish(process)
            trials += 1
            ended = children.told(here)
            if code not in (0, -signal.SIGKILL):
                failures.append(f"{how} {at}: ended with {code}")
            wrong = _judged(here / "run", must_be_new=code == 0)
            failures += [f"killed {how} operation {at}: {line}" for line in wrong]
            shutil.rmtree(here)
            if ended is not None:
                operations_seen = ended
                break
        else:
            failures.append(f"{how}: no save came to its end")
    note = f"{operations_seen} operations a save"
    return Outcome("a checkpoint is whole or not there", trials, failures, note)


ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


def failed_at_each_operation(
    place: Path,
    codes: tuple[int, ...] = ERRORS,
    save: Callable[[Path], None] = storage.save_again,
) -> Outcome:
    """An I/O error at operation 1, 2, 3 ..., once and for good: last and best survive."""
    failures: list[str] = []
    trials = 0
    original = place / "original"
    storage.prepare(original)
    for code in codes:
        for for_good, half in ((False, False), (True, False), (True, True)):
            for at in range(1, MOST):
                path = place / "run"
                shutil.copytree(original, path)
                raised = True
                with operations(failing(at, code, for_good=for_good, half=half)) as count:
                    try:
                        save(path)
                        raised = False
                    except OSError as error:
                        if error.errno != code:
                            failures.append(f"operation {at}: {error} instead of {code}")
                trials += 1
                what = f"{errno.errorcode[code]} {'from' if for_good else 'at'} operation {at}"
                failures += [f"{what}: {line}" for line in _judged(path, must_be_new=not raised)]
                shutil.rmtree(path)
                if count() < at:
                    break
            else:
                failures.append(f"{errno.errorcode[code]}: no save came to its end")
    return Outcome("I/O errors lose nothing (each operation of a save)", trials, failures)
