"""`nexus runs`: lists, shows and removes the runs on this machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus_tui.terminal.failures import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nexus_engine.runs.run_view import EpochPoint, RunView
    from nexus_engine.runs.summary import RunSummary

__all__ = ["app"]

app = typer.Typer(
    help="Show or remove the runs on this machine; without a subcommand, list them.",
    invoke_without_command=True,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")]


@app.callback()
def default(ctx: typer.Context, json: Json = False) -> None:
    """Show or remove the runs on this machine; without a subcommand, list them."""
    if ctx.invoked_subcommand is None:
        list_command(json=json)
    elif json:
        ctx.obj = {"json": True}


@app.command("list")
def list_command(json: Json = False) -> None:
    """List the runs, newest first."""
    from nexus_engine.runs.folder import runs_root
    from nexus_engine.runs.index import RunIndex
    from nexus_tui.terminal import streams
    from nexus_tui.words.render import table

    index = RunIndex(runs_root())
    runs = index.refresh()
    if index.unreadable:
        count = len(index.unreadable)
        streams.say(
            f"warning: {count} folder{'' if count == 1 else 's'} cannot be read and "
            f"{'is' if count == 1 else 'are'} not listed; {index.unreadable[0]}"
        )
    if json:
        for run in runs:
            streams.put_json(_summary(run))
        return
    if not runs:
        if not index.unreadable:
            streams.say(f"no runs in {runs_root()}; start one with: nexus train")
        return
    from nexus_tui.words.metrics import lead_name

    # A list of runs on graded pairs alone keeps the columns that it always had.
    with_metric = any(lead_name(run.metric) for run in runs)
    metric = ("metric",) if with_metric else ()
    header = ("name", "state", *metric, "base", "best", "kept", "added", "age")
    right = (False, False, *(False for _ in metric), True, True, True, True, True)
    name_width = max(24, streams.width(sys.stdout) - (58 if with_metric else 48))
    rows = [_row(run, name_width, with_metric=with_metric) for run in runs]
    streams.put(*table(header, rows, right))


def _row(run: RunSummary, name_width: int, *, with_metric: bool) -> tuple[str, ...]:
    from nexus_engine.metric_words import metric_name
    from nexus_tui.words.formats import correlation, count, shown

    return (
        shown(run.name, name_width),
        run.state,
        *((metric_name(run.metric),) if with_metric else ()),
        correlation(run.base_dev),
        correlation(run.best_dev),
        count(run.switches_kept),
        count(run.params_added),
        _age(time.time() - run.started_unix_s),
    )


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _summary(run: RunSummary) -> dict[str, Any]:
    return {**run._asdict(), "path": str(run.path)}


@app.command("show")
def show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A run, by name or folder, or latest.", metavar="RUN")],
    json: Json = False,
) -> None:
    """Show a run: settings, result, switches, and the dev score by epoch."""
    from nexus_engine.runs.folder import find_run
    from nexus_engine.runs.run_view import RunView, reduce
    from nexus_engine.runs.summary import summarise
    from nexus_tui.terminal import streams

    folder = find_run(run)
    summary, facts = summarise(folder.path), folder.read_run()
    view = RunView()
    for event in folder.events():
        view = reduce(view, event)
    if json or bool(ctx.obj):
        streams.put_json(_full_record(summary, facts, view))
        return
    _print_run(summary, facts, view)


def _full_record(summary: RunSummary, facts: dict[str, Any], view: RunView) -> dict[str, Any]:
    import msgspec

    return {
        **_summary(summary),
        "run": facts,
        "result": None if view.ended is None else msgspec.to_builtins(view.ended),
        "arms": [msgspec.to_builtins(arm) for arm in view.arms],
        "warnings": list(view.warnings),
    }


def _print_run(summary: RunSummary, facts: dict[str, Any], view: RunView) -> None:
    from nexus_engine.errors import one_line
    from nexus_engine.events import RunFailed, RunFinished
    from nexus_engine.metric_words import metric_name
    from nexus_engine.settings.shown import shown_settings
    from nexus_tui.terminal import streams
    from nexus_tui.words.lines import resume_command
    from nexus_tui.words.render import result_lines, switch_rows, table

    streams.put(f"{one_line(summary.name, 100)}: {summary.state}", "")
    settings = facts.get("settings")
    if isinstance(settings, dict):
        shown = shown_settings(settings)
        pairs = [(str(key), one_line(_setting_text(value), 80)) for key, value in shown.items()]
        if labels := facts.get("labels"):
            pairs.append(("labels", one_line(labels, 64)))
        streams.put(*table(("setting", "value"), pairs, (False, False)), "")
    for arm in view.arms:
        if arm.points:
            header, rows = _epochs(arm.points, metric_name(view.metric))
            streams.put(f"{one_line(arm.label, 60)}, dev by epoch:")
            streams.put(*table(header, rows, [True for _ in header]), "")
        if arm.switches:
            streams.put(
                *switch_rows(
                    [
                        (s.switch, s.epoch, s.state, s.before, s.after, s.params_added)
                        for s in arm.switches
                    ]
                ),
                "",
            )
    for message in view.warnings:
        streams.put(f"warning: {one_line(message, 300)}")
    match view.ended:
        case RunFinished():
            streams.put(*result_lines(view.ended))
        case RunFailed():
            streams.put(f"failed: {one_line(view.ended.message)}")
    if summary.state in ("stopped", "interrupted", "failed"):
        streams.put(f"resume with: {resume_command(summary.name, str(summary.path))}")


def _epochs(
    points: Sequence[EpochPoint], metric: str
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The header and rows of the table of epochs; columns without a value are left out."""
    from nexus_tui.words.formats import correlation

    columns: list[tuple[str, Callable[[EpochPoint], str]]] = [
        ("epoch", lambda p: str(p.epoch)),
        (metric, lambda p: correlation(p.score)),
        ("MRR@10", lambda p: correlation(p.mrr_at_10)),
        ("recall@1", lambda p: correlation(p.recall_at_1)),
        ("recall@10", lambda p: correlation(p.recall_at_10)),
        ("guard", lambda p: correlation(p.guard_spearman)),
        ("rehearsal", lambda p: f"{p.keep_weight:g}" if p.keep_weight else "-"),
    ]
    filled = [(name, [get(p) for p in points]) for name, get in columns]
    filled = [(name, values) for name, values in filled if any(v != "-" for v in values)]
    names = tuple(name for name, _ in filled)
    return names, list(zip(*(values for _, values in filled), strict=True))


def _setting_text(value: object) -> str:
    """A setting as one would type it. A fitted rate is shown with six digits, not with sixteen."""
    if isinstance(value, list | tuple):
        return ",".join(map(_setting_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)


@app.command("rm")
def remove(
    runs: Annotated[
        list[str], typer.Argument(help="Runs, by name or folder, or latest.", metavar="RUN...")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete runs with everything in their folders."""
    from nexus_engine.errors import one_line
    from nexus_engine.runs.folder import find_run, remove_run
    from nexus_tui.terminal import streams

    paths = list(dict.fromkeys(find_run(run).path for run in runs))
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("runs rm deletes folders; without a terminal, confirm with --yes")
        for path in paths:
            streams.say(one_line(path, 300))
        if not typer.confirm(f"Delete {len(paths)} run(s)?", err=True):
            raise typer.Exit(1)
    for path in paths:
        remove_run(str(path))
        streams.say(f"deleted {one_line(path, 300)}")
