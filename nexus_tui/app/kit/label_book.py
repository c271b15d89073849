"""The label file that the app writes verdicts to: opened at the first need, one for all screens.

`write` and `take_back` run in the UI thread and wait for the disk in another one; the other methods
block on the disk. A verdict is durable when its method returns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from nexus_engine.labels.label_file import LabelFile
    from nexus_engine.labels.verdicts import PairVerdict, SearchVerdict, Verdict

__all__ = ["LabelBook", "PairAnswer", "PassageAnswer"]

DEMO_LABELS = "demo-labels.jsonl"
Aside = Literal["unsure", "skip"]


class PairAnswer(NamedTuple):
    """A pair and one of: a grade 0..5, whether the texts are the same, or an answer aside.

    `asked` is the key of the texts as they were asked, where the user has edited them.
    """

    first: str
    second: str
    grade: int | None = None
    same: bool | None = None
    aside: Aside | None = None
    asked: str | None = None

    def __repr__(self) -> str:
        return f"PairAnswer({self.words})"

    @property
    def words(self) -> str:
        """The answer in a word: 4, same, not the same, unsure or skipped."""
        if self.aside is not None:
            return "skipped" if self.aside == "skip" else self.aside
        if self.grade is not None:
            return str(self.grade)
        return "same" if self.same else "not the same"


class PassageAnswer(NamedTuple):
    """A question, a passage, and whether it answers, or an answer aside."""

    question: str
    passage: str
    document: str | None = None
    relevant: bool | None = None
    aside: Aside | None = None
    asked: str | None = None

    def __repr__(self) -> str:
        return f"PassageAnswer({self.words})"

    @property
    def words(self) -> str:
        """The answer in words."""
        if self.aside is not None:
            return "skipped" if self.aside == "skip" else self.aside
        return "an answer" if self.relevant else "no answer"


class LabelBook:
    """The label file at `path`, written as `rater`; None is the user's own file or name."""

    def __init__(self, path: Path | None = None, rater: str | None = None) -> None:
        self._path = path
        self._rater = rater
        self._is_demo = False
        self._file: LabelFile | None = None
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Verdict], None]] = []

    @property
    def path(self) -> Path:
        """The label file, which need not exist yet.

        Raises:
            ConfigError: there is no home folder for the user's own file.
        """
        if self._path is not None:
            return self._path
        from nexus_engine.labels.places import default_labels

        own = default_labels()
        return own.with_name(DEMO_LABELS) if self._is_demo else own

    def use_demo(self, is_demo: bool) -> None:
        """Take the label file of the demo, or the user's own one; no matter where one was named.

        Verdicts on the demo would otherwise be trained on with those on the user's own texts.
        """
        with self._lock:
            if self._path is None and is_demo != self._is_demo:
                self._close()
            self._is_demo = is_demo

    @property
    def rater(self) -> str:
        """The name in each verdict."""
        if self._rater is None:
            from nexus_engine.labels.places import default_rater

            self._rater = default_rater()
        return self._rater

    def open(self) -> tuple[Verdict, ...]:
        """Open the file if it is not, and return its standing verdicts, oldest first.

        Raises:
            NexusError: it is no label file, or another process writes to it.
        """
        with self._lock:
            return self._opened().verdicts

    def _opened(self) -> LabelFile:
        if self._file is None:
            from nexus_engine.labels.label_file import LabelFile

            self._file = LabelFile.open(self.path, self.rater)
        return self._file

    def listen(self, written: Callable[[Verdict], None]) -> None:
        """Call `written` with each verdict that `write` has written."""
        self._listeners.append(written)

    async def write(self, answer: PairAnswer | PassageAnswer) -> Verdict:
        """`judge` in a thread, then tell the listeners."""
        verdict = await asyncio.to_thread(self.judge, answer)
        for written in self._listeners:
            written(verdict)
        return verdict

    async def take_back(self) -> Verdict | None:
        """`undo` in a thread."""
        return await asyncio.to_thread(self.undo)

    def judge(self, answer: PairAnswer | PassageAnswer) -> Verdict:
        """Write a verdict; it is on the disk when this returns.

        Raises:
            NexusError: the file cannot be opened or written, or a text cannot be kept. The verdict
                does not count.
        """
        with self._lock:
            file = self._opened()
            if isinstance(answer, PairAnswer):
                return self._judge_pair(file, answer)
            return self._judge_passage(file, answer)

    def _judge_pair(self, file: LabelFile, answer: PairAnswer) -> PairVerdict:
        if answer.aside is not None:
            return file.judge_pair(answer.first, answer.second, answer.aside, asked=answer.asked)
        return file.judge_pair(
            answer.first,
            answer.second,
            "grade" if answer.grade is not None else "same",
            grade=answer.grade,
            same=answer.same if answer.grade is None else None,
            asked=answer.asked,
        )

    def _judge_passage(self, file: LabelFile, answer: PassageAnswer) -> SearchVerdict:
        return file.judge_passage(
            answer.question,
            answer.passage,
            "mark" if answer.aside is None else answer.aside,
            relevant=answer.relevant if answer.aside is None else None,
            document=answer.document,
            asked=answer.asked,
        )

    def undo(self) -> Verdict | None:
        """Take back the latest verdict since the file was opened; None if there is none left.

        Raises:
            NexusError: the file cannot be written; the verdict still counts.
        """
        with self._lock:
            return self._opened().undo()

    def judged_keys(self) -> set[str]:
        """The keys of what this rater has judged or skipped; none while the file is closed."""
        with self._lock:
            return set() if self._file is None else self._file.judged_keys()

    def close(self) -> None:
        """Close the file, so that other processes may write to it."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
