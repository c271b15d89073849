"""Known questions of an index, in its `texts.db`: their texts, and which passages answer them.

An answer is known by the key of its text. The passages with that text are looked up when an
addition ends, among new passages for known questions, and among all for new ones. As for documents,
the latest set of a name counts, and one of a later generation is not yet part of the index.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from nexus_engine.data.questions.answers import Answers
from nexus_engine.data.questions.gathering import text_key
from nexus_engine.indexing.judged_questions import SourceQuestions
from nexus_engine.indexing.tables import (
    BYTES,
    NUMBER,
    QUESTION_TABLES,
    REAL,
    TEXT,
    checked,
    has_question_tables,
)
from nexus_engine.indexing.text_store import GONE, TextStore, stored
from nexus_engine.scoring.search_texts import KnownQuestions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["QuestionStore"]

LATEST = "SELECT max(id) FROM question_sets WHERE generation <= ? GROUP BY folder, name"
SCANNED_PASSAGES = 4096


class QuestionStore:
    """The questions in the database of `store`. Writing is done inside its transactions."""

    def __init__(self, store: TextStore) -> None:
        self._store = store
        self._database = store.database

    def create(self) -> None:
        """Make the tables; an index of an earlier version lacks them."""
        for statement in QUESTION_TABLES:
            self._database.execute(statement)

    @property
    def has_tables(self) -> bool:
        """Whether the index has the tables."""
        with self._store.errors():
            return has_question_tables(self._database)

    def put(self, folder: str, found: SourceQuestions, generation: int) -> bool:
        """Store the questions of a corpus in `folder`; False if they are there as they are now.

        Raises:
            DataError: they cannot be read; nothing is stored then.
        """
        latest = self._database.execute(
            "SELECT digest FROM question_sets WHERE folder = ? AND name = ?"
            " ORDER BY id DESC LIMIT 1",
            (stored(folder), found.name),
        ).fetchone()
        if latest is not None and latest[0] == found.digest:
            return False
        judged = found.read()
        set_id = self._add_set(folder, found.name, found.digest, generation)
        for question in judged:
            row = self._database.execute(
                "INSERT INTO questions (question_set, split, text) VALUES (?, ?, ?)",
                (set_id, question.split, stored(question.text)),
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                ((row.lastrowid, key, gain) for key, gain in question.answers),
            )
        return True

    def drop_missing(self, folder: str, present: Container[str], generation: int) -> None:
        """Note that the sets of `folder` are gone from `generation` on but for `present`."""
        rows = self._database.execute(
            "SELECT name, digest FROM question_sets WHERE id IN"
            " (SELECT max(id) FROM question_sets WHERE folder = ? GROUP BY name)",
            (stored(folder),),
        )
        for name, digest in checked(rows, TEXT, TEXT):
            if name not in present and digest != GONE:
                self._add_set(folder, name, GONE, generation)

    def _add_set(self, folder: str, name: str, digest: str, generation: int) -> int:
        row = self._database.execute(
            "INSERT INTO question_sets (folder, name, digest, generation) VALUES (?, ?, ?, ?)",
            (stored(folder), name, digest, generation),
        )
        return int(row.lastrowid or 0)

    def has_sets_after(self, generation: int) -> bool:
        """Whether an addition after `generation` changed the questions."""
        row = self._database.execute(
            "SELECT count(*) FROM question_sets WHERE generation > ?", (generation,)
        ).fetchone()
        return bool(row[0])

    def find_answers(self, generation: int, first: int, stop: int) -> None:
        """Look up the answers among the passages up to `stop` - 1.

        Those from `first` on, and the questions of generations after `generation`, are new.
        """
        self._database.execute("DELETE FROM answering WHERE passage >= ?", (first,))
        known: dict[bytes, list[tuple[int, float]]] = {}
        new: dict[bytes, list[tuple[int, float]]] = {}
        rows = self._database.execute(
            "SELECT answers.text_key, answers.question, answers.gain, question_sets.generation"
            " FROM question_sets JOIN questions ON question_sets.id = questions.question_set"
            " JOIN answers ON questions.id = answers.question"
            f" WHERE question_sets.id IN ({LATEST})",
            (1 << 62,),
        )
        for key, question, gain, since in checked(rows, BYTES, NUMBER, REAL, NUMBER):
            (known if since <= generation else new).setdefault(key, []).append((question, gain))
        for start in range(0 if new else first, stop, SCANNED_PASSAGES):
            end = min(stop, start + SCANNED_PASSAGES)
            found = []
            for id_, text in enumerate(self._store.texts(start, end), start=start):
                key = text_key(text)
                asked = new.get(key, []) + (known.get(key, []) if id_ >= first else [])
                found += [(question, id_, gain) for question, gain in asked]
            self._database.executemany("INSERT OR REPLACE INTO answering VALUES (?, ?, ?)", found)

    def undo_after(self, generation: int, passages: int) -> None:
        """Remove the sets that came after `generation`, and answers from `passages` on."""
        if not self.has_tables:
            return
        later = "SELECT id FROM question_sets WHERE generation > ?"
        questions = f"SELECT id FROM questions WHERE question_set IN ({later})"
        for statement in (
            f"DELETE FROM answers WHERE question IN ({questions})",
            f"DELETE FROM answering WHERE question IN ({questions})",
            f"DELETE FROM questions WHERE question_set IN ({later})",
            "DELETE FROM question_sets WHERE generation > ?",
        ):
            self._database.execute(statement, (generation,))
        self._database.execute("DELETE FROM answering WHERE passage >= ?", (passages,))

    def count(self, generation: int) -> int:
        """The number of questions as of `generation`."""
        if not self.has_tables:
            return 0
        with self._store.errors():
            row = self._database.execute(
                f"SELECT count(*) FROM questions WHERE question_set IN ({LATEST})", (generation,)
            ).fetchone()
        return int(row[0])

    def known(
        self, generation: int, passages: int, live: npt.NDArray[np.bool_] | None
    ) -> KnownQuestions | None:
        """The questions with an answer among the first `passages`, of which `live` (n,) count.

        Answers are ids of passages. None without a question.
        """
        if not self.has_tables:
            return None
        with self._store.errors():
            found = self._database.execute(
                "SELECT questions.id, questions.text, questions.split, answering.passage,"
                " answering.gain FROM questions JOIN answering"
                " ON questions.id = answering.question"
                f" WHERE questions.question_set IN ({LATEST}) AND answering.passage < ?"
                " ORDER BY questions.id, answering.passage",
                (generation, passages),
            )
            rows = checked(found, NUMBER, TEXT, TEXT, NUMBER, REAL)
        texts: list[str] = []
        splits: list[str] = []
        ids: list[list[int]] = []
        gains: list[list[float]] = []
        last = None
        for question, text, split, passage, gain in rows:
            if live is not None and not live[passage]:
                continue
            if question != last:
                last = question
                texts.append(text)
                splits.append(split)
                ids.append([])
                gains.append([])
            ids[-1].append(passage)
            gains[-1].append(gain)
        return KnownQuestions(texts, splits, Answers.of(ids, gains)) if texts else None
