"""`nexus train`: trains one run, headless."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nexus_engine.errors import ExitCode, RunError
from nexus_engine.settings.record import SETTINGS
from nexus_engine.system.user_paths import user_path
from nexus_tui.cli.commands import train_options as options
from nexus_tui.terminal.failures import UsageError, close_output, error_line
from nexus_tui.terminal.standard_streams import OutputError

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.events import Event, RunFailed, RunFinished, RunStopped
    from nexus_engine.session import Session

__all__ = ["train"]

POLL_SECONDS = 0.05
ALLOWED_WITH_RESUME = ("resume", "detach", "json", "verbose")


@options.with_setting_options
def train(
    ctx: typer.Context,
    out: options.Out = None,
    resume: options.Resume = None,
    config: options.Config = None,
    detach: options.Detach = False,
    forecast: options.Forecast = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    **options_given: Any,
) -> None:
    """Train on scored pairs or on questions, growing dendrites where they help.

    Settings come from the first of: the option, its variable (such as NEXUS_EPOCHS), --config
    FILE.toml or the train table of ./nexus.toml, your own nexus.toml, the recipe.
    """
    from nexus_engine.model.base_sizes import resolve_for_base
    from nexus_engine.named_task import with_task
    from nexus_engine.runs.resuming import resumable
    from nexus_tui.settings.environment import unknown_variables
    from nexus_tui.settings.training import asked_config
    from nexus_tui.terminal import streams

    if detach and forecast:
        raise UsageError("--forecast trains nothing to detach; leave one of them out")
    if resume is not None:
        _refuse_beside_resume(ctx)
        folder, settings = resumable(resume)
    else:
        for warning in unknown_variables():
            streams.say(f"warning: {warning}")
        values = {name: value for name, value in options_given.items() if value is not None}
        settings = resolve_for_base(with_task(asked_config(values, config)))
    if forecast:
        _show_forecast(settings, as_json=json)
        return
    if detach:
        raise typer.Exit(_detach(ctx, settings, as_json=json))
    from nexus_engine.runs.folder import RunFolder, remove_unstarted
    from nexus_engine.session import Session  # torch comes here, before the folder is made

    out_path = None if out is None else user_path(out)
    is_new = out_path is None or not out_path.exists()
    if resume is None:
        folder = RunFolder.create(out_path, _label(settings))
    session = Session(settings, folder, resume=resume is not None)
    try:
        with _stopped_before_leaving(session):
            terminal = _follow(session, as_json=json, verbose=verbose)
    finally:
        if session.wait(0):
            remove_unstarted(folder, keep_folder=not is_new)
    code = _conclude(terminal, as_json=json)
    if code == ExitCode.OK and not json and folder.read_run().get("labels"):
        streams.put("what changed: nexus labels changes latest")
    raise typer.Exit(code)


def _show_forecast(settings: Settings, *, as_json: bool) -> None:
    """Show what the run will cost, measured by a short probe."""
    import msgspec
    from rich.text import Text

    from nexus_engine.training.forecast import forecast
    from nexus_tui.terminal import streams
    from nexus_tui.words.forecasting import forecast_lines, question_lines

    figures = msgspec.to_builtins(forecast(settings))
    if as_json:
        streams.put_json(figures)
        return
    streams.put(*forecast_lines(figures))
    streams.say(*(Text(line, style="yellow") for line in question_lines(figures)))


def _detach(ctx: typer.Context, settings: Settings, *, as_json: bool) -> int:
    """Start the run in a process of its own; the exit code. The settings are already checked."""
    from nexus_engine.runs.folder import find_run, reserve_folder
    from nexus_tui.work.background import start_detached

    resume, out = ctx.params["resume"], ctx.params["out"]
    if resume is not None:
        folder = find_run(resume).path
        return start_detached(["train", "--resume", str(folder)], folder, as_json=as_json)
    folder = reserve_folder(_label(settings)) if out is None else user_path(out).absolute()
    arguments = ["train", *_options_given(ctx), "--out", str(folder)]
    try:
        return start_detached(arguments, folder, as_json=as_json)
    finally:
        if out is None:
            with contextlib.suppress(OSError):  # not empty where the run has begun
                folder.rmdir()


def _options_given(ctx: typer.Context) -> list[str]:
    """The settings of this command line as arguments. A child reads variables and files itself."""
    arguments = []
    for name in (*SETTINGS, "config"):
        if not _on_command_line(ctx, name):
            continue
        flag, value = name.replace("_", "-"), ctx.params[name]
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            arguments.append(f"--{flag}={value}")
    return arguments


def _label(settings: Settings) -> str:
    """The name part of a run folder: the data's name without its ending, and the regime."""
    return f"{Path(settings.data).stem}-{settings.tune}"


