"""How far the judging is: counts by answer, pace, what is held out, and when a retrain pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import count

__all__ = ["Progress", "progress_line"]


class Progress(NamedTuple):
    """Standing verdicts. `grades` has those of grade 0 to 5; `per_minute` is None at the start.

    `held_out` counts the verdicts that are never trained on. `advice` says when to stop or retrain.
    """

    grades: tuple[int, ...] = (0,) * 6
    same: int = 0
    different: int = 0
    answers: int = 0
    others: int = 0
    unsure: int = 0
    skipped: int = 0
    held_out: int = 0
    per_minute: float | None = None
    advice: str = ""

    @property
    def judged(self) -> int:
        """Verdicts that teach something."""
        return sum(self.grades) + self.same + self.different + self.answers + self.others


def progress_line(progress: Progress, width: int, chart_style: ChartStyle) -> Text:
    """One line of at most `width` cells; what matters least is left out first."""
    palette = chart_style.palette
    total = f"{count(progress.judged)} judged"
    pace = "" if progress.per_minute is None else f"{progress.per_minute:.0f} a minute"
    held = f"{count(progress.held_out)} held out" if progress.judged else ""
    grades = (
        " ".join(f"{grade}:{number}" for grade, number in enumerate(progress.grades))
        if any(progress.grades)
        else ""
    )
    yes_no = _named(
        {
            "same": progress.same,
            "not": progress.different,
            "yes": progress.answers,
            "no": progress.others,
        }
    )
    rest = _named({"unsure": progress.unsure, "skipped": progress.skipped})
    by_rank = (total, progress.advice, held, grades, yes_no, pace, rest)
    order = (total, grades, yes_no, rest, pace, held, progress.advice)
    kept: set[str] = set()
    used = 0
    for part in by_rank:
        if part and used + len(part) + (2 if used else 0) <= width:
            kept.add(part)
            used += len(part) + (2 if used else 0)
    line = Text()
    for part in order:
        if part in kept:
            line.append("  " if line else "")
            style = palette.title if part == total else palette.dim
            line.append(part, palette.good if part == progress.advice else style)
    return line


def _named(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
