"""Trying a command in small, in a child, where the memory of a process is limited (`ulimit -v`).

Libraries of compiled code do not all raise an error where they get no memory: while OpenBLAS,
OpenMP and torch are loaded and begin their threads, some end the process, by exit or by signal, and
some wait for ever. Nothing in this process could turn that into a message. So the first of it
happens in a child, under four fifths of the limit, and only where there is a limit that could
matter.
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
"""A limit that no command meets while it starts: one needs 1.5 GB with 2 threads (measured)."""
SHARE = 0.8
"""Of the limit for the trial: the rest is for what the command does beyond it."""
TRIAL_SECONDS = 40.0
POLL_SECONDS = 0.02
PASSED, ANOTHER_REASON, NO_MEMORY = 0, 81, 82


def try_memory(command: str) -> None:
    """Where memory is limited, do the beginning of `command` in a child first.

    Raises:
        ResourceError: the child had too little memory.
    """
    work = TRIALS.get(command)
    limit = _limit_bytes()
    if work is None or limit is None:
        return
    if _passes(work, int(limit * SHARE)):
        return
    raise ResourceError(
        f"out of memory: nexus {command} does not fit into the limit of {limit / 1e9:.2g} GB on a "
        "process's memory; raise it (ulimit -v)"
    )


def _limit_bytes() -> int | None:
    """The limit on this process's address space, where it is one that could matter."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return soft if 0 <= soft < ROOMY_BYTES else None


def _passes(work: Callable[[], None], limit: int) -> bool:
    """Whether `work` ends in a child of so many bytes; True too where it fails otherwise."""
    child = os.fork()
    if child == 0:
        _be_the_child(work, limit)
    try:
        until = time.monotonic() + TRIAL_SECONDS
        while time.monotonic() < until:
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


def _be_the_child(work: Callable[[], None], limit: int) -> None:
    """Do `work` and exit; what it says of itself is for nobody."""
    code = NO_MEMORY
    try:
        import resource

        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
        work()
        code = PASSED
    except NexusError as error:
        code = NO_MEMORY if out_of_memory(error) else ANOTHER_REASON
    except KeyboardInterrupt:
        code = ANOTHER_REASON
    except BaseException:
        # An import that stopped half-way fails in any words, later and elsewhere. The same work
        # without a limit shows whether something else is wrong.
        code = NO_MEMORY
    finally:
        os._exit(code)


def _ask_model() -> None:
    """The base model on some pairs: every library that the questions need, and its threads."""
    import numpy as np

    from nexus_engine.data import load_split
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.similarity import score_pairs

    score_pairs(load_model("base"), load_split("demo", "test").take(np.arange(64)))


def _train() -> None:
    import nexus_engine.session  # noqa: F401

    _ask_model()


def _report() -> None:
    import nexus_engine.reports.writing  # noqa: F401


def _read_log() -> None:
    import nexus_engine.runs.event_reading  # noqa: F401 - numpy comes with it


TRIALS: dict[str, Callable[[], None]] = {
    **dict.fromkeys(("eval", "similarity", "search", "compare", "doctor"), _ask_model),
    **dict.fromkeys(("train", "sweep"), _train),
    "report": _report,
    "attach": _read_log,
}
