"""The lines that an event of a run leaves on the screen. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import assert_never

from rich.text import Text

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.events import (
    CheckpointSaved,
    DendritesAdded,
    EpochStarted,
    Evaluated,
    Evaluating,
    Event,
    GuardChecked,
    Log,
    PauseChanged,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Step,
    SwitchSettled,
    Warned,
)
from nexus_engine.runs.run_view import ArmView, RunView
from nexus_tui.words.formats import correlation, count, epochs_words, gain, shown_path, size
from nexus_tui.words.metrics import lead_name, run_counts

__all__ = ["lines_of", "resume_command", "resume_sweep_command", "run_reference"]


def lines_of(view: RunView, event: Event, *, verbose: bool = False) -> list[Text]:
    """The lines to print for `event`; `view` already includes it.

    A failure has no line here, because the command itself reports it.
    """
    arm = view.arm(event.arm)
    lead = "" if arm.name == "main" else f"[{one_line(arm.label, 60)}] "
    match event:
        case RunStarted():
            return _start(event)
        case EpochStarted() | Step() | RunFinished() | RunFailed():
            return []
        case Evaluated():
            return _evaluation(arm, event, lead, verbose)
        case DendritesAdded():
            return [Text(lead + _growth(arm, event), style="cyan")]
        case SwitchSettled():
            change = f"{correlation(event.before)} -> {correlation(event.after)}"
            if event.kept:
                return [Text(f"{lead}switch {event.switch} kept: {change}", style="green")]
            line = f"{lead}switch {event.switch} rolled back: {change}, its dendrites are removed"
            return [Text(line, style="yellow")]
        case CheckpointSaved():
            if not verbose:
                return []
            figures = f"{size(event.size_bytes)} in {event.save_seconds:.2f} s"
            return [Text(f"{lead}checkpoint {one_line(event.path, 100)}: {figures}", style="dim")]
        case PauseChanged():
            return [Text(f"{lead}{'paused' if event.paused else 'continuing'}", style="yellow")]
        case GuardChecked():
            if not verbose:
                return []
            words = f"guard's steering half {correlation(event.steering_spearman)} "
            words += f"(base {correlation(event.base_steering_spearman)}), "
            words += f"rehearsal {event.keep_weight:g} from now on"
            return [Text(f"{lead}{words}", style="dim")]
        case Evaluating():
            return []
        case Log():
            return [Text(f"{lead}{one_line(event.message)}", style="dim")]
        case Warned():
            return [Text(f"{lead}warning: {one_line(event.message)}", style="yellow")]
        case RunStopped():
            return _stop(view, event)
        case _:
            assert_never(event)


def _start(event: RunStarted) -> list[Text]:
    verb = "resumed" if event.resumed else "started"
    length = epochs_words(event.epochs, event.epochs_per_pass)
    plan = f"--tune {event.tune}, {length}, batch {event.batch_size}, "
    plan += f"seed {event.seed}; {event.device}, {event.precision}, {event.threads} threads"
    return [
        Text(
            f"run {verb}: {one_line(event.name, 100)} on {one_line(event.data, 60)}: "
            f"{run_counts(event)}"
        ),
        Text(f"  {plan}"),
    ]


def _evaluation(arm: ArmView, event: Evaluated, lead: str, verbose: bool) -> list[Text]:
    named = lead_name(event.metric)
    if event.split == "test":
        if not verbose:  # the table at the end shows it
            return []
        weights = "base model" if event.epoch == 0 else f"weights of epoch {event.epoch}"
        return [Text(f"{lead}test {named}{correlation(event.score)} ({weights})", style="dim")]
    if event.epoch == 0:
        return [Text(f"{lead}base model: dev {named}{correlation(event.score)}")]
    base = arm.base_score
    over_base = "" if base is None else f" ({gain(event.score - base)} over base)"
    dev = f"{named}{correlation(event.score)}{over_base}"
    line = Text(f"{lead}epoch {event.epoch}/{arm.epochs}: dev {dev}")
    line.append(f", guard {correlation(event.guard_spearman)}")
    if event.keep_weight:
        line.append(f", rehearsal {event.keep_weight:g}")
    if event.is_best:
        line.append(", best so far", style="green")
    return [line]


def _growth(arm: ArmView, event: DendritesAdded) -> str:
    switch = next((s for s in arm.switches if s.switch == event.switch), None)
    units = event.units if switch is None else switch.units
    noun = "unit" if units == 1 else "units"
    line = f"+ dendrites: switch {event.switch}, {count(units)} {noun}, "
    line += f"{count(event.params_added)} parameters"
    if event.params_added_total != event.params_added:
        line += f" ({count(event.params_added_total)} in total)"
    return line


def _stop(view: RunView, event: RunStopped) -> list[Text]:
    place = f" in epoch {event.epoch}, step {event.step}" if event.step else ""
    line = f"stopped ({one_line(event.reason, 40)}){place}"
    if view.started is None:
        return [Text(f"{line} before the run began; there is nothing to resume", style="yellow")]
    command = resume_command(view.started.name, view.started.run_dir)
    return [Text(f"{line}; resume with: {command}", style="yellow")]


def resume_command(name: str, run_dir: str) -> str:
    """The command that resumes a run."""
    return f"nexus train --resume {shown_path(run_reference(name, run_dir))}"


def run_reference(name: str, run_dir: str) -> str:
    """How commands refer to a run: by its name if that is enough, else by its folder."""
    from nexus_engine.runs.folder import runs_root

    return name if _is_in(runs_root, name, run_dir) else run_dir


def resume_sweep_command(name: str, sweep_dir: str) -> str:
    """The command that resumes a sweep, by its name or its folder."""
    from nexus_engine.sweeps.folder import sweeps_root

    by_name = _is_in(sweeps_root, name, sweep_dir)
    return f"nexus sweep --resume {shown_path(name if by_name else sweep_dir)}"


def _is_in(root: Callable[[], Path], name: str, folder: str) -> bool:
    """Whether `name` alone finds `folder` under `root`. Without a home folder, no name does."""
    try:
        return folder == str(root() / name)
    except ConfigError:
        return False
