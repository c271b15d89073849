"""Which fields of a record are a question, its answers and its negatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nexus_engine.data.messages import shown_names
from nexus_engine.errors import ConfigError

__all__ = ["ROLES", "Fields", "columns_option", "recognise"]

# Compared without case, spaces, hyphens and underscores; the first pair that a file has is taken.
PAIRS = (
    ("query", "pos"),
    ("query", "positive"),
    ("query", "positives"),
    ("query", "answer"),
    ("query", "answers"),
    ("query", "passage"),
    ("query", "document"),
    ("query", "context"),
    ("query", "text"),
    ("query", "response"),
    ("anchor", "positive"),
    ("anchor", "positives"),
    ("anchor", "pos"),
    ("question", "pos"),
    ("question", "positive"),
    ("question", "positives"),
    ("question", "answer"),
    ("question", "answers"),
    ("question", "passage"),
    ("question", "document"),
    ("question", "context"),
    ("question", "response"),
    ("question", "text"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("input", "output"),
    ("q", "a"),
    ("term", "meaning"),
    ("term", "definition"),
    ("word", "meaning"),
    ("word", "definition"),
    ("abbreviation", "meaning"),
    ("abbreviation", "expansion"),
    ("name", "description"),
    ("title", "text"),
    ("title", "body"),
    ("title", "abstract"),
    ("heading", "text"),
)
NEGATIVES = ("neg", "negative", "negatives", "hardnegative", "hardnegatives", "negs")
SCORES = ("score", "similarity", "similarityscore", "relatedness", "label", "rating")
GROUPS = ("group", "groupid", "cluster", "topic", "entity")
SPLITS = ("split",)
ROLES = ("question", "positive", "negative", "score", "split", "group", "sentence1", "sentence2")


@dataclass(frozen=True, slots=True)
class Fields:
    """The names, as the file writes them, of what is read."""

    question: str
    positive: str
    negatives: tuple[str, ...] = ()
    split: str = ""
    group: str = ""

    @property
    def note(self) -> str:
        """One line for the user on what is read."""
        return "fields " + shown_names([self.question, self.positive, *self.negatives])


def recognise(names: Iterable[str], given: Mapping[str, str] | None = None) -> Fields | None:
    """The fields of a file whose columns are called `names`; None where no question is named.

    `given` maps roles to names (see `columns_option`) and decides before anything is recognised.
    """
    given = given or {}
    by_name = {_squeezed(name): name for name in names}
    question = given.get("question", "")
    positive = given.get("positive", "")
    if not (question and positive):
        found = next((pair for pair in PAIRS if set(pair) <= set(by_name)), None)
        if found is None and not (question or positive):
            return None
        if found is not None:
            question = question or by_name[found[0]]
            positive = positive or by_name[found[1]]
        if not (question and positive):
            return None
    negatives = tuple(
        name
        for squeezed, name in by_name.items()
        if squeezed.rstrip("0123456789") in NEGATIVES and name not in (question, positive)
    )
    if "negative" in given:
        negatives = (given["negative"],)
    return Fields(
        question,
        positive,
        negatives,
        given.get("split", next((by_name[name] for name in SPLITS if name in by_name), "")),
        given.get("group", next((by_name[name] for name in GROUPS if name in by_name), "")),
    )


def columns_option(text: str) -> dict[str, str]:
    """`question=prompt,positive=answer` as a mapping from roles to column names.

    Raises ConfigError for a part without a name, and for a role that is none.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if role not in ROLES or not equals or not name:
            known = ", ".join(ROLES)
            raise ConfigError(f"columns: write ROLE=NAME, with a role of {known}")
        if role in found:
            raise ConfigError(f"columns: {role} is given twice; name it once")
        found[role] = name
    return found


def _squeezed(name: str) -> str:
    return "".join(str(name).split()).casefold().replace("_", "").replace("-", "")
