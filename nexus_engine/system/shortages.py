"""Whether an error means that memory or disk ran out, for the engine and the commands.

This module imports nothing heavy, because it is also used after an import has failed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from nexus_engine.errors import ExitCode, NexusError

__all__ = ["OUT_OF_ROOM", "out_of_memory", "out_of_room"]

OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Error numbers of a disk that accepts no more data."""

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
    "can't start new thread",  # Python, without room for a stack
    "could not create a primitive",  # oneDNN, without room for a kernel's code
)
"""Phrases of libraries, in lower case, in errors of many types."""
NOT_MEMORY = "static tls block"
"""The loader's reserve of a few kilobytes, which can be full however much memory is free."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` or an error that led to it means that memory ran out.

    The memory may be the machine's, a GPU's, or that allowed by a limit. An error raised while
    another was handled counts as a consequence of that one.
    """
    return any(_is_memory_error(link) for link in _chain(error))


def out_of_room(error: BaseException) -> bool:
    """Whether `error` or an error that led to it comes from a disk that accepts no more data."""
    return any(isinstance(link, OSError) and link.errno in OUT_OF_ROOM for link in _chain(error))


def _is_memory_error(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, NexusError):  # its message may quote the name of a file
        return error.exit_code == ExitCode.RESOURCES and str(error).startswith("out of memory")
    message = str(error).lower()
    return NOT_MEMORY not in message and any(phrase in message for phrase in NO_MEMORY)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and the errors that led to it, newest first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
