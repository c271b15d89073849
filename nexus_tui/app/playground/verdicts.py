"""Verdicts in the playground: what a score should be, and whether a passage answers the query."""

from __future__ import annotations

from textual.screen import Screen

from nexus_engine.errors import NexusError, one_line
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.host import host_of
from nexus_tui.app.kit.label_book import PairAnswer, PassageAnswer
from nexus_tui.charts.teach.pair_card import GRADES

__all__ = ["ask_grade", "write_verdict"]


MAX_SHOWN = 200
"""Characters of a sentence in the question."""


def ask_grade(screen: Screen[None], pair: tuple[str, str]) -> None:
    """Ask what the score of `pair` should be, and write the answer."""
    choices = [
        Choice(str(grade), f"{name}: {meaning}", str(grade))
        for grade, (name, meaning) in reversed(list(enumerate(GRADES)))
    ]
    choices += [Choice("y", "the same", "y"), Choice("n", "not the same", "n")]

    def answered(answer: str | None) -> None:
        if answer is None:
            return
        if answer.isdigit():
            verdict = PairAnswer(*pair, grade=int(answer))
        else:
            verdict = PairAnswer(*pair, same=answer == "y")
        screen.run_worker(write_verdict(screen, verdict))

    first, second = (one_line(text, MAX_SHOWN) for text in pair)
    question = Question(f"{first} | {second}: this score is wrong. It should be:", choices)
    screen.app.push_screen(question, answered)


async def write_verdict(screen: Screen[None], answer: PairAnswer | PassageAnswer) -> None:
    """Write a verdict into the app's label file, and say so."""
    host = host_of(screen)
    try:
        await host.labels.write(answer)
    except (NexusError, OSError) as error:
        host.tell(one_line(error, 300), "error")
        return
    name = one_line(host.labels.path.name, 60)
    host.tell(f"kept in {name}: {answer.words}. Screen 6 takes it back and retrains.")
