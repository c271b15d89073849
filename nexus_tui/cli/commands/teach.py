"""`nexus teach`: opens the app where you judge pairs and search results, and retrain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nexus_tui.cli.commands.attach import has_terminal
from nexus_tui.terminal.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_tui.app.teach.state import TeachRequest

__all__ = ["teach"]


def teach(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="FILE|DOCS",
            help="Texts to ask about: sentences, documents, questions, or demo-search.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="FILE", help="Label file that takes your verdicts."),
    ] = None,
    rater: Annotated[
        str | None, typer.Option("--rater", metavar="NAME", help="Your name in each verdict.")
    ] = None,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw in plain ASCII characters.")
    ] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Draw less often.")
    ] = False,
) -> None:
    """Judge pairs and search results by single keys, and retrain the model on your verdicts."""
    if not has_terminal():
        raise UsageError("teach needs a terminal; without one, see nexus labels --help")
    request = _checked(data, labels, rater)
    from nexus_engine.runs.folder import runs_root
    from nexus_tui.app.opening import open_app
    from nexus_tui.settings.app import read_ui_settings

    runs_root()  # fails without a home folder, before a screen opens
    settings = read_ui_settings(ascii_only=ascii_only, low_bandwidth=low_bandwidth)
    _check_keys(settings.keys)
    raise typer.Exit(open_app(settings, teach=request))


def _checked(data: str | None, labels: str | None, rater: str | None) -> TeachRequest:
    """The request, refused before a screen opens where it cannot be met.

    Raises:
        NexusError: there are no such data, the file holds no labels, or the name is none.
    """
    from nexus_engine.errors import DataError
    from nexus_engine.labels.places import rater_name
    from nexus_engine.labels.reading import read_labels
    from nexus_engine.system.user_paths import user_path
    from nexus_tui.app.teach.state import TeachRequest
    from nexus_tui.work.teach_data import check_data

    name = None if rater is None else rater_name(rater)
    path = None if labels is None else user_path(labels, DataError).absolute()
    if path is not None and path.exists() and path.stat().st_size:
        read_labels(path)
    if data is not None:
        check_data(data)
    return TeachRequest(data, path, name)


def _check_keys(keys: Mapping[str, str]) -> None:
    """Refuse a key of [ui.keys] that two actions of Teach would share, or that none has.

    Raises:
        UsageError: in one line, what to change.
    """
    from nexus_tui.app.teach.keys import key_problem

    problem = key_problem(keys)
    if problem:
        raise UsageError(problem)
