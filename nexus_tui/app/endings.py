"""How the screen can come to go, and what each way means for the run and the exit code."""

from __future__ import annotations

from typing import Literal

from nexus_engine.errors import ExitCode

__all__ = ["STOP_CODES", "Ending"]

Ending = Literal["quit", "leave", "hung up", "terminated", "interrupted", "crashed"]
"""`leave`: the user wants the run to go on without the screen."""

STOP_CODES: dict[Ending, ExitCode] = {
    "terminated": ExitCode.TERMINATED,
    "interrupted": ExitCode.INTERRUPTED,
}
"""Endings that stop the run of this process, with the exit codes that they mean."""
