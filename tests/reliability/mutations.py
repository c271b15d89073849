"""Broken engines: each mutation takes away one safeguard, and the named check must notice.

`python tests/reliability --mutations` applies each and prints whether it was caught. A check that
passes under its mutation cannot fail, and is a defect of the suite.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from reliability import (
    check_folder,
    check_keys,
    check_kills,
    check_limits,
    check_openings,
    check_power,
    check_private,
    check_resume,
    check_saving,
    check_screens,
    check_signals,
    check_streams,
    check_trouble,
)
from reliability.hostile_mutations import HOSTILE_MUTATIONS
from reliability.label_mutations import LABEL_MUTATIONS
from reliability.mutating import MUTATIONS, Mutation, applied, here, put
from reliability.outcome import Outcome
from reliability.output_mutations import OUTPUT_MUTATIONS
from reliability.saving_mutations import (
    best_forgotten,
    card_before_weights,
    dropout_begun_again,
    epoch_begun_again,
    guard_count_begun_again,
    keep_weight_forgotten,
    negatives_forgotten,
    no_cleaning,
    no_fsync_of_files,
    no_fsync_of_folders,
    no_manifest_check,
    optimizer_lost,
    patience_reset,
    prune_first,
    write_in_place,
)
from reliability.sweep_mutations import SWEEP_MUTATIONS

__all__ = ["MUTATIONS"]


# Signals, trouble, the log, the lock


def _hangup_unhandled() -> None:
    from nexus_tui.terminal import signals

    put(signals, "STOPS", {n: s for n, s in signals.STOPS.items() if n != signal.SIGHUP})


def _no_save_at_a_stop() -> None:
    from nexus_engine.training.run import _Run

    def stopped(self: Any, stop: Any) -> Iterator[Any]:
        self.loop = None
        yield from made(self, stop)

    made = _Run.stopped
    put(_Run, "stopped", stopped)


def _full_disk_ignored() -> None:
    from nexus_engine.runs import failures as run_failures

    put(run_failures, "OUT_OF_ROOM", ())


def _cpu_memory_unknown() -> None:
    from nexus_engine.system import shortages

    put(shortages, "NO_MEMORY", ())


def _nan_unseen() -> None:
    from nexus_engine.training.arm.loop import ArmLoop

    put(ArmLoop, "_check_finite", lambda self, loss, norm: None)


def _torn_line_stays() -> None:
    from nexus_engine.disk import growing_lines

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return (lambda *given: b"\n") if name == "pread" else getattr(os, name)

    put(growing_lines, "os", Blind())


def _no_lock() -> None:
    from nexus_engine.disk import lock as run_lock

    put(run_lock, "_try_lock", lambda handle, operation: True)


# Privacy


def _umask_decides() -> None:
    from nexus_engine.disk import files

    class Plain:
        def __getattr__(self, name: str) -> Any:
            if name in ("chmod", "fchmod"):
                return lambda *given: None
            return getattr(os, name)

    put(files, "os", Plain())


def _messages_quote() -> None:
    from nexus_engine.runs import failures as run_failures
    from nexus_engine.training import run as training

    def quoting(error: Exception, folder: Path) -> Any:
        return run_failures._failed(type(error).__name__, str(error), run_failures.ExitCode.FAILED)

    put(training, "failure", quoting)


def _pickled_weights() -> None:
    import io

    import torch

    from nexus_engine.runs import saved_model

    def load(path: Path) -> Any:
        content = io.BytesIO()
        torch.save(made(path), content)
        content.seek(0)
        return torch.load(content, weights_only=False)

    made = saved_model.load_file
    put(saved_model, "load_file", load)


def _calls_home() -> None:
    import socket

    from nexus_engine.training import inputs

    def load(*given: Any, **named: Any) -> Any:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=0.2)
        return made(*given, **named)

    made = inputs.load_data
    put(inputs, "load_data", load)


# The app


def _strict_decoding() -> None:
    import codecs

    from nexus_tui.app.terminal.key_reader import KeyReader

    def begin(reader: KeyReader, *given: Any, **named: Any) -> None:
        made(reader, *given, **named)
        reader._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    made = KeyReader.__init__
    put(KeyReader, "__init__", begin)


def _drawn_too_soon() -> None:
    from nexus_tui.app.kit.frame import NexusScreen

    put(NexusScreen, "is_mounted", property(lambda screen: screen.is_attached))


def _closes_any_screen() -> None:
    from textual.screen import Screen

    from nexus_tui.app.kit.closing import ClosesOnce

    put(ClosesOnce, "dismiss", Screen.dismiss)


def _hangup_ends_the_app() -> None:
    from nexus_tui.app import terminal_signals

    put(terminal_signals, "ENDINGS", {signal.SIGTERM: "terminated"})


# Streams and locales


def _rich_ends_the_program() -> None:
    from rich.console import Console

    from nexus_tui.terminal import streams

    put(streams._Console, "on_broken_pipe", Console.on_broken_pipe)
    put(streams, "Talk", lambda stream: stream)


def _pending_output_stays() -> None:
    from nexus_tui.terminal import failures, standard_streams

    put(standard_streams, "lose", lambda stream: None)
    put(failures, "lose", lambda stream: None)


def _closed_streams_stay_closed() -> None:
    from nexus_tui.terminal import standard_streams

    put(standard_streams, "open_closed", lambda: None)


def _the_locale_decides() -> None:
    from nexus_tui.cli.commands import similarity

    put(similarity, "typed_text", lambda argument, name: argument)


# Limits: these are applied in the commands' own processes

NO_TRIAL = """
from nexus_engine.system import shortages
from nexus_tui.cli import main as cli
cli.try_memory = lambda command: None
"""


NO_ROOM = "from nexus_engine.system import shortages; shortages.OUT_OF_ROOM = ()"


def _nothing_here() -> None:
    """The mutation is in the Python that the check gives to its commands."""


# The list


def _killed(place: Path, name: str) -> Outcome:
    return check_saving.killed_at_each_operation(place, ("half", "after"), name)


def _left_behind(place: Path, name: str) -> Outcome:
    """The judge's own next save is mutated: it is what must clear up."""
    with applied(name):
        return check_saving.killed_at_each_operation(place, ("half",))


