"""Shortages of memory and disk: recognised in any wording, reported in one line with exit 4."""

import errno
import os
import signal
import time

import psutil
import pyarrow as pa
import pytest
import torch

from nexus_engine.errors import DataError, ExitCode, ModelError, ResourceError
from nexus_engine.runs.failures import failure
from nexus_engine.system.shortages import out_of_memory, out_of_room
from nexus_tui.cli import main as cli
from nexus_tui.cli import memory_trial
from nexus_tui.terminal import failures


def caused(error, reason):
    """`error`, raised `from None` while `reason` was handled."""
    try:
        try:
            raise reason
        except Exception:
            raise error from None
    except Exception as raised:
        return raised


def torch_on_the_cpu():
    try:
        torch.empty(1 << 50)
    except RuntimeError as error:
        return error
    raise AssertionError


MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    torch_on_the_cpu(),
    RuntimeError("unable to mmap 90868376 bytes from file </m>: Cannot allocate memory (12)"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ImportError("libgomp.so.1: cannot allocate memory"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    pa.ArrowMemoryError("malloc of size 4294967296 failed"),
    caused(ModelError("m: unreadable"), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
    caused(KeyError("half of a module"), MemoryError()),
]
ANYTHING_ELSE = [
    RuntimeError("shapes do not match"),
    ImportError("libgomp.so.1: cannot allocate memory in static TLS block"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    DataError("out of memory.csv: no such file"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", MEMORY, ids=repr)
def test_out_of_memory_is_known_to_commands_and_runs(error, tmp_path, capsys):
    assert out_of_memory(error)
    assert failures.report(error) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("nexus: error: out of memory")
    failed = failure(error, tmp_path)
    assert failed.exit_code == ExitCode.RESOURCES
    assert failed.message.startswith("out of memory")


@pytest.mark.parametrize("error", ANYTHING_ELSE, ids=repr)
def test_no_other_error_is_taken_for_it(error, tmp_path):
    assert not out_of_memory(error)
    assert failure(error, tmp_path).kind != "MemoryError"


def test_a_full_disk_is_known_through_what_it_led_to():
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert out_of_room(caused(ValueError("x"), full))
    assert not out_of_room(OSError(errno.EACCES, "no"))


# The trial run of a command's imports in a child


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def leaves():
    os._exit(1)


def half_imported():
    raise AttributeError("partially initialised")


def allocates():
    bytearray(1 << 40)


def waits():
    time.sleep(60)


@pytest.mark.parametrize("work", [is_killed, leaves, half_imported, allocates, waits])
def test_a_library_that_ends_or_hangs_without_memory_is_reported(work, monkeypatch, capsys):
    monkeypatch.setattr(memory_trial, "_limit_bytes", lambda: 4_000_000_000)
    monkeypatch.setattr(memory_trial, "TRIAL_SECONDS", 0.3 if work is waits else 20.0)
    monkeypatch.setitem(memory_trial.TRIALS, "runs", work)
    before = children()
    assert cli.main(["runs"]) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "nexus runs does not fit into the limit of 4 GB" in err
    assert children() <= before


def children():
    """The ids of child processes that have not been waited for."""
    return {child.pid for child in psutil.Process().children()}


def refuses():
    raise ModelError("not found")


@pytest.mark.parametrize("work", [lambda: None, refuses])
def test_a_command_that_fits_goes_on_and_says_itself_what_else_is_wrong(
    work, home, monkeypatch, capsys
):
    monkeypatch.setattr(memory_trial, "_limit_bytes", lambda: 4_000_000_000)
    monkeypatch.setitem(memory_trial.TRIALS, "runs", work)
    assert cli.main(["runs"]) == 0
    assert "no runs" in capsys.readouterr().err


def test_without_a_limit_there_is_no_trial(home, monkeypatch):
    monkeypatch.setitem(memory_trial.TRIALS, "runs", is_killed)
    monkeypatch.setattr(memory_trial, "_limit_bytes", lambda: None)
    assert cli.main(["runs"]) == 0


def test_an_interrupt_takes_the_child_with_it(monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(memory_trial.time, "sleep", interrupt)
    before = children()
    with pytest.raises(KeyboardInterrupt):
        memory_trial._passes(signal.pause, 4_000_000_000)
    assert children() <= before


def test_doctor_tells_in_which_check_memory_ran_out(monkeypatch, capsys):
    from nexus_tui.doctor import checks

    def forward_pass():
        raise RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12)")

    def demo():
        raise ModelError("damaged")

    results = [checks._guarded(forward_pass), checks._guarded(demo)]
    monkeypatch.setattr(checks, "all_checks", lambda: iter(results))
    assert cli.main(["doctor"]) == 4
    out = capsys.readouterr().out
    assert "forward pass: out of memory" in out
    assert "demo: damaged" in out


# A report on a disk that is full


def test_a_report_on_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    from nexus_engine.reports import writing

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    out = tmp_path / "out"

    def full(handle, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing, "write_all", full)
    assert cli.main(["report", str(tmp_path / "run"), "--out", str(out)]) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "No space left on device; make room" in err
    assert list(out.iterdir()) == []


def test_a_reports_temporary_name_cannot_be_prepared(tmp_path, monkeypatch):
    from nexus_engine.reports import writing

    victim = tmp_path / "victim"
    victim.write_text("kept")
    out = tmp_path / "shared"
    out.mkdir()
    (out / f"report.md.tmp-{os.getpid()}").symlink_to(victim)
    (out / "report.md").symlink_to(victim)
    old = out / "report.md.tmp-old"
    old.write_text("of a killed one")
    os.utime(old, (0, 0))
    temporaries, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (temporaries.append(a), replace(a, b)))
    writing._put(out / "report.md", "new")
    writing._put(out / "report.md", "newer")
    assert victim.read_text() == "kept"
    assert (out / "report.md").read_text() == "newer"
    assert not (out / "report.md").is_symlink()
    assert (out / "report.md").stat().st_mode & 0o777 == 0o600
    assert len(set(temporaries)) == 2
    assert not old.exists()


def test_a_report_folder_that_is_a_file_is_not_called_a_full_disk(tmp_path):
    from nexus_engine.reports.writing import write_report

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match=r"exists|directory") as caught:
        write_report([str(tmp_path / "run")], tmp_path / "file")
    assert not isinstance(caught.value, ResourceError)
    assert caught.value.exit_code == ExitCode.USAGE
