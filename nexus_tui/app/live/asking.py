"""What a run is asked for from the screen: the question before, and the events that answer."""

from __future__ import annotations

from collections.abc import Iterable

from nexus_engine.events import (
    TERMINAL_EVENTS,
    DendritesAdded,
    EpochStarted,
    Event,
    PauseChanged,
    Step,
    SwitchSettled,
)
from nexus_engine.runs.requests import Ask

__all__ = ["QUESTIONS", "answered_by"]

ANSWERED: dict[Ask, tuple[type[Event], ...]] = {
    "pause": (PauseChanged,),
    "resume": (PauseChanged, Step),
    "stop": (),
    "grow": (DendritesAdded, SwitchSettled, EpochStarted),
    "roll_back": (SwitchSettled, EpochStarted),
}
"""Events that show that what was asked is done; a terminal event always does."""

QUESTIONS: dict[Ask, tuple[str, str, str]] = {
    "stop": (
        "Stop the run? It ends within a step, with a checkpoint, and can be resumed from there.",
        "stop it",
        "let it run",
    ),
    "grow": (
        "Grow a set of dendrites now? The epoch is cut short and measured; a set on trial is "
        "settled first. This cannot be undone while the run goes on, except by rolling back.",
        "grow now",
        "leave it to the plan",
    ),
    "roll_back": (
        "Roll back the set on trial? The epoch is cut short and measured, then the set goes and "
        "the weights from before it come back. This cannot be undone.",
        "roll it back",
        "keep it on trial",
    ),
}
"""For what cannot be undone: the question, and the words for yes and no."""


def answered_by(ask: Ask, events: Iterable[Event]) -> bool:
    """Whether one of `events` shows that what was asked is done, or that the run has ended."""
    done = (*ANSWERED[ask], *TERMINAL_EVENTS)
    return any(isinstance(event, done) for event in events)
