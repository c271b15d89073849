"""Which fields of a record are a question, its answers, its negatives and its mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nexus_engine.data.messages import file_error, shown_names
from nexus_engine.data.reading.columns import SCORE_NAMES, SENTENCE_NAMES
from nexus_engine.errors import ConfigError

__all__ = [
    "MARKS",
    "ROLES",
    "Fields",
    "columns_option",
    "graded_columns",
    "recognise",
    "recognise_placed",
    "squeezed",
]

# Compared without case, spaces, hyphens and underscores; the first pair that a file has is taken.
# Where a row has both a passage and a short answer, the passage is what a search should return.
QUESTIONS = ("query", "question", "anchor", "prompt")
ANSWERS = (
    "pos", "positive", "positives", "positivepassages", "positivectxs",
    "passage", "passages", "document", "documents", "context", "contexts", "referencecontexts",
    "answer", "answers", "response", "text", "completion",
)  # fmt: skip
PAIRS = (
    *((question, answer) for question in QUESTIONS for answer in ANSWERS),
    ("instruction", "output"),
    ("instruction", "response"),
    ("input", "output"),
    ("q", "a"),
    *(
        (term, meaning)
        for term in ("term", "word", "abbreviation", "acronym", "concept")
        for meaning in ("meaning", "definition", "explanation", "expansion")
    ),
    ("name", "description"),
    ("title", "text"),
    ("title", "body"),
    ("title", "abstract"),
    ("heading", "text"),
)
NEGATIVES = (
    "neg", "negs", "negative", "negatives", "hardnegative", "hardnegatives",
    "negativepassages", "negativectxs", "hardnegativectxs",
)  # fmt: skip
MARKS = ("label", "relevance", "relevant", "isrelevant", "isanswer")
"""Columns of 1 for an answer and 0 for a negative. Columns of SCORE_NAMES may be that too."""
GROUPS = ("group", "groupid", "cluster", "topic", "entity")
SPLITS = ("split",)
SOURCES = ("source", "file", "filename", "path", "doc", "docname")
HEADINGS = ("heading", "section")
ROLES = (
    "question", "positive", "negative", "score", "split", "group",
    "source", "heading", "sentence1", "sentence2",
)  # fmt: skip
ROLE_NAMES = {
    "score": (*MARKS, *(name for name in SCORE_NAMES if name not in MARKS)),
    "split": SPLITS,
    "group": GROUPS,
    "source": SOURCES,
    "heading": HEADINGS,
}
"""The names of the fields that a file may lack, by role."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The names, as the file writes them, of what is read; "" for a field that it lacks."""

    question: str
    positive: str
    negatives: tuple[str, ...] = ()
    mark: str = ""
    """Holds 1 where the positive answers the question, 0 where it does not."""
    split: str = ""
    group: str = ""
    source: str = ""
    """Names a document that answers the question."""
    heading: str = ""
    """Names a heading of that document."""

    @property
    def note(self) -> str:
        """One line for the user on what is read."""
        used = [self.question, self.positive, *self.negatives, self.mark, self.source, self.heading]
        return "fields " + shown_names([name for name in used if name])


def recognise(
    names: Iterable[str], given: Mapping[str, str] | None = None, *, label: str = ""
) -> Fields | None:
    """The fields of a file whose columns are called `names`; None where no question is named.

    `given` maps roles to names (see `columns_option`) and decides before anything is recognised.
    The sentences of graded pairs count as a question and its passage where nothing else does.
    Raises DataError, with `label`, for a name in `given` that the file lacks, and for a field that
    it names twice.
    """
    by_name, given = _named(names, given, label)
    question = given.get("question", given.get("sentence1", ""))
    positive = given.get("positive", given.get("sentence2", ""))
    taken = {squeezed(name) for name in (question, positive) if name}
    for one, other in (*PAIRS, *SENTENCE_NAMES):
        if question and positive:
            break
        fits = one in by_name and other in by_name and not taken & {one, other}
        if question and other in by_name and other not in taken:
            positive = by_name[other]
        elif positive and one in by_name and one not in taken:
            question = by_name[one]
        elif fits and not taken:
            question, positive = by_name[one], by_name[other]
    if not (question and positive):
        return None
    return _with_others(question, positive, by_name, given)


