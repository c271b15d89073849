"""The overview of a long log, and reading on as it grows."""

from __future__ import annotations

import itertools

import pytest
from app_support import started, step, whole_run, write_run

from nexus_engine.event_lines import encode_event
from nexus_engine.events import Step
from nexus_engine.runs.event_reading import EventLog


@pytest.fixture
def log(tmp_path):
    return write_run(tmp_path, "r", whole_run()) / "events.jsonl"


def test_a_short_log_is_read_whole_and_in_order(log):
    assert EventLog(log).overview() == whole_run()


def test_a_long_log_gives_all_other_events_and_even_steps_with_the_last(tmp_path):
    events = [started()]
    events += [step(n, n / 1000) for n in range(1, 5001)]
    events[2500:2500] = [event for event in whole_run() if not isinstance(event, Step)]
    log = write_run(tmp_path, "r", events) / "events.jsonl"
    overview = EventLog(log).overview(steps=100)
    steps = [event.step for event in overview if isinstance(event, Step)]
    others = [event for event in events if not isinstance(event, Step)]
    assert [event for event in overview if not isinstance(event, Step)] == others
    assert len(steps) == 100
    assert (steps[0], steps[-1]) == (1, 5000)
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 52
    assert steps == sorted(steps)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_later_lines_are_read_once_and_a_torn_line_once_it_is_complete(log, cut):
    reader = EventLog(log)
    assert len(reader.overview()) == len(whole_run())
    line = (encode_event(step(500)) + "\n").encode()
    with log.open("ab") as file:
        file.write(line[:cut])
        file.flush()
        assert reader.read_new() == []
        file.write(line[cut:])
    assert reader.read_new() == [step(500)]
    assert reader.read_new() == []


def test_damaged_lines_are_passed_over(log):
    with log.open("ab") as file:
        file.write(b"\x00\xff garbage\n\n[1]\n" + encode_event(step(7)).encode() + b"\n")
    assert EventLog(log).overview()[-1] == step(7)


def test_a_missing_log_and_an_empty_one_have_no_events(tmp_path):
    assert EventLog(tmp_path / "none").overview() == []
    assert EventLog(tmp_path / "none").read_new() == []
    (tmp_path / "empty").touch()
    assert EventLog(tmp_path / "empty").overview() == []
