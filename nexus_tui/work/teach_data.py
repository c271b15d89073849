"""The texts that Teach asks about, from their name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from nexus_engine.data import Pairs
    from nexus_engine.scoring.search_texts import SearchTexts

__all__ = ["TeachTexts", "absolute_spec", "check_data", "read_texts"]


def check_data(spec: str) -> None:
    """Refuse data that are not there.

    Raises:
        DataError: there is no such file or folder, or it may not be read.
    """
    import os

    from nexus_engine.data.questions.loading import spec_path
    from nexus_engine.data.reading.sources import refused_access

    path = spec_path(spec)
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None


def absolute_spec(spec: str) -> str:
    """`spec` as it is understood from any folder: a name, or an absolute path."""
    from nexus_engine.data.questions.loading import DEMO, PAIR_SETS, spec_path

    return spec if spec == DEMO or spec in PAIR_SETS else str(spec_path(spec).absolute())


class TeachTexts(NamedTuple):
    """The texts, and the pairs that they were given in, (n, 2) places in them; None without."""

    corpus: SearchTexts
    pairs: NDArray[np.int64] | None = None


def read_texts(
    spec: str,
    max_tokens: int,
    check: Callable[[], None] = lambda: None,
    base: str | None = None,
) -> TeachTexts:
    """The distinct texts of `spec`: a corpus as `nexus search` reads it, or pairs of sentences.

    Passages of documents have at most `max_tokens` tokens of the base model `base`.

    Raises:
        DataError: the data cannot be used.
    """
    from nexus_engine.data.questions.loading import PAIR_SETS, spec_path
    from nexus_engine.data.reading.formats import known_kind
    from nexus_engine.data.task import task_of
    from nexus_tui.work.model_data import choose_data
    from nexus_tui.work.question_data import read_requested

    if spec in PAIR_SETS:
        from nexus_engine.data import load_data

        return _of_pairs(spec, load_data(spec).train)
    path = spec_path(spec)
    if path.is_file() and known_kind(path.name) is not None and task_of(spec) == "pairs":
        from nexus_engine.data import load_unscored

        check()
        return _of_pairs(path.name, load_unscored(spec))
    return TeachTexts(
        read_requested(choose_data([], spec, None)._replace(base=base), max_tokens, check)
    )


def _of_pairs(label: str, pairs: Pairs) -> TeachTexts:
    import numpy as np

    from nexus_engine.scoring.search_texts import SearchTexts

    columns = (pairs.first.to_pylist(), pairs.second.to_pylist())
    place_of: dict[str, int] = {}
    for column in columns:
        for text in column:
            place_of.setdefault(text, len(place_of))
    count = len(place_of)
    corpus = SearchTexts(label, list(place_of), range(1, count + 1), [1] * count)
    places = [[place_of[text] for text in column] for column in columns]
    return TeachTexts(corpus, np.asarray(places, np.int64).T)
