"""`nexus labels changes` and `nexus labels curve`: what training on labels changed, and would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nexus_engine.teaching.changes import Change

__all__ = ["changes", "curve"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def changes(
    run: Annotated[
        str,
        typer.Argument(help="A run on labels, by name or folder, or latest.", metavar="RUN"),
    ] = "latest",
    before: Annotated[
        str | None,
        typer.Option(help="The run to compare with. Default: the base model.", metavar="RUN"),
    ] = None,
    json: Json = False,
) -> None:
    """List the verdicts that a run turned right, and those that it turned wrong.

    A pair is right within one grade of the verdict. A passage is right where answers rank above
    what is no answer.
    """
    from nexus_engine.runs.folder import find_run
    from nexus_engine.teaching.retrained import retrained
    from nexus_tui.terminal import streams
    from nexus_tui.words.label_changes import change_rows, changes_lines
    from nexus_tui.words.render import table

    folder = find_run(run)
    former = None if before is None else find_run(before)
    streams.say("embedding the documents by both models")
    found = retrained(folder, former)
    if json:
        for change in found.changes:
            streams.put_json(_facts(change))
        return
    if not found.is_same:
        streams.note("the label file has changed since the run; its verdicts of now are judged")
    for title, listed in change_rows(found):
        streams.put(title)
        streams.put(*table(("", "before", "now", "part"), listed, (False, True, True, False)), "")
    streams.put(*changes_lines(found))


def _facts(change: Change) -> dict[str, Any]:
    return {
        **change.judged._asdict(),
        "before": change.before,
        "after": change.after,
        "right_before": change.right_before,
        "right_after": change.right_after,
    }


def curve(
    file: Annotated[Path, typer.Argument(help="A label file.", metavar="FILE")],
    corpus: Annotated[
        str | None,
        typer.Option(help="The documents that were taught on, or demo-search.", metavar="DOCS"),
    ] = None,
    json: Json = False,
) -> None:
    """Say what more labels would bring, by short runs on a quarter and on half of them."""
    from nexus_engine.errors import DataError
    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_engine.system.user_paths import user_path
    from nexus_engine.teaching.learning_curve import learning_curve
    from nexus_engine.teaching.retraining import labels_run_config
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import correlation
    from nexus_tui.words.render import table

    settings = resolve_for_base(labels_run_config(user_path(file, DataError), corpus))
    found = learning_curve(settings, progress=streams.say)
    if json:
        streams.put_json({**found._asdict(), "verdict": found.verdict})
        return
    if found.points:
        rows = [(str(each.examples), correlation(each.score)) for each in found.points]
        streams.put(*table(("taught", found.metric), rows, (True, True)), "")
    streams.put(found.sentence)
