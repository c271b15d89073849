"""Writing a label file: each verdict is on the disk before it counts.

The file only grows. An act is one line, appended and synced in one call; a line that a crash or a
full disk tore does not count, and the next line starts on its own. One process writes at a time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Self, TypedDict

from nexus_engine.disk.files import make_folder, replace_file, write_new
from nexus_engine.disk.growing_lines import append_to
from nexus_engine.disk.lock import FileLock
from nexus_engine.disk.regular_files import open_regular
from nexus_engine.errors import DataError
from nexus_engine.labels.counting import Counts, counts_of
from nexus_engine.labels.lines import checked, encode_act, header_line, now
from nexus_engine.labels.parts import Parts
from nexus_engine.labels.places import rater_name
from nexus_engine.labels.reading import read_acts, shown
from nexus_engine.labels.standing import Standing
from nexus_engine.labels.verdicts import (
    Act,
    PairAnswer,
    PairVerdict,
    SearchAnswer,
    SearchVerdict,
    Undo,
    Verdict,
    key_of,
)
from nexus_engine.labels.writing import not_written
from nexus_engine.system.user_paths import user_path

__all__ = ["LabelFile"]

IS_HELD = "is being written to by {holder}; close it there, or name another file with --labels"
ID_BYTES = 8


class _Signature(TypedDict):
    id: str
    time: str
    rater: str


class LabelFile:
    """A label file that is open for the verdicts of one rater; a context manager.

    Not for use by two threads at once.
    """

    def __init__(self, path: Path, rater: str, lock: FileLock, handle: int) -> None:
        """Use `open`, which makes one."""
        self.path = path
        self.rater = rater
        self._lock = lock
        self._handle: int | None = handle
        self._standing = Standing()
        self._parts = Parts()
        self._given: list[Verdict] = []
        """The verdicts of this opening that were not undone, oldest first."""
        self._failed_at: int | None = None
        """The size before an act that failed and could not be taken off the file."""

    @classmethod
    def open(cls, path: Path | str, rater: str) -> LabelFile:
        """Open the label file `path` for `rater`; a missing or empty one is begun.

        Raises:
            DataError: it is no label file, or this user may not write it. It is left as it is.
            RunError: another process, or another part of this one, has it open.
            ConfigError: the rater has no name that can be shown.
            ResourceError: the disk is full.
        """
        rater = rater_name(rater)
        path = user_path(path, DataError).absolute()
        try:
            lock = FileLock(
                path.with_name(f"{path.name}.lock"), path.name, IS_HELD, is_removed=True
            )
            if not path.parent.exists():
                make_folder(path.parent)
            lock.__enter__()
        except (OSError, ValueError) as error:
            raise not_written(path, error, "cannot be opened") from None
        handle: int | None = None
        try:
            if _is_missing_or_empty(path):
                replace_file(path, lambda new: write_new(new, header_line()))
            handle = open_regular(path, os.O_RDWR | os.O_APPEND)
            labels = cls(path, rater, lock, handle)
            for act in read_acts(path, follow=False).acts:
                labels._take_in(act)
        except BaseException as error:
            if handle is not None:
                os.close(handle)
            lock.__exit__()
            if isinstance(error, OSError | ValueError):
                raise not_written(path, error, "cannot be opened") from None
            raise
        return labels

    def close(self) -> None:
        """Close the file and release its lock; nothing is lost, however the process ends."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with contextlib.suppress(OSError):
                self._take_off(handle)
            os.close(handle)
            self._lock.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def judge_pair(
        self,
        a: str,
        b: str,
        answer: PairAnswer,
        *,
        grade: int | None = None,
        same: bool | None = None,
        asked: str | None = None,
        settled: bool = False,
    ) -> PairVerdict:
        """Keep a verdict on the sentences `a` and `b`; it is on the disk when this returns.

        Args:
            a: A sentence.
            b: A sentence.
            answer: "grade" with `grade`, "same" with `same`, "unsure" or "skip".
            grade: 0 to 5.
            same: Whether the sentences mean the same.
            asked: `pair_key` of the pair as it was shown, if the rater edited it.
            settled: Whether this ends a disagreement of raters, and counts alone.

        Raises:
            DataError: a text is empty or too long, or the answer does not fit; or the file was
                moved, or may not be written.
            ResourceError: the disk is full. The verdict does not count.
        """
        a, b = _storable(a), _storable(b)
        verdict = PairVerdict(
            **self._signed(),
            a=a,
            b=b,
            answer=answer,
            grade=grade,
            same=same,
            part=self._parts.of_pair(a, b),
            asked=asked,
            settled=settled,
        )
        self._keep(verdict)
        return verdict

    def judge_passage(
        self,
        question: str,
        passage: str,
        answer: SearchAnswer,
        *,
        relevant: bool | None = None,
        document: str | None = None,
        asked: str | None = None,
        settled: bool = False,
    ) -> SearchVerdict:
        """Keep a verdict on a passage for a question; it is on the disk when this returns.

        Args:
            question: A question.
            passage: A passage that may answer it.
            answer: "mark" with `relevant`, "unsure" or "skip".
            relevant: Whether the passage answers the question.
            document: Where the passage stands.
            asked: `search_key` of what was shown, if the rater edited it.
            settled: As in `judge_pair`.

        Raises:
            DataError, ResourceError: as `judge_pair`.
        """
        question = _storable(question)
        verdict = SearchVerdict(
            **self._signed(),
            question=question,
            passage=_storable(passage),
            document=None if document is None else _storable(document),
            answer=answer,
            relevant=relevant,
            part=self._parts.of_question(question),
            asked=asked,
            settled=settled,
        )
        self._keep(verdict)
        return verdict

    def undo(self) -> Verdict | None:
        """Take back the latest verdict of this opening that was not undone; None without one.

        The verdict that it had replaced, if any, stands again.

        Raises:
            DataError, ResourceError: as `judge_pair`; the verdict still counts.
        """
        if not self._given:
            return None
        self._append(Undo(**self._signed(), undoes=self._given[-1].id))
        return self._given.pop()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts of all raters that stand, in the order in which they were given."""
        return self._standing.verdicts()

    def judged_keys(self) -> set[str]:
        """The keys of what this rater has judged or skipped, here or in an earlier opening.

        The key of an edited pair is there as it was shown and as it was judged.
        """
        return self._standing.keys_of(self.rater)

    def settled_keys(self) -> set[str]:
        """The keys of items on which a settling verdict stands."""
        return {key_of(verdict) for verdict in self.verdicts if verdict.settled}

    def counts(self) -> Counts:
        """How many verdicts stand, of all raters."""
        return counts_of(self.verdicts)

    def _signed(self) -> _Signature:
        return {"id": secrets.token_hex(ID_BYTES), "time": now(), "rater": self.rater}

    def _keep(self, verdict: Verdict) -> None:
        self._append(checked(verdict))
        self._given.append(verdict)

    def _append(self, act: Act) -> None:
        handle = self._handle
        if handle is None:
            raise ValueError("the label file is closed")
        try:
            if not os.path.samestat(os.fstat(handle), os.stat(self.path)):
                raise FileNotFoundError
            self._take_off(handle)
            size = os.fstat(handle).st_size
            try:
                append_to(handle, encode_act(act), sync=True)
            except BaseException:
                if os.fstat(handle).st_size > size:
                    self._failed_at = size
                raise
        except FileNotFoundError:
            reason = "was moved, removed or replaced while it was open"
            raise DataError(f"{shown(self.path)}: {reason}; open it again") from None
        except OSError as error:
            raise not_written(self.path, error, "the verdict was not saved") from None
        self._take_in(act)

    def _take_off(self, handle: int) -> None:
        """Cut off what is left of an act that failed: it did not count then, so it must not now."""
        if self._failed_at is not None:
            os.ftruncate(handle, self._failed_at)
            os.fsync(handle)
            self._failed_at = None

    def _take_in(self, act: Act) -> None:
        self._standing.add(act)
        if not isinstance(act, Undo):
            self._parts.note(act)


def _is_missing_or_empty(path: Path) -> bool:
    """Whether nothing is at `path`, or a regular file without a byte."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _storable(text: str) -> str:
    """`text` as it can be written: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
