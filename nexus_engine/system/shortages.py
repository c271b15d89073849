"""Whether an error says that memory or disk ran out: one judge for the engine and the commands.

Nothing heavy is imported here: the question is also asked where importing has just failed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from nexus_engine.errors import ExitCode, NexusError

__all__ = ["OUT_OF_ROOM", "out_of_memory", "out_of_room"]

OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Error numbers of a disk that takes no more."""

NO_MEMORY = (
    "can't allocate memory",  # torch's allocator on the CPU
    "cannot allocate memory",  # the C library: mmap, dlopen, fork
    "not enough memory",  # torch on Windows
    "unable to allocate",  # numpy
    "unable to mmap",  # torch and safetensors
    "bad allocation",  # C++ on Windows
    "bad_alloc",  # C++
    "failed to allocate",
    "failed to map segment",  # the dynamic loader, inside an ImportError
    "memory allocation of",  # Rust
    "out of memory",  # CUDA
    "can't start new thread",  # Python, where there is no room for a stack
    "could not create a primitive",  # oneDNN, where a kernel's code finds no room
)
"""What libraries say, in lower case, in errors of many types."""
NOT_MEMORY = "static tls block"
"""The loader's own reserve of a few kilobytes, full whatever memory there is."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the machine, a GPU or under a limit, ran out in `error` or what led to it.

    An error that was raised while another was met counts as that one's consequence.
    """
    return any(_says_so(link) for link in _chain(error))


def out_of_room(error: BaseException) -> bool:
    """Whether a disk that takes no more led to `error`."""
    return any(isinstance(link, OSError) and link.errno in OUT_OF_ROOM for link in _chain(error))


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, NexusError):  # its words may quote a file's name
        return error.exit_code == ExitCode.RESOURCES and str(error).startswith("out of memory")
    said = str(error).lower()
    return NOT_MEMORY not in said and any(words in said for words in NO_MEMORY)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
