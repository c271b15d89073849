"""A warning before a command that will hardly fit into the memory that is free."""

from __future__ import annotations

from nexus_tui.terminal.failures import warning_line

__all__ = ["warn_of_memory"]

QUERY_MB, EXPORT_MB = 330.0, 1000.0
"""What the smallest control group held in which they ran: a query in 325 MiB and not in 300; an
export with its check in 1 GiB and not in 830 MiB (tests/benchmarks/box_limits.py)."""
NEEDED_MB = {
    **dict.fromkeys(("similarity", "search", "eval", "compare", "embed", "index"), QUERY_MB),
    "export": EXPORT_MB,
}
"""By command. `nexus train` estimates what its data needs, and warns itself."""
ADVICE = {"export": "export on a larger box and copy the folder"}
QUERY_ADVICE = "the int8 export answers in a third of it, see docs/deploy.md"


def warn_of_memory(command: str) -> None:
    """Say on standard error that `command` needs more memory than is free."""
    needed = NEEDED_MB.get(command)
    if needed is None:
        return
    from nexus_engine.system.memory_room import memory_room

    room = memory_room()
    if room.mb < needed:
        advice = ADVICE.get(command, QUERY_ADVICE)
        warning_line(
            f"nexus {command} needs about {needed:,.0f} MB of memory, and {room.mb:,.0f} MB are "
            f"{room.limit}; {advice}"
        )
