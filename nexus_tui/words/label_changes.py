"""What a retrain changed as text for people. Pure functions."""

from __future__ import annotations

from nexus_engine.labels.combining import JudgedPair
from nexus_engine.teaching.changes import Change, Turned
from nexus_engine.teaching.retrained import Retrained, question_changes
from nexus_tui.words.formats import count, shown

__all__ = ["change_rows", "changes_lines"]

TEXT_WIDTH = 44


def changes_lines(found: Retrained) -> list[str]:
    """The changes in a few lines, without a sentence of the user."""
    turned = Turned.of(found.changes)
    right = len(turned.right) + len(turned.still_right)
    before = len(turned.wrong) + len(turned.still_right)
    total = len(found.changes)
    lines = [
        f"verdicts: {count(right)} of {count(total)} right, {count(before)} before: "
        f"{count(len(turned.right))} turned right, {count(len(turned.wrong))} turned wrong"
    ]
    held_out = [change for change in found.changes if change.is_held_out]
    if held_out:
        now = sum(change.right_after for change in held_out)
        then = sum(change.right_before for change in held_out)
        lines.append(
            f"of these {count(len(held_out))} were not trained on: {count(now)} right, "
            f"{count(then)} before"
        )
    questions = question_changes(found.changes)
    if questions:
        better = sum(each.after < each.before for each in questions)
        worse = sum(each.after > each.before for each in questions)
        first = sum(each.after == 1 for each in questions)
        lines.append(
            f"questions: the best answer rose in {count(better)} of {count(len(questions))}, fell "
            f"in {count(worse)}, and is first in {count(first)} (of {count(found.ranked)} passages)"
        )
    return lines


def change_rows(found: Retrained) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """Titles with the rows below them: verdicts that turned right, and those that turned wrong."""
    turned = Turned.of(found.changes)
    groups = (("turned right", turned.right), ("turned wrong", turned.wrong))
    return [(title, [_row(change) for change in group]) for title, group in groups if group]


def _row(change: Change) -> tuple[str, str, str, str]:
    judged = change.judged
    if isinstance(judged, JudgedPair):
        text = f"{judged.score:g}: {shown(judged.a, 20)} | {shown(judged.b, 20)}"
        values = (f"{change.before:.2f}", f"{change.after:.2f}")
    else:
        mark = "answer" if judged.relevant else "no answer"
        text = f"{mark}: {shown(judged.question, 14)} | {shown(judged.passage, 14)}"
        values = (f"rank {change.before:.0f}", f"rank {change.after:.0f}")
    return (shown(text, TEXT_WIDTH + 6), *values, judged.part)
