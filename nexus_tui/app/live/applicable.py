"""Which actions apply to the open run, and why the others do not."""

from __future__ import annotations

from nexus_engine.events import RunFinished
from nexus_engine.runs.run_view import RunView
from nexus_tui.charts.run.heading import Head, resumable

__all__ = ["HIDDEN_WHEN_ENDED", "why_not"]

HIDDEN_WHEN_ENDED = frozenset({"pause", "stop", "grow", "roll_back"})
"""Actions that never apply to an ended run."""


def why_not(action: str, view: RunView | None, head: Head, *, training: bool) -> str | None:
    """Why `action` does not apply, in a few words; None if it does.

    `view` is None while no run is open; `training` says that this app is training a run.
    """
    if action in ("new_run", "compare", "back"):
        return None
    if view is None:
        return "no run is open"
    if action in HIDDEN_WHEN_ENDED:
        return _why_not_steer(action, view, head)
    if action == "resume":
        if not resumable(view, head):
            live = view.ended is None and head.alive
            return "the run is live" if live else "there is nothing to resume"
        return "another run is live in this app; stop it first" if training else None
    if action in ("switch", "switch_detail"):
        return None if view.arm("main").switches else "no set of dendrites has been grown yet"
    if action == "export":
        live = view.ended is None and head.alive
        return "the run is live; export it once it has ended" if live else None
    if action == "playground":
        return None if view.started is not None else "the run has not begun yet"
    return None


def _why_not_steer(action: str, view: RunView, head: Head) -> str | None:
    if view.ended is not None:
        ending = "finished" if isinstance(view.ended, RunFinished) else "ended"
        return f"the run has {ending}"
    if not head.alive:
        return "the run's process is gone"
    if head.requested == "stop":
        return "the run is stopping"
    if action in ("pause", "stop"):
        return None
    if view.state in ("preparing", "measuring"):
        return "the run has not begun to train yet"
    if view.current != "main":
        return "a control is training: only the main arm grows"
    arm = view.arm("main")
    if action == "grow" and arm.epoch >= arm.epochs:
        return "the last epoch is training: no time is left for a new set"
    if action == "roll_back" and not any(s.state == "trial" for s in arm.switches):
        return "no set is on trial, and sets that were kept stay"
    return None
