"""A small trial of a command in a child process, where memory is limited (`ulimit -v`).

Not every compiled library raises an error when it gets no memory. While OpenBLAS, OpenMP and torch
load and start their threads, some end the process by exit or by signal, and some hang. This process
could not turn that into a message. So a child does the same work first, under four fifths of the
limit, and only under a limit that a command could meet.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

from nexus_engine.errors import NexusError, ResourceError
from nexus_engine.system.shortages import out_of_memory

__all__ = ["try_memory"]

ROOMY_BYTES = 16e9
"""No command meets this limit while it starts: one needs 1.5 GB with 2 threads (measured)."""
SHARE = 0.8
"""Share of the limit for the trial. The rest is for what the command does beyond it."""
TRIAL_SECONDS = 40.0
POLL_SECONDS = 0.02
PASSED, ANOTHER_REASON, NO_MEMORY = 0, 81, 82


def try_memory(command: str) -> None:
    """Try the start of `command` in a child, where memory is limited.

    Raises:
        ResourceError: the child had too little memory.
    """
    work = TRIALS.get(command)
    limit = _limit_bytes()
    if work is None or limit is None or _passes(work, int(limit * SHARE)):
        return
    raise ResourceError(
        f"out of memory: nexus {command} does not fit into the limit of {limit / 1e9:.2g} GB on a "
        "process's memory; raise it (ulimit -v)"
    )


def _limit_bytes() -> int | None:
    """The limit on this process's address space; None where no command could meet it."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return soft if 0 <= soft < ROOMY_BYTES else None


def _passes(work: Callable[[], None], limit: int) -> bool:
    """Whether a child of `limit` bytes does `work`, or fails at it for want of something else."""
    child = os.fork()
    if child == 0:
        _work_and_exit(work, limit)
    try:
        deadline = time.monotonic() + TRIAL_SECONDS
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                child = 0
                return os.waitstatus_to_exitcode(status) in (PASSED, ANOTHER_REASON)
            time.sleep(POLL_SECONDS)
        return False
    finally:
        if child:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _work_and_exit(work: Callable[[], None], limit: int) -> None:
    """Do `work` with its output discarded, and exit with the verdict."""
    code = NO_MEMORY
    try:
        import resource

        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
        work()
        code = PASSED
    except NexusError as error:
        code = NO_MEMORY if out_of_memory(error) else ANOTHER_REASON
    except KeyboardInterrupt:
        code = ANOTHER_REASON
    except BaseException:
        # An import that stopped half-way fails later, elsewhere and with any message. If something
        # else is wrong, the command itself shows it once the limit is raised.
        code = NO_MEMORY
    finally:
        os._exit(code)


def _query_model() -> None:
    """Score pairs by the base model: this loads every library that queries need."""
    import numpy as np

    from nexus_engine.data import load_split
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.similarity import score_pairs

    score_pairs(load_model("base"), load_split("demo", "test").take(np.arange(64)))


def _train() -> None:
    import nexus_engine.session  # noqa: F401

    _query_model()


def _report() -> None:
    import nexus_engine.reports.writing  # noqa: F401


def _read_log() -> None:
    import nexus_engine.runs.event_reading  # noqa: F401 - numpy comes with it


TRIALS: dict[str, Callable[[], None]] = {
    **dict.fromkeys(("eval", "similarity", "search", "compare", "doctor", "export"), _query_model),
    **dict.fromkeys(("train", "sweep"), _train),
    "report": _report,
    "attach": _read_log,
}