def recognise_placed(
    names: Iterable[str], given: Mapping[str, str] | None = None, *, label: str = ""
) -> Fields | None:
    """As `recognise`, for a file beside documents: a question with a source needs no answer."""
    listed = list(names)
    fields = recognise(listed, given, label=label)
    by_name, roles = _named(listed, given, label)
    source = roles.get("source") or _first(SOURCES, by_name)
    named = roles.get("question") or _first(QUESTIONS, by_name)
    if not source or not named:
        return fields
    if fields is None or fields.question != named or fields.positive in (source, named):
        return _with_others(named, "", by_name, roles)
    return fields


def graded_columns(names: Iterable[str]) -> tuple[str, str, str] | None:
    """The columns by which a file is one of graded pairs: two sentences and a score; else None."""
    by_name = {squeezed(name): name for name in names}
    pair = next((pair for pair in SENTENCE_NAMES if set(pair) <= set(by_name)), None)
    score = _first(SCORE_NAMES, by_name)
    if pair is None or not score:
        return None
    return by_name[pair[0]], by_name[pair[1]], score


def columns_option(text: str) -> dict[str, str]:
    """`question=prompt,positive=answer` as a mapping from roles to column names.

    Raises ConfigError for a part without a name, and for a role that is none.
    """
    roles: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if role not in ROLES or not equals or not name:
            known = ", ".join(ROLES)
            raise ConfigError(f"columns: write ROLE=NAME, with a role of {known}")
        if role in roles:
            raise ConfigError(f"columns: {role} is given twice; name it once")
        roles[role] = name
    return roles


def squeezed(name: str) -> str:
    """A column's name without case, spaces, hyphens and underscores."""
    return "".join(str(name).split()).casefold().replace("_", "").replace("-", "")


def _named(
    names: Iterable[str], given: Mapping[str, str] | None, label: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The names by their squeezed form, and the roles of `given` with names as the file has them.

    A name that stands there twice is left out: whether it matters is told by who looks it up.
    """
    listed = [str(name) for name in names]
    times = Counter(map(squeezed, listed))
    by_name = {squeezed(name): name for name in listed}
    doubled = [
        name
        for key, name in by_name.items()
        if times[key] > 1 and any(key in {*pair, *NEGATIVES, *MARKS} for pair in PAIRS)
    ]
    if doubled:
        reason = f"the column {shown_names(doubled[:1])} appears twice; rename or remove one"
        raise file_error(label, reason)
    roles = {}
    for role, wanted in (given or {}).items():
        name = wanted if wanted in listed else by_name.get(squeezed(wanted))
        if name is None:
            reason = f"no column {wanted} for --columns {role}={wanted}"
            raise file_error(label, f"{reason}; it has {shown_names(listed)}")
        roles[role] = name
    return by_name, roles


def _with_others(
    question: str, positive: str, by_name: Mapping[str, str], given: Mapping[str, str]
) -> Fields:
    """The fields with those that a file may lack."""
    main = (question, positive)
    negatives = tuple(
        name
        for key, name in by_name.items()
        if key.rstrip("0123456789") in NEGATIVES and name not in main
    )
    if "negative" in given:
        negatives = (given["negative"],)
    others = {
        role: given.get(role) or _first(names, by_name, without=main)
        for role, names in ROLE_NAMES.items()
    }
    return Fields(
        question,
        positive,
        negatives,
        others["score"],
        others["split"],
        others["group"],
        others["source"],
        others["heading"],
    )


def _first(wanted: Iterable[str], by_name: Mapping[str, str], without: Iterable[str] = ()) -> str:
    """The first column of a wanted name, as the file writes it; "" without one."""
    barred = tuple(without)
    names = (by_name[name] for name in wanted if name in by_name)
    return next((name for name in names if name not in barred), "")
