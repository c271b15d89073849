"""The questions to judge models on, as a command asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_tui.work.model_data import DataChoice

if TYPE_CHECKING:
    from nexus_engine.data.questions.question_data import QuestionData

__all__ = ["Asked", "asked_data", "load_asked"]


class Asked(NamedTuple):
    """The data of a command, its task, and how its files are read."""

    choice: DataChoice
    task: Literal["pairs", "retrieval"]
    columns: dict[str, str] | None
    skip_bad: bool


def asked_data(choice: DataChoice, task: str, columns: str | None, *, skip_bad: bool) -> Asked:
    """What `--task`, `--columns` and `--skip-bad` mean for `choice`; a run's own are the default.

    Raises:
        ConfigError: `columns` cannot be understood.
    """
    from nexus_engine.data.questions.fields import columns_option
    from nexus_engine.named_task import SHIPPED

    named = columns or choice.columns
    roles = columns_option(named) if named else None
    known = SHIPPED.get(choice.spec)
    if task in ("pairs", "retrieval"):
        known = "retrieval" if task == "retrieval" else "pairs"
    if known is None:
        from nexus_engine.data.task import task_of

        known = task_of(choice.spec, roles)
    return Asked(choice, known, roles, skip_bad or choice.skip_bad)


def load_asked(asked: Asked) -> QuestionData:
    """The questions.

    Raises:
        DataError: they cannot be used.
    """
    from nexus_engine.data.questions.loading import load_questions
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.model.plain_tokenizer import plain_tokenizer

    return load_questions(
        asked.choice.spec,
        seed=asked.choice.seed,
        columns=asked.columns,
        skip_bad=asked.skip_bad,
        tokenizer=plain_tokenizer(find_base_model().folder),
        max_tokens=asked.choice.max_tokens,
    )