def _resumed(*points: str) -> Callable[[Path, str], Outcome]:
    return lambda place, name: check_resume.resumed_everywhere(place, points, name)


def _signalled(place: Path, name: str) -> Outcome:
    return check_signals.signalled(place, 1, name)


def _hung_up(place: Path, name: str) -> Outcome:
    return check_signals.signalled(place, 1, name, numbers=(signal.SIGHUP,))


def _disk(place: Path, name: str) -> Outcome:
    return check_trouble.disk_fails(place, [60], (28,), name)


def _memory(place: Path, name: str) -> Outcome:
    return check_trouble.trouble(place, ["cpu in train"], 4, "memory", name)


def _streams(name: str, *, stdout: str = "file", stderr: str = "file") -> Any:
    kind = check_streams.Streams(stdout=stdout, stderr=stderr)
    return lambda place, mutation: check_streams.streams_close(place, [name], [kind], mutation)


def _numbers(place: Path, name: str) -> Outcome:
    return check_trouble.trouble(place, ["nan in loss"], 5, "numbers", name)


def _noise(place: Path, name: str) -> Outcome:
    return check_keys.typed(place, 2, 8, name)


def _hung_up_screen(place: Path, name: str) -> Outcome:
    return check_screens.screens(place, [("the form", "HUP", True)], name)


