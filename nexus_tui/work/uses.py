"""Each use of a run's model: noted in the run's audit, with warnings of exposed data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.system.user_paths import user_path

if TYPE_CHECKING:
    from nexus_engine.data import Pairs

__all__ = [
    "note_index_use",
    "note_questions",
    "note_uses",
    "record_index_use",
    "record_questions",
    "record_use",
]


def record_use(
    models: Sequence[str], use: str, data: Pairs | Sequence[str], *, typed: bool = False
) -> None:
    """Note in the run folder of each model that `data`, pairs or sentences, is used.

    `typed` data gets no fingerprint. A use that cannot be noted gives a warning on stderr and
    stops nothing: a run may be kept read-only.
    """
    _say(note_uses(_folders(models), use, data, typed=typed))


def record_questions(models: Sequence[str], use: str, questions: int, fingerprint: str) -> None:
    """The same for `questions` questions, of data with this `fingerprint`."""
    _say(_noted(_folders(models), use, fingerprint, questions))


def record_index_use(model: str, use: str, passages: int) -> None:
    """The same for an index of `passages` passages, which stream and get no fingerprint."""
    _say(note_index_use(_folders([model]), use, passages))


def note_index_use(folders: Sequence[Path], use: str, passages: int) -> list[str]:
    """The same in run folders; the warnings for the user, one a line."""
    return _noted(folders, use, None, passages)


def note_uses(
    folders: Sequence[Path], use: str, data: Pairs | Sequence[str], *, typed: bool = False
) -> list[str]:
    """Note the use in run folders; the warnings for the user, one a line."""
    fingerprint = None if typed or not folders else _fingerprint(data)
    return _noted(folders, use, fingerprint, len(data))


def note_questions(
    folders: Sequence[Path], use: str, questions: int, fingerprint: str
) -> list[str]:
    """The same for `questions` questions, of data with this `fingerprint`."""
    return _noted(folders, use, fingerprint, questions)


def _noted(folders: Sequence[Path], use: str, fingerprint: str | None, size: int) -> list[str]:
    from nexus_engine.runs.audit import note_use
    from nexus_engine.runs.exposure import exposures

    warnings = []
    for folder in folders:
        warnings += exposures(folder)
        try:
            note_use(folder, use, fingerprint=fingerprint, size=size)
        except OSError as error:
            warnings.append(f"this use is not noted in {one_line(folder, 200)}: {error.strerror}")
    return warnings


def _say(warnings: Sequence[str]) -> None:
    from nexus_tui.terminal import streams

    for message in warnings:
        streams.say(f"warning: {message}")


def _folders(models: Sequence[str]) -> list[Path]:
    return list(dict.fromkeys(_run_folders(models)))


def _fingerprint(data: Pairs | Sequence[str]) -> str:
    from nexus_engine.data import Pairs, arrow_strings
    from nexus_engine.data.fingerprint import fingerprint_of

    if isinstance(data, Pairs):
        return fingerprint_of({"pairs": data})
    column = arrow_strings(data)
    return fingerprint_of({"sentences": Pairs(column, column, None)})


def _run_folders(models: Sequence[str]) -> Iterator[Path]:
    from nexus_engine.runs.folder import find_run

    for model in models:
        try:
            path = user_path(model)
            parent = path.absolute().parent
            if (path / "model.json").is_file():
                if (parent / "run.json").is_file():  # the best/ of a run, by its path
                    yield parent
                continue
            if model != "base" and not model.startswith("base:"):
                yield find_run(model).path
        except (OSError, ValueError, ConfigError, RunError):
            continue  # loading the model reports any error
