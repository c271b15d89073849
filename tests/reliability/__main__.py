"""The long form: every promise at its figure, as a table; with --mutations, that each can fail."""

# ruff: noqa: E402, T201

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "support")]
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.modules["torchvision"] = None  # type: ignore[assignment]

from reliability import (
    check_creators,
    check_folder,
    check_hostile,
    check_hostile_index,
    check_keys,
    check_kills,
    check_labels,
    check_limits,
    check_models,
    check_offline,
    check_openings,
    check_outputs,
    check_power,
    check_private,
    check_private_outputs,
    check_resume,
    check_saving,
    check_screens,
    check_signals,
    check_streams,
    check_sweep_disk,
    check_sweeps,
    check_trouble,
)
from reliability.mutations import MUTATIONS
from reliability.outcome import Outcome

DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
MEMORY = "memory: stopped, resumable, no other batch size"
NUMBERS = "NaN is seen within a step, the best untouched"

PROMISES: dict[str, Callable[[Path], Outcome]] = {
    "operations": check_saving.killed_at_each_operation,
    "power": check_power.cut_at_each_moment,
    "kills": partial(check_kills.killed_at_random, kills=100),
    "resume": check_resume.resumed_everywhere,
    "signals": partial(check_signals.signalled, each=10),
    "second": check_signals.forced,
    "streams": check_streams.streams_close,
    "locales": check_streams.other_locales,
    "disk": check_saving.failed_at_each_operation,
    "disk-run": partial(check_trouble.disk_fails, picks=[*range(2, 300, 37)], codes=DISK_ERRORS),
    "memory": partial(
        check_trouble.trouble, names=check_trouble.MEMORY, exit_code=4, promise=MEMORY
    ),
    "memory-limit": check_limits.memory_limited,
    "full-disk": check_limits.full_disk,
    "numbers": partial(
        check_trouble.trouble, names=check_trouble.NUMBERS, exit_code=5, promise=NUMBERS
    ),
    "log": check_folder.log_cut_anywhere,
    "lock": partial(check_folder.locked, times=5),
    "sweep-kills": partial(check_sweeps.killed, moments=check_sweeps.first_seconds(100)),
    "sweep-disk": check_sweep_disk.disk_fills,
    "creators": partial(check_creators.created_at_once, rounds=150),
    "damage": partial(check_folder.damaged, flips=64, load=True),
    "hostile": check_hostile.hostile,
    "models": check_models.refused,
    "mutated": partial(check_models.mutated, times=300),
    "canaries": check_private.canaries,
    "opened": check_private.nothing_opened,
    "offline": check_offline.proved,
    "modes": check_private.modes,
    "warned": check_private.warned,
    "names": check_private.names,
    "openings": check_openings.opened,
    "keys": check_keys.typed,
    "screens-signals": check_screens.screens,
    "labels-kills": partial(check_labels.killed, kills=100),
    "labels-power": check_labels.cut_at_each_moment,
    "labels-disk": check_labels.failed_at_each_operation,
    "outputs-kills": partial(check_outputs.killed, times=8),
    "outputs-operations": check_outputs.killed_at_operations,
    "outputs-signals": partial(check_outputs.signalled, each=2),
    "outputs-full": partial(check_outputs.disk_filled, left=(0, 40_000, 400_000)),
    "outputs-disk": partial(check_outputs.disk_failed, most=12),
    "outputs-read-only": check_outputs.read_only,
    "outputs-canaries": check_private_outputs.private_outputs,
    "hostile-index": check_hostile_index.hostile_index,
}


def _place() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="nexus-check-", dir=memory if memory.is_dir() else None))


def _timed(check: Callable[[Path], Outcome]) -> tuple[Outcome, float]:
    place, begun = _place(), time.monotonic()
    os.environ["XDG_DATA_HOME"] = str(place / "home")  # `latest` stays what the user made last
    try:
        return check(place), time.monotonic() - begun
    finally:
        shutil.rmtree(place, ignore_errors=True)


def promises(only: list[str]) -> int:
    """Print the table; how many promises are broken."""
    broken, whole = 0, time.monotonic()
    print(f"{'promise':<52} {'trials':>6} {'failed':>6} {'seconds':>7}")
    for name, check in PROMISES.items():
        if only and name not in only:
            continue
        found, seconds = _timed(check)
        broken += bool(found.failures)
        row = f"{found.promise:<52} {found.trials:>6} {len(found.failures):>6} {seconds:>7.1f}"
        print(f"{row}  {found.note}".rstrip(), flush=True)
        for line in found.failures[:5]:
            print(f"    {line}")
    print(f"{broken} promises broken, {time.monotonic() - whole:.0f} s")
    return broken


def mutations(only: list[str]) -> int:
    """Print which mutations were caught; how many were not."""
    missed = 0
    for name, mutation in MUTATIONS.items():
        if only and name not in only:
            continue
        try:
            found, seconds = _timed(lambda place, m=mutation, n=name: m.check(place, n))
            telling = [line for line in found.failures if mutation.sign in line]
            caught = len(telling)
            said = telling[0][:90] if caught else "NOT CAUGHT"
        except (RuntimeError, AssertionError) as error:
            caught, seconds, said = not mutation.sign, 0.0, " ".join(str(error)[-90:].split())
        missed += not caught
        print(
            f"{'caught' if caught else 'MISSED':<7} {mutation.says:<42} {seconds:>6.1f}  {said}",
            flush=True,
        )
    print(f"{missed} mutations missed")
    return missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", action="store_true", help="prove that each check can fail")
    parser.add_argument("only", nargs="*", help=f"of {', '.join(PROMISES)}")
    asked = parser.parse_args()
    sys.exit(bool(mutations(asked.only) if asked.mutations else promises(asked.only)))
