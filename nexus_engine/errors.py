"""The errors a user can meet, and the exit code each one ends with.

NexusError
├── ConfigError      a setting that cannot be used            exit 2
├── DataError        a file or row that cannot be used        exit 3
├── ModelError       model weights missing, damaged, foreign  exit 3
├── ResourceError    out of memory or disk                    exit 4
├── DivergedError    a loss, gradient or weight is not finite exit 5
└── RunError         a run that cannot be opened or resumed   exit 1

A message says what is wrong, where (file, row, setting) and what to do, on one line. It never
quotes a sentence of the user's data.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ConfigError",
    "DataError",
    "DivergedError",
    "ExitCode",
    "ModelError",
    "NexusError",
    "ResourceError",
    "RunError",
    "one_line",
]


class ExitCode(IntEnum):
    """The exit codes of every `nexus` command; scripts rely on them."""

    OK = 0
    """The command did what it was asked to."""
    FAILED = 1
    """The run failed."""
    USAGE = 2
    """An option, setting or argument cannot be used."""
    DATA = 3
    """A data or model file cannot be used."""
    RESOURCES = 4
    """Memory or disk ran out."""
    DIVERGED = 5
    """A number of the training stopped being finite."""
    HANGUP = 129
    """Stopped by SIGHUP, with a resumable checkpoint on disk."""
    INTERRUPTED = 130
    """Stopped by SIGINT, with a resumable checkpoint on disk."""
    TERMINATED = 143
    """Stopped by SIGTERM, with a resumable checkpoint on disk."""


class NexusError(Exception):
    """Root of the errors that are reported to the user as one line."""

    exit_code: ExitCode = ExitCode.FAILED


class ConfigError(NexusError):
    """A setting, alone or beside another, cannot be used."""

    exit_code = ExitCode.USAGE


class DataError(NexusError):
    """A data file is missing, unreadable or holds a row that cannot be used."""

    exit_code = ExitCode.DATA


class ModelError(NexusError):
    """Model weights are missing, damaged, or not of the architecture that NEXUS runs."""

    exit_code = ExitCode.DATA


class ResourceError(NexusError):
    """Memory or disk space ran out."""

    exit_code = ExitCode.RESOURCES


class DivergedError(NexusError):
    """A loss, gradient, weight or metric stopped being a finite number."""

    exit_code = ExitCode.DIVERGED


class RunError(NexusError):
    """A run folder cannot be found, opened, locked or resumed."""

    exit_code = ExitCode.FAILED


def one_line(text: object, limit: int = 400) -> str:
    """`text` on one line, without control characters, cut to `limit` characters."""
    flat = " ".join(str(text).split())
    clean = "".join(c for c in flat if c.isprintable())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
