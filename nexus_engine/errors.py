"""The errors that a user can meet, and the exit code of each.

NexusError
├── ConfigError      a setting that cannot be used            exit 2
├── DataError        a file or row that cannot be used        exit 3
├── ModelError       a model folder that cannot be used       exit 3
├── ResourceError    out of memory or disk                    exit 4
├── DivergedError    a loss, weight or metric is not finite   exit 5
├── ExportError      an export that fails its check           exit 1
└── RunError         a run that cannot be opened or resumed   exit 1

A message is one line: what is wrong, where (file, row, setting) and what to do. It never quotes a
sentence of the user's data.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ConfigError",
    "DataError",
    "DivergedError",
    "ExitCode",
    "ExportError",
    "ModelError",
    "NexusError",
    "ResourceError",
    "RunError",
    "one_line",
]


class ExitCode(IntEnum):
    """The exit codes of every `nexus` command; scripts rely on them."""

    OK = 0
    """The command succeeded."""
    FAILED = 1
    """The run failed."""
    USAGE = 2
    """An option, setting or argument cannot be used."""
    DATA = 3
    """A data or model file cannot be used."""
    RESOURCES = 4
    """Memory or disk ran out."""
    DIVERGED = 5
    """Training diverged: a loss, weight or metric is no longer finite."""
    HANGUP = 129
    """Stopped by SIGHUP, with a resumable checkpoint on disk."""
    INTERRUPTED = 130
    """Stopped by SIGINT, with a resumable checkpoint on disk."""
    TERMINATED = 143
    """Stopped by SIGTERM, with a resumable checkpoint on disk."""


class NexusError(Exception):
    """Base class of the errors that the user sees as one line."""

    exit_code: ExitCode = ExitCode.FAILED


class ConfigError(NexusError):
    """A setting cannot be used, alone or in combination with another."""

    exit_code = ExitCode.USAGE


class DataError(NexusError):
    """A data file is missing or unreadable, or has a row that cannot be used."""

    exit_code = ExitCode.DATA


class ModelError(NexusError):
    """Model files are missing, damaged, or of an architecture that NEXUS does not run."""

    exit_code = ExitCode.DATA


class ResourceError(NexusError):
    """Memory or disk space ran out."""

    exit_code = ExitCode.RESOURCES


class DivergedError(NexusError):
    """A loss, gradient, weight or metric is no longer finite."""

    exit_code = ExitCode.DIVERGED


class ExportError(NexusError):
    """An exported model differs from the run by more than is allowed, or cannot be read."""

    exit_code = ExitCode.FAILED


class RunError(NexusError):
    """A run folder cannot be found, opened, locked or resumed."""

    exit_code = ExitCode.FAILED


def one_line(text: object, limit: int = 400) -> str:
    """`text` on one line, without control characters, cut to `limit` characters."""
    flat = " ".join(str(text).split())
    clean = "".join(c for c in flat if c.isprintable())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