def _refuse_beside_resume(ctx: typer.Context) -> None:
    """Refuse options beside --resume: a resumed run keeps its settings and would ignore them."""
    surplus = [
        "--" + name.replace("_", "-")
        for name in ctx.params
        if name not in ALLOWED_WITH_RESUME and _on_command_line(ctx, name)
    ]
    if surplus:
        raise UsageError(
            f"--resume uses the run's own settings; leave out {', '.join(surplus)}, "
            "or start a new run"
        )


def _on_command_line(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _events(session: Session) -> Iterator[Event | None]:
    """Every event up to the terminal one, with a None at each pause between them."""
    from nexus_engine.events import TERMINAL_EVENTS

    subscription = session.subscribe()
    session.start()
    while True:
        alive = session.alive  # read before draining, so that the last events are in the queue
        for event in subscription.drain():
            yield event
            if isinstance(event, TERMINAL_EVENTS):
                return
        if not alive:
            raise RunError(
                "internal error: the training ended without a final event; see its events.jsonl"
            )
        yield None
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _stopped_before_leaving(session: Session) -> Iterator[None]:
    """On any exception inside, stop the run with a checkpoint before the exception goes on.

    Torch aborts an interpreter that ends while a thread still computes.
    """
    try:
        yield
    except BaseException:
        session.steering.stop("no longer followed", ExitCode.FAILED)
        while session.alive:
            session.wait(POLL_SECONDS)
        raise


def _follow(
    session: Session, *, as_json: bool, verbose: bool
) -> RunFinished | RunFailed | RunStopped:
    """Run the session to its end and show it; the terminal event."""
    from nexus_tui.cli.progress import RunProgress
    from nexus_tui.terminal.signals import steered_by_signals

    stop_shown = False
    with steered_by_signals(session.steering) as requests, RunProgress(verbose=verbose) as progress:
        for event in _events(session):
            # A stderr without a reader does not end the training: the folder holds what is shown.
            if event is not None:
                progress.show(event)
            elif requests.stop and not stop_shown:
                stop_shown = True
                progress.note("stopping: saving a checkpoint (Ctrl-C again ends at once)")
            progress.draw()
            if event is not None and as_json:
                as_json = _delivered(event, session)
        ended = progress.view.ended
    session.wait()
    assert ended is not None
    return ended


def _delivered(event: Event, session: Session) -> bool:
    """Write `event` on stdout. If that fails, ask the run to stop and return False."""
    from nexus_engine.event_lines import encode_event
    from nexus_tui.terminal import streams

    try:
        streams.put_line(encode_event(event))
    except BrokenPipeError:
        session.steering.stop("reader of --json gone", ExitCode.FAILED)
    except OutputError as error:
        error_line(str(error))
        session.steering.stop("--json cannot be written", error.exit_code)
    else:
        return True
    close_output()
    return False


def _conclude(terminal: RunFinished | RunFailed | RunStopped, *, as_json: bool) -> int:
    """Show the result or the error; the exit code."""
    from nexus_engine.events import RunFailed, RunFinished, RunStopped
    from nexus_tui.terminal import streams
    from nexus_tui.words.render import result_lines

    match terminal:
        case RunFinished():
            if not as_json:
                streams.put(*result_lines(terminal))
            return int(ExitCode.OK)
        case RunFailed():
            error_line(terminal.message)
            return terminal.exit_code
        case RunStopped():
            return terminal.exit_code