_LISTED: dict[str, Mutation] = {
    "write in place": Mutation("run.json is written in place", write_in_place, _killed),
    "card first": Mutation("old weights go before the new card", card_before_weights, _killed),
    "prune first": Mutation("old checkpoints go before the new", prune_first, _killed),
    "no cleaning": Mutation("what a killed save left is never removed", no_cleaning, _left_behind),
    "no manifest": Mutation(
        "the loader believes any folder",
        no_manifest_check,
        here(lambda place: check_folder.damaged(place, 8, load=False)),
    ),
    "files not pushed": Mutation(
        "no fsync of files", no_fsync_of_files, here(check_power.cut_at_each_moment)
    ),
    "folders not pushed": Mutation(
        "no fsync of folders", no_fsync_of_folders, here(check_power.cut_at_each_moment)
    ),
    "dropout again": Mutation(
        "a resume draws its dropout from the start", dropout_begun_again, _resumed("in an epoch")
    ),
    "optimizer lost": Mutation(
        "a resume begins with an empty optimizer", optimizer_lost, _resumed("in an epoch")
    ),
    "patience reset": Mutation(
        "a resume resets patience", patience_reset, _resumed("while patience runs")
    ),
    "epoch again": Mutation(
        "a resume begins its epoch again", epoch_begun_again, _resumed("in an epoch")
    ),
    "best forgotten": Mutation(
        "a resume forgets the best", best_forgotten, _resumed("while patience runs")
    ),
    "negatives forgotten": Mutation(
        "a resume has no hard negatives", negatives_forgotten, _resumed("on questions, at look 5")
    ),
    "keep weight forgotten": Mutation(
        "a resume rehearses nothing", keep_weight_forgotten, _resumed("on questions, at look 5")
    ),
    "guard count again": Mutation(
        "a resume counts to the next check of the guard from zero",
        guard_count_begun_again,
        _resumed("on questions, at look 5"),
    ),
    "kills, dropout": Mutation(
        "a resume draws its dropout from the start",
        dropout_begun_again,
        lambda place, name: check_kills.killed_at_random(place, 8, name),
    ),
    "hang-up": Mutation("SIGHUP is not handled", _hangup_unhandled, _hung_up, "SIGHUP"),
    "no save at a stop": Mutation("a stop saves nothing", _no_save_at_a_stop, _signalled),
    "full disk": Mutation("a full disk is any error", _full_disk_ignored, _disk),
    "memory of the CPU": Mutation("torch's words are not known", _cpu_memory_unknown, _memory),
    "NaN": Mutation("a loss that is NaN is trained on", _nan_unseen, _numbers),
    "torn line": Mutation(
        "the log is written on behind a torn line",
        _torn_line_stays,
        here(check_folder.log_cut_anywhere),
    ),
    "no lock": Mutation(
        "nobody holds the lock",
        _no_lock,
        lambda place, name: check_folder.locked(place, 1, name),
        "told:",
    ),
    "umask": Mutation("the umask decides on modes", _umask_decides, check_private.modes, " has 0"),
    "quotes": Mutation(
        "an error's text is shown", _messages_quote, check_private.canaries, "a canary is in"
    ),
    "pickle": Mutation(
        "weights are pickled", _pickled_weights, check_private.nothing_opened, "pickle."
    ),
    "Rich": Mutation(
        "a pipe without a reader ends the program",
        _rich_ends_the_program,
        _streams("train", stderr="gone"),
        "exit 1",
    ),
    "pending": Mutation(
        "what cannot be flushed stays in its stream",
        _pending_output_stays,
        _streams("version", stdout="full"),
        "exit 120",
    ),
    "closed": Mutation(
        "a closed stream stays closed",
        _closed_streams_stay_closed,
        _streams("config", stdout="closed"),
        "exit",
    ),
    "locale": Mutation(
        "the locale decides how a sentence is read",
        _the_locale_decides,
        check_streams.other_locales,
        "in ascii",
    ),
    "no trial": Mutation(
        "memory is not tried in a child first",
        _nothing_here,
        lambda place, _: check_limits.memory_limited(place, ["similarity"], (100,), NO_TRIAL),
        "exit 1",
    ),
    "memory unknown": Mutation(
        "libraries' words for no memory are not known",
        _nothing_here,
        lambda place, _: check_limits.memory_limited(
            place, ["similarity"], (300,), NO_TRIAL + "shortages.NO_MEMORY = ()"
        ),
        "internal error",
    ),
    "full report": Mutation(
        "a report takes a full disk for any error",
        _nothing_here,
        lambda place, _: check_limits.full_disk(place, ["report"], (0,), NO_ROOM),
        "exit 2",
    ),
    "calls home": Mutation(
        "loading opens a socket", _calls_home, check_private.nothing_opened, "socket."
    ),
    "strict keys": Mutation("what is no text ends the app", _strict_decoding, _noise, "is deaf"),
    "drawn too soon": Mutation(
        "a screen is drawn before it is there",
        _drawn_too_soon,
        here(lambda place: check_openings.opened(place, 30, (2,), light=True)),
        "NoMatches",
    ),
    "closed twice": Mutation(
        "a second key closes another screen",
        _closes_any_screen,
        here(check_openings.closed_twice),
        "ScreenStackError",
    ),
    "hang-up of the app": Mutation(
        "the app does not listen to SIGHUP", _hangup_ends_the_app, _hung_up_screen, "live"
    ),
}

MUTATIONS.update(_LISTED)
MUTATIONS.update(SWEEP_MUTATIONS)
MUTATIONS.update(HOSTILE_MUTATIONS)
MUTATIONS.update(LABEL_MUTATIONS)
MUTATIONS.update(OUTPUT_MUTATIONS)
