"""Scores that are written with a decimal comma (3,5), as spreadsheets of many countries do."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_engine.data.messages import row_error
from nexus_engine.data.reading.numbers import is_comma_number, is_number

__all__ = ["DecimalCommas", "with_point"]


def with_point(cell: str) -> str:
    """`cell` with a decimal point, if it is a number with a decimal comma; else as it is."""
    return cell.replace(",", ".") if "," in cell and is_comma_number(cell) else cell


class DecimalCommas:
    """Turns decimal commas of one score column into points, and counts them.

    A file that begins with points is left as it is: a comma in it is a mistake, or separates
    thousands.
    """

    def __init__(self) -> None:
        self.count = 0
        self._points = False

    def with_points(self, label: str, scores: list[str], rows: Sequence[int]) -> list[str]:
        """The scores of the next rows. Raises DataError for a point after commas."""
        if not self.count and not self._points:
            self._begin(scores)
        if self._points:
            return scores
        if not self.count and not any("," in score for score in scores):
            return scores
        changed = [with_point(score) for score in scores]
        self.count += sum(new is not old for new, old in zip(changed, scores, strict=True))
        for row, score in zip(rows, scores, strict=True):
            if "." in score and is_number(score):
                reason = "the score is written with a point where others have a comma"
                raise row_error(label, row, f"{reason}; write all scores alike")
        return changed

    def _begin(self, scores: list[str]) -> None:
        """Note whether the first score that has a comma or a point has a point."""
        for score in scores:
            if "." in score and is_number(score):
                self._points = True
                return
            if "," in score and is_comma_number(score):
                return

    def notes(self) -> list[str]:
        """One line on the commas; none if there are none."""
        if not self.count:
            return []
        scores = "1 score is" if self.count == 1 else f"{self.count:,} scores are"
        return [f"{scores} written with a comma and read with a point (3,5 as 3.5)"]
