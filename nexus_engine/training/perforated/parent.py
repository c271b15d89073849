"""The parent's side: start the child, pass on its events, and read its weights back.

The result is measured here: the best weights, read from the child's file into our own modules, must
give the dev Spearman that the child reported.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nexus_engine.disk.json_text import revive
from nexus_engine.errors import ConfigError, ExitCode, ModelError, RunError, one_line
from nexus_engine.event_lines import decode_event
from nexus_engine.events import Event
from nexus_engine.growth import GrowthState
from nexus_engine.model.regimes import build_model
from nexus_engine.runs.requests import ControlFile
from nexus_engine.scores import SwitchRecord
from nexus_engine.scoring.judging import run_through
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.snapshots import BestWeights
from nexus_engine.training.arm.spec import ArmProgress, ArmSpec
from nexus_engine.training.perforated.job import Best, Done, Failed, Job, Message, write_job
from nexus_engine.training.perforated.readback import plain_snapshot
from nexus_engine.training.perforated_check import require_perforatedai
from nexus_engine.training.preparation import Prepared
from nexus_engine.training.steering import Steering

__all__ = ["Trained", "train_by_library"]

POLL_SECONDS = 0.2
MAX_DIFFERENCE = 1e-6
"""Largest difference in dev Spearman between the library and our own modules."""


class Trained(NamedTuple):
    """A trained arm, its best weights in our own modules, and its settled switches."""

    arm: Arm
    records: tuple[SwitchRecord, ...]


def train_by_library(
    prepared: Prepared,
    spec: ArmSpec,
    steering: Steering,
    keep_best: Callable[[Arm], None],
) -> Generator[Event, None, Trained]:
    """Train the arm `spec` by the library in a child process; yields its events.

    `keep_best` is called at each new best, with an arm that has these weights in our own modules.
    Returns the trained arm with its best weights restored.

    Raises:
        StopAsked: a stop was requested; the child is gone, and a resume starts from scratch.
        ConfigError: the library is not installed.
        ModelError: the library does not behave as version 3.2.9 does.
        RunError: the child died.
    """
    require_perforatedai()
    model = build_model(prepared.inputs.base, spec.settings.tune, spec.settings.dropout)
    model.to(prepared.inputs.hardware.device)
    arm = Arm(spec, model, prepared.corpus, prepared.inputs.hardware, prepared.features)
    folder = Path(tempfile.mkdtemp(prefix="nexus-perforatedai-"))  # mkdtemp sets mode 0700
    try:
        _write_job(folder, prepared, spec)
        done: Done | None = None
        child = _Child(folder)
        try:
            for item in child.lines(steering):
                match item:
                    case Best():
                        _load_best(arm, folder, item)
                        keep_best(arm)
                    case Done():
                        done = item
                    case Failed():
                        raise _error(item)
                    case _:
                        yield item
            child.require_end(done)
        finally:
            child.end()
        assert done is not None
        arm.progress = msgspec.convert(done.progress, ArmProgress)
        arm.growth = msgspec.convert(done.growth, GrowthState)
        arm.restore(arm.best.weights)
        _check_best(arm, steering)
        return Trained(arm, tuple(msgspec.convert(r, SwitchRecord) for r in done.records))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_job(folder: Path, prepared: Prepared, spec: ArmSpec) -> None:
    baseline = prepared.baseline
    tensors = {
        "guard": torch.from_numpy(baseline.guard),
        "dev": torch.from_numpy(baseline.dev.values),
    }
    if prepared.features is not None:
        tensors["features"] = prepared.features
    job = Job(
        spec=spec,
        base_folder=str(prepared.inputs.base.folder),
        baseline=baseline.measured,
        threads=prepared.inputs.hardware.threads,
    )
    write_job(folder, job, tensors)


def _load_best(arm: Arm, folder: Path, best: Best) -> None:
    """Load the weights of `best` into the arm, as its best."""
    try:
        tensors = load_file(folder / Path(best.file).name)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"perforatedai: its weights cannot be read ({one_line(error, 80)})"
        ) from None
    cosines = tensors.pop("cosines").numpy()
    device = arm.model.device
    weights = {name: t.to(device) for name, t in plain_snapshot(tensors).items()}
    if arm.spec.settings.tune != "full":
        weights = {name: t for name, t in weights.items() if not name.startswith("encoder.")}
    arm.best = BestWeights(weights, best.measured, cosines)
    arm.restore(weights)


def _check_best(arm: Arm, steering: Steering) -> None:
    """Check that the best weights, in our own modules, give what the child measured."""
    best = arm.best.measured
    if best.epoch == 0:
        return
    arm.model.eval()
    dev = run_through(arm.judge.judge(arm.embed, "dev", steering.check))
    if not abs(dev.score - best.score) <= MAX_DIFFERENCE:
        raise ModelError(
            f"perforatedai measured a dev Spearman of {best.score:.7f}, but its weights give "
            f"{dev.score:.7f} in our own modules"
        )


def _error(failed: Failed) -> Exception:
    if failed.kind == "NexusError":
        kinds = {ExitCode.USAGE: ConfigError, ExitCode.DATA: ModelError}
        kind = kinds.get(ExitCode(failed.exit_code), RunError)
        return kind(failed.text)
    if failed.kind == "LibraryAsked":
        return RunError(
            f"perforatedai stopped to ask or gave up ({failed.text}); version 3.2.9 was tested"
        )
    if failed.exit_code == int(ExitCode.RESOURCES):
        return MemoryError()
    return RunError(f"perforatedai's process failed: {failed.text}")


class _Child:
    """The child process and the pipe on which it reports."""

    def __init__(self, folder: Path) -> None:
        self._control = ControlFile(folder)
        self._paused = False
        self._read, write = os.pipe()
        root = str(Path(__file__).parents[3])
        python_path = os.environ.get("PYTHONPATH")
        with (folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "nexus_engine.training.perforated.child"),
                    *(str(folder), str(write), str(os.getpid())),
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # no access to our terminal; Ctrl-C reaches only us
                env={
                    **os.environ,
                    "PYTHONPATH": f"{python_path}{os.pathsep}{root}" if python_path else root,
                },
            )
        os.close(write)

    def lines(self, steering: Steering) -> Iterator[Event | Message]:
        """The events and messages of the child, until it closes its pipe."""
        rest = b""
        while True:
            self._check(steering)
            ready, _, _ = select.select([self._read], [], [], POLL_SECONDS)
            if not ready:
                continue
            chunk = os.read(self._read, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _decoded(line)

    def _check(self, steering: Steering) -> None:
        """Check for a stop; pass the start and the end of a pause on to the child."""
        if steering.paused != self._paused:
            self._paused = steering.paused
            with contextlib.suppress(OSError):
                self._control.send("pause" if self._paused else "resume")
        steering.check()

    def require_end(self, done: Done | None) -> None:
        """Wait for the end of a child that has closed its pipe.

        Raises:
            RunError: the child has not sent `done`.
        """
        code = self._process.wait()
        if done is None:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise RunError(f"perforatedai's process ended before the training did ({cause})")

    def end(self) -> None:
        """Kill the child if it still runs, and close the pipe."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._read)


def _decoded(line: bytes) -> Event | Message:
    try:
        fields: dict[str, Any] = revive(json.loads(line))
        if "message" in fields and "event" not in fields:
            message: Message = msgspec.convert(fields, type=Message)
            return message
    except (ValueError, TypeError, msgspec.ValidationError):
        raise RunError("perforatedai's process sent a line that cannot be read") from None
    return decode_event(line)
