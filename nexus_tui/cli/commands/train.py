"""`nexus train`: one run, headless."""

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
BESIDE_RESUME = ("resume", "detach", "json", "verbose")


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
    **given: Any,
) -> None:
    """Train on pairs of sentences with scores, growing dendrites where they help.

    What is not given comes from NEXUS_EPOCHS and the like, from --config FILE.toml or the train
    table of ./nexus.toml, from that of your own nexus.toml, and last from the recipe.
    """
    from nexus_engine.config import resolve
    from nexus_engine.runs.resuming import resumable
    from nexus_tui.settings.training import asked_config

    if detach and forecast:
        raise UsageError("--forecast trains nothing that could be detached; leave one of them out")
    if resume is not None:
        _refuse_others(ctx)
        folder, settings = resumable(resume)
    else:
        values = {name: value for name, value in given.items() if value is not None}
        settings = resolve(asked_config(values, config))
    if forecast:
        _show_forecast(settings, as_json=json)
        return
    if detach:
        raise typer.Exit(_detach(ctx, settings, as_json=json))
    from nexus_engine.runs.folder import RunFolder, remove_unstarted
    from nexus_engine.session import Session  # torch comes here, before the folder is made

    place = None if out is None else user_path(out)
    made = place is None or not place.exists()
    if resume is None:
        folder = RunFolder.create(place, _label(settings))
    session = Session(settings, folder, resume=resume is not None)
    try:
        with _stopped_before_leaving(session):
            terminal = _follow(session, as_json=json, verbose=verbose)
    finally:
        if session.wait(0):
            remove_unstarted(folder, keep_folder=not made)
    raise typer.Exit(_conclude(terminal, as_json=json))


def _show_forecast(settings: Settings, *, as_json: bool) -> None:
    """What the run will cost, by a short measured probe."""
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
    """Start the run in a process of its own; the exit code. All that is asked was checked here."""
    from nexus_engine.runs.folder import find_run, reserve_folder
    from nexus_tui.work.background import start_detached

    resume, out = ctx.params["resume"], ctx.params["out"]
    if resume is not None:
        folder = find_run(resume).path
        return start_detached(["train", "--resume", str(folder)], folder, as_json=as_json)
    given = None if out is None else user_path(out).absolute()
    folder = given or reserve_folder(_label(settings))
    arguments = ["train", *_options_given(ctx), "--out", str(folder)]
    try:
        return start_detached(arguments, folder, as_json=as_json)
    finally:
        if out is None:
            with contextlib.suppress(OSError):  # holds a run, or nothing where none began
                folder.rmdir()


def _options_given(ctx: typer.Context) -> list[str]:
    """The settings of this command line as arguments; variables and files hold for a child too."""
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


def _refuse_others(ctx: typer.Context) -> None:
    """A resumed run has its settings; options beside --resume would be silently without effect."""
    others = [
        "--" + name.replace("_", "-")
        for name in ctx.params
        if name not in BESIDE_RESUME and _on_command_line(ctx, name)
    ]
    if others:
        raise UsageError(
            f"--resume takes the run's own settings; leave out {', '.join(others)}, "
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
        alive = session.alive  # asked before draining: what came last is then in the queue
        for event in subscription.drain():
            yield event
            if isinstance(event, TERMINAL_EVENTS):
                return
        if not alive:
            raise RunError("internal error: the training ended without a word; see its events")
        yield None
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _stopped_before_leaving(session: Session) -> Iterator[None]:
    """Whatever is raised inside, the run saves a checkpoint and ends before it goes on.

    An interpreter that ends while a thread still computes is aborted by torch.
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
    """Run the session to its end, showing it; the terminal event."""
    from nexus_tui.cli.progress import RunProgress
    from nexus_tui.terminal.signals import steered_by_signals

    told = False
    with steered_by_signals(session.steering) as asked, RunProgress(verbose=verbose) as progress:
        for event in _events(session):
            # A stderr that nobody reads does not end a training: its folder has all that is shown.
            if event is not None:
                progress.show(event)
            elif asked.stop and not told:
                told = True
                progress.note("stopping: saving a checkpoint (Ctrl-C once more ends at once)")
            progress.draw()
            if event is not None and as_json:
                as_json = _delivered(event, session)
        ended = progress.view.ended
    session.wait()
    assert ended is not None
    return ended


def _delivered(event: Event, session: Session) -> bool:
    """Write `event` on stdout; False where that fails, and the run is then asked to stop."""
    from nexus_engine.events import encode_event
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
