"""The data to judge models on, as a command names it, and the questions in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_tui.work.model_data import DataChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenizers import Tokenizer

    from nexus_engine.data.questions.question_data import QuestionData
    from nexus_engine.scoring.search_texts import SearchTexts

__all__ = ["DataRequest", "data_request", "load_requested", "read_requested"]


class DataRequest(NamedTuple):
    """The data of a command, its task, and how its files are read."""

    choice: DataChoice
    task: Literal["pairs", "retrieval"]
    columns: dict[str, str] | None
    skip_bad: bool


def data_request(
    choice: DataChoice, task: str = "auto", columns: str | None = None, *, skip_bad: bool = False
) -> DataRequest:
    """What `--task`, `--columns` and `--skip-bad` mean for `choice`; a run's own are the default.

    Raises:
        ConfigError: `columns` cannot be understood.
        DataError: a label file holds both pairs and passages, and `task` does not say which.
    """
    from nexus_engine.data.questions.fields import columns_option
    from nexus_engine.named_task import SHIPPED

    named = columns or choice.columns
    roles = columns_option(named) if named else None
    known = SHIPPED.get(choice.spec, choice.task)
    if task in ("pairs", "retrieval"):
        known = "retrieval" if task == "retrieval" else "pairs"
    if known is None:
        from nexus_engine.data.task import task_of

        known = task_of(choice.spec, roles)
    return DataRequest(choice, known, roles, skip_bad or choice.skip_bad)


def load_requested(
    request: DataRequest, max_tokens: int, tokenizer: Tokenizer | None = None
) -> QuestionData:
    """The questions. Documents are cut into passages of at most `max_tokens` of the base model.

    `tokenizer` is the base model's from `plain_tokenizer`, for a caller who has it already.

    Raises:
        DataError: they cannot be used.
    """
    from nexus_engine.data.questions.loading import load_questions
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.model.plain_tokenizer import plain_tokenizer

    return load_questions(
        request.choice.spec,
        seed=request.choice.seed,
        columns=request.columns,
        skip_bad=request.skip_bad,
        tokenizer=tokenizer or plain_tokenizer(find_base_model(request.choice.base).folder),
        max_tokens=max_tokens,
        corpus=request.choice.corpus,
    )


def read_requested(
    choice: DataChoice,
    max_tokens: int,
    check: Callable[[], None] = lambda: None,
    *,
    columns: str | None = None,
    skip_bad: bool = False,
) -> SearchTexts:
    """The texts of a corpus to search in; where it is a run's own data, read as the run read them.

    Raises:
        ConfigError: `columns` cannot be understood.
        DataError: the corpus cannot be used.
    """
    from nexus_engine.data.questions.fields import columns_option
    from nexus_engine.scoring.corpus_reading import read_corpus

    named = columns or choice.columns
    return read_corpus(
        choice.spec,
        check,
        columns=columns_option(named) if named else None,
        skip_bad=skip_bad or choice.skip_bad,
        seed=choice.seed,
        max_tokens=max_tokens,
        is_questions=choice.task == "retrieval",
        documents=choice.corpus,
        base=choice.base,
    )
