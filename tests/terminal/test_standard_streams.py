"""Streams that cannot be written: messages are dropped, results end the command."""

import errno
import os

import pytest

from nexus_tui.terminal import standard_streams, streams
from nexus_tui.terminal.failures import report
from nexus_tui.terminal.standard_streams import OutputError, Talk


@pytest.fixture
def full():
    with open("/dev/full", "w") as file:
        yield file
        standard_streams.lose(file)


@pytest.fixture
def unread():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        yield file
        standard_streams.lose(file)


@pytest.mark.parametrize("kind", ["full", "unread"])
def test_talk_that_cannot_be_written_is_dropped_for_good(request, monkeypatch, kind):
    file = request.getfixturevalue(kind)
    monkeypatch.setattr("sys.stderr", file)
    for _ in range(3):
        streams.say("a line", "another")
    report(ValueError())
    Talk(file).write("more")
    file.flush()  # as the interpreter does at its end: nothing is left to fail


def test_a_result_without_a_reader_is_a_broken_pipe_and_not_the_program_s_end(monkeypatch, unread):
    monkeypatch.setattr("sys.stdout", unread)
    with pytest.raises(BrokenPipeError):
        streams.put("a line")
    with pytest.raises(BrokenPipeError):
        streams.put_line("a line")


def test_a_result_on_a_full_device_ends_with_4(monkeypatch, full, capfd):
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(OutputError, match="stdout: No space left on device") as caught:
        streams.put_line("a line")
    assert report(caught.value) == 4
    assert OutputError(OSError(errno.EIO, "Input/output error")).exit_code == 1


def test_an_exception_waits_for_the_training_to_stop():
    from nexus_tui.cli.commands.train import _stopped_before_leaving

    class Session:
        alive, reasons = True, []

        @property
        def steering(self):
            return self

        def stop(self, *reason):
            self.reasons.append(reason)

        def wait(self, seconds):
            self.alive = len(self.reasons) == 0

    session = Session()
    with pytest.raises(SystemExit), _stopped_before_leaving(session):
        raise SystemExit(1)
    assert session.reasons
    assert not session.alive
