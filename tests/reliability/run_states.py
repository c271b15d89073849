"""Runs in every state that the list of runs can hold; one is live: events come in as one looks."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

from app_support import (
    epoch_started,
    evaluated,
    grown,
    settled,
    started,
    step,
    whole_run,
    write_run,
)
from sweep_support import BATCH, LR, begin, evaluate, fail, finish, make_sweep

from nexus_engine import events as ev
from nexus_engine.disk.lock import RunLock
from nexus_engine.event_lines import encode_event

LIVE = "live"
STARTING = "starting"


def write_states(data_home: Path) -> Path:
    """Every state but live, and sweeps, under an XDG data folder; the runs' root."""
    root = data_home / "nexus" / "runs"
    for number in range(3):
        name = f"finished-{number}"
        write_run(root, name, whole_run(str(root / name), name))
    begun = [started("x"), evaluated(0, 0.4), epoch_started(1), *(step(n) for n in range(1, 40))]
    stopped = ev.RunStopped(
        reason="interrupted", exit_code=130, epoch=1, step=39, checkpoint="checkpoints/c"
    )
    failed = ev.RunFailed(kind="DataError", message="the data file is gone", exit_code=3)
    write_run(root, "stopped", [*begun, stopped])
    write_run(root, "failed", [*begun, failed])
    write_run(root, "interrupted", begun)
    write_run(root, "unbegun", [])
    (root / "empty").mkdir()
    (write_run(root, "no-log", begun) / "events.jsonl").unlink()
    (write_run(root, "torn", begun) / "events.jsonl").write_bytes(b'{"schema": 1\n\xff\xfe{"eve')
    noise = random.Random(1).randbytes(20_000)
    (write_run(root, "noise", begun) / "events.jsonl").write_bytes(noise)
    (write_run(root, "no-facts", begun) / "run.json").write_text("{")
    log = write_run(root, "log-is-a-folder", begun) / "events.jsonl"
    log.unlink()
    log.mkdir()
    sweeps = data_home / "nexus" / "sweeps"
    sweep = make_sweep(sweeps, "grid", [LR, BATCH])
    for point, dev in ((0, 0.51), (1, 0.52)):
        finish(sweep, point, dev)
    fail(sweep, 2, "no memory")
    evaluate(sweep, begin(sweep, 3), 1, 0.5)
    make_sweep(sweeps, "untouched", [LR])
    return root


@contextlib.contextmanager
def live_runs(root: Path, seed: int = 1) -> Iterator[None]:
    """While inside, one run is trained as its log tells it, and one has only taken its lock.

    The lock is held through a descriptor of its own, as another process holds it.
    """
    over = threading.Event()
    live = write_run(root, LIVE, [started(LIVE, str(root / LIVE), epochs=100_000)])
    starting = write_run(root, STARTING, [])
    with RunLock(live), RunLock(starting):
        writer = threading.Thread(target=_train, args=(live, over, random.Random(seed)))
        writer.start()
        try:
            yield
        finally:
            over.set()
            writer.join()


def _train(folder: Path, over: threading.Event, random: random.Random) -> None:
    with (folder / "events.jsonl").open("a") as log:
        for number, event in enumerate(_unending()):
            log.write(encode_event(event) + "\n")
            log.flush()
            if number > 50 and over.wait(random.uniform(0.0, 0.05)):
                return


def _unending() -> Iterator[ev.Event]:
    number, switch = 0, 0
    for epoch in range(1, 100_000):
        yield epoch_started(epoch)
        for _ in range(10):
            number += 1
            yield step(number)
        yield evaluated(epoch, 0.42 + epoch / 200_000)
        if epoch % 3 == 1:
            switch += 1
            yield grown(switch, epoch, 0.42)
        elif epoch % 3 == 0:
            yield settled(switch, epoch, 0.42, 0.43, kept=epoch % 2 == 0)
