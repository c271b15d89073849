"""Steering from this process and from others; events report a pause and its end."""

from __future__ import annotations

import stat
import threading
import time

import pytest

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.events import DendritesAdded, PauseChanged, RunStopped, Step, SwitchSettled
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.requests import ControlFile
from nexus_engine.session import Session
from nexus_engine.training.steering import Steering, StopAsked


def test_a_run_takes_requests_made_after_its_start_only(tmp_path):
    ControlFile(tmp_path).send("grow")
    reader = ControlFile(tmp_path, poll_seconds=0.0)
    assert reader.take() == []
    other = ControlFile(tmp_path)
    other.send("pause")
    other.send("resume")
    assert reader.take() == ["pause", "resume"]
    assert reader.take() == []
    assert stat.S_IMODE((tmp_path / "control.jsonl").stat().st_mode) == 0o600


def test_invalid_lines_are_skipped_and_half_a_line_waits(tmp_path):
    reader = ControlFile(tmp_path, poll_seconds=0.0)
    with (tmp_path / "control.jsonl").open("ab") as file:
        file.write(b'\xff\n{"ask": "explode"}\n[]\n{"ask": "stop"')
        file.flush()
        assert reader.take() == []
        file.write(b"}\n")
    assert reader.take() == ["stop"]


def test_a_pause_lasts_until_another_process_resumes_the_run(tmp_path):
    steering = Steering(ControlFile(tmp_path))
    other = ControlFile(tmp_path)
    other.send("pause")
    steering.check()
    assert steering.paused
    threading.Timer(0.3, other.send, ("resume",)).start()
    begun = time.monotonic()
    steering.wait_while_paused()
    assert 0.2 < time.monotonic() - begun < 10


def test_a_stop_ends_a_pause(tmp_path):
    steering = Steering(ControlFile(tmp_path))
    steering.pause()
    ControlFile(tmp_path).send("stop")
    with pytest.raises(StopAsked) as caught:
        steering.wait_while_paused()
    assert caught.value.reason.exit_code == 143


def test_a_live_run_is_paused_grown_rolled_back_and_stopped_from_outside(home, small_data):
    settings = resolve(
        TrainConfig(
            data=str(small_data), tune="adapter", epochs=500, switch_epochs=(400,), threads=1
        )
    )
    session = Session(settings, RunFolder.create(home / "run", "r"))
    watched = session.subscribe()
    other = ControlFile(session.folder.path)
    session.start()
    seen = []

    def until(kind, **fields):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for event in watched.drain():
                seen.append(event)
                if isinstance(event, kind) and all(
                    getattr(event, name) == value for name, value in fields.items()
                ):
                    return event
            time.sleep(0.02)
        raise AssertionError(f"no {kind.__name__} among {[type(e).__name__ for e in seen[-9:]]}")

    until(Step)
    other.send("pause")
    until(PauseChanged, paused=True)
    time.sleep(0.3)
    assert not [event for event in watched.drain() if isinstance(event, Step)]
    other.send("resume")
    until(PauseChanged, paused=False)
    until(Step)
    other.send("grow")
    assert until(DendritesAdded).switch == 1
    until(Step)
    other.send("roll_back")
    assert not until(SwitchSettled).kept
    other.send("stop")
    stopped = until(RunStopped)
    assert (stopped.reason, stopped.exit_code) == ("stop", 143)
    assert session.wait(10)
    assert session.ended == stopped
