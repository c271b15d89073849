"""Verdicts and counts of labels as text for people. Pure functions."""

from __future__ import annotations

from nexus_engine.labels.agreement import Agreement
from nexus_engine.labels.counting import Counts
from nexus_engine.labels.verdicts import PairVerdict, Verdict
from nexus_tui.words.formats import count, shown

__all__ = [
    "COUNTS_HEADER",
    "KIND_WORDS",
    "PARTS",
    "agreement_row",
    "answer_words",
    "counts_lines",
    "counts_row",
    "text_lines",
]

PARTS = ("train", "dev", "test", "unused")
KIND_WORDS = {"grades": "grades", "same": "same or not", "answers": "answer or not"}
COUNTS_HEADER = ("pairs", "passages", "unsure", "skipped", *PARTS[:3], "raters")


def answer_words(verdict: Verdict) -> str:
    """What the verdict says, in one or two words."""
    if verdict.answer in ("unsure", "skip"):
        return "unsure" if verdict.answer == "unsure" else "skipped"
    if not isinstance(verdict, PairVerdict):
        return "answer" if verdict.relevant else "no answer"
    if verdict.grade is not None:
        return str(verdict.grade)
    return "same" if verdict.same else "not the same"


def text_lines(verdict: Verdict, width: int) -> list[str]:
    """The two texts of a verdict, a line each of at most `width` columns."""
    if isinstance(verdict, PairVerdict):
        named = (("a", verdict.a), ("b", verdict.b))
    else:
        named = (("question", verdict.question), ("passage", verdict.passage))
    longest = max(len(name) for name, _ in named)
    return [f"{name:<{longest}}  {shown(text, width - longest - 2)}" for name, text in named]


def counts_row(counts: Counts) -> tuple[str, ...]:
    """The counts of a label file under `COUNTS_HEADER`."""
    parts = [count(counts.parts.get(part, 0)) for part in PARTS[:3]]
    numbers = (counts.pairs, counts.passages, counts.unsure, counts.skipped)
    return (*map(count, numbers), *parts, shown(", ".join(counts.raters), 40))


def counts_lines(counts: Counts) -> list[str]:
    """The counts of a label file in words, a line for each kind that occurs."""
    lines = []
    if counts.pairs:
        grades = ", ".join(
            f"{number} of grade {grade}" for grade, number in enumerate(counts.grades) if number
        )
        said = [grades] if grades else []
        said += [f"{counts.same:,} same"] if counts.same else []
        said += [f"{counts.different:,} not the same"] if counts.different else []
        lines.append(f"{_counted(counts.pairs, 'pair')}: {', '.join(said)}")
    if counts.passages:
        questions = _counted(counts.questions, "question")
        said = [f"{counts.relevant:,} answer", f"{counts.not_relevant:,} do not"]
        lines.append(f"{_counted(counts.passages, 'passage')} for {questions}: {', '.join(said)}")
    if counts.unsure or counts.skipped:
        lines.append(f"{counts.unsure:,} unsure, {counts.skipped:,} skipped")
    if counts.answered:
        parts = [f"{counts.parts[part]:,} {part}" for part in PARTS if counts.parts.get(part)]
        lines.append(f"part: {', '.join(parts)}")
    return lines


def agreement_row(agreement: Agreement) -> tuple[str, ...]:
    """Raters, kind, items, share of equal answers and kappa."""
    kappa = "-" if agreement.kappa is None else f"{agreement.kappa:.3f}"
    return (
        " and ".join(shown(rater, 30) for rater in agreement.raters),
        KIND_WORDS[agreement.kind],
        count(agreement.items),
        f"{agreement.share:.0%}",
        kappa,
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
