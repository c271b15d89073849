"""The ways in which the app ends, and what each means for the run and the exit code."""

from __future__ import annotations

from typing import Literal

from nexus_engine.errors import ExitCode

__all__ = ["STOP_CODES", "Ending"]

Ending = Literal["quit", "leave", "hung up", "terminated", "interrupted", "crashed"]
"""`leave`: the user closes the screen and lets the run continue without it."""

STOP_CODES: dict[Ending, ExitCode] = {
    "terminated": ExitCode.TERMINATED,
    "interrupted": ExitCode.INTERRUPTED,
}
"""Endings by signal that stop the run of this process, with their exit codes."""
