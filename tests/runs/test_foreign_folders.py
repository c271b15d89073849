"""Run folders made by somebody else: writers follow no link, and readers bound what they read."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import time

import msgspec
import pytest
import torch
from app_support import evaluated, finished, started, step, whole_run, write_run

from nexus_engine.config import TrainConfig, check_numbers, resolve
from nexus_engine.disk.growing_lines import READ_AT_ONCE, LineTail, append_line
from nexus_engine.disk.json_text import parse_json
from nexus_engine.disk.lock import is_held
from nexus_engine.disk.regular_files import next_data
from nexus_engine.errors import ConfigError, ModelError, RunError
from nexus_engine.event_lines import decode_event, encode_event
from nexus_engine.model.base_model import find_base_model
from nexus_engine.runs import checkpoints, saved_model
from nexus_engine.runs.audit import note_use
from nexus_engine.runs.event_reading import EventLog
from nexus_engine.runs.folder import RunFolder, find_run, remove_run
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.requests import ControlFile
from nexus_engine.runs.resuming import resumable
from nexus_engine.runs.summary import read_record, state_of
from nexus_engine.scores import SwitchRecord
from nexus_engine.system import process_identity
from nexus_tui.cli.main import main
from nexus_tui.work.model_data import own_data

MINE = "export PATH\n"


@pytest.fixture
def mine(tmp_path):
    """A file of the user that belongs to no run."""
    path = tmp_path / "mine"
    path.write_text(MINE)
    return path


@pytest.fixture
def runs(home):
    """The folder of all runs, with one valid run in it."""
    root = home / "data" / "nexus" / "runs"
    write_run(root, "sound", whole_run())
    return root


# Writers


@pytest.mark.parametrize("name", ["audit.jsonl", "events.jsonl", "control.jsonl", "lock"])
@pytest.mark.parametrize("kind", ["link", "dangling", "FIFO", "folder"])
def test_no_writer_follows_a_link_or_waits_for_a_fifo(tmp_path, mine, name, kind):
    run = tmp_path / "run"
    run.mkdir()
    missing = tmp_path / "missing"
    match kind:
        case "link" | "dangling":
            (run / name).symlink_to(mine if kind == "link" else missing)
        case "FIFO":
            os.mkfifo(run / name)
        case "folder":
            (run / name).mkdir()
    writers = {
        "audit.jsonl": lambda: note_use(run, "eval", fingerprint=None, size=1),
        "events.jsonl": lambda: RunFolder(run).append(evaluated(1, 0.5)),
        "control.jsonl": lambda: ControlFile(run).send("stop"),
        "lock": lambda: RunFolder(run).lock.__enter__(),
    }
    with pytest.raises(OSError, match=name):
        writers[name]()
    assert mine.read_text() == MINE
    assert not missing.exists()


def test_nothing_is_written_or_deleted_through_a_folder_that_is_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    weights = elsewhere / "weights-0001.safetensors"
    weights.write_text(MINE)
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.best.symlink_to(elsewhere)
    run.checkpoints.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        checkpoints.save(run.checkpoints, {}, {})
    with pytest.raises(OSError, match="symbolic link"):
        saved_model.save_model(run.best, {}, {"epoch": 2})
    with pytest.raises(RunError, match="best is a symbolic link"):
        run.check_own_folders()
    assert [path.name for path in elsewhere.iterdir()] == [weights.name]
    assert (weights.read_text(), elsewhere.stat().st_mode & 0o777) == (MINE, 0o755)


def test_a_line_that_cannot_be_written_takes_back_only_itself(tmp_path, monkeypatch):
    log = tmp_path / "audit.jsonl"
    append_line(log, "first")
    for other in ("", "by another\n"):

        def torn(handle, content, other=other):
            os.write(handle, bytes(content)[:3])
            if other:
                append_other(log, other)
            raise OSError(28, "no room")

        def append_other(path, text):
            with path.open("a") as file:
                file.write(text)

        monkeypatch.setattr("nexus_engine.disk.growing_lines.write_all", torn)
        with pytest.raises(OSError, match="no room"):
            append_line(log, "second")
        assert log.read_text() == "first\n" + (f"sec{other}" if other else "")


# Steering


def test_a_request_is_written_whole_however_few_bytes_a_write_takes(tmp_path, monkeypatch):
    reader, write = ControlFile(tmp_path, poll_seconds=0.0), os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, bytes(content)[:7]))
    reader.send("pause")
    assert reader.take() == ["pause"]


def test_a_request_behind_a_torn_line_and_behind_an_endless_one_is_heard(tmp_path):
    file = tmp_path / "control.jsonl"
    reader = ControlFile(tmp_path, poll_seconds=0.0)
    file.write_bytes(b'{"ask": "gr')
    reader.send("stop")
    assert reader.take() == ["stop"]
    with file.open("ab") as log:
        log.write(b"x" * (3 * READ_AT_ONCE))
    reader.send("pause")
    assert [request for _ in range(6) for request in reader.take()] == ["pause"]


# Logs


def test_a_log_goes_on_behind_a_line_that_is_too_long_and_behind_a_hole(tmp_path):
    log = tmp_path / "events.jsonl"
    reader = EventLog(log)
    line = (encode_event(evaluated(1, 0.5)) + "\n").encode()
    with log.open("wb") as file:
        file.write(line + b"x" * 17_000_000 + b"\n" + line)
        file.seek(1 << 30, os.SEEK_CUR)
        file.write(b"\n" + line)
    assert len(EventLog(log).overview()) == 3
    assert sum(len(reader.read_new()) for _ in range(40)) == 3
    (tmp_path / "run.json").write_text("{}")
    assert read_record(tmp_path).points == ((1, 0.5),)


def test_a_log_that_is_truncated_while_it_is_read_does_no_harm(tmp_path, monkeypatch):
    log = write_run(tmp_path, "r", whole_run()) / "events.jsonl"
    pread = os.pread

    def truncate_first(*arguments):
        os.truncate(log, 10)
        return pread(*arguments)

    monkeypatch.setattr(os, "pread", truncate_first)
    assert EventLog(log).overview() == []


def test_the_next_stored_byte_of_a_file_with_a_hole_is_found(tmp_path):
    with (tmp_path / "log").open("wb+") as file:
        file.truncate(1 << 30)
        assert next_data(file.fileno(), 5) in (5, 1 << 30)
        file.seek(1 << 20)
        file.write(b"x")
        file.flush()
        assert 5 <= next_data(file.fileno(), 5) <= 1 << 20
    tail = LineTail(tmp_path / "log")
    for _ in range(3):
        assert tail.read() == []


ABSURD = (10**400, 2**62, -1, 1e308, -1e308)


@pytest.mark.parametrize("field", ["epoch", "best_epoch", "spearman", "time_unix_s", "pairs"])
@pytest.mark.parametrize("value", ABSURD)
def test_an_event_out_of_range_is_a_damaged_line(field, value):
    facts = {**json.loads(encode_event(evaluated(1, 0.5))), field: value}
    if (field, value) in (("pairs", 2**62), ("pairs", -1), ("spearman", -1), ("time_unix_s", -1)):
        assert decode_event(json.dumps(facts))
        return
    with pytest.raises(RunError, match="not an event"):
        decode_event(json.dumps(facts))


def test_records_in_a_result_are_checked_and_a_number_not_finite_is_shown():
    record = SwitchRecord(
        switch=1, epoch=1, kept=True, spearman_before=0.4, spearman_after=0.5, params_added=769
    )
    result = json.loads(encode_event(finished(switch_records=(record,))))
    assert decode_event(json.dumps(result)).switch_records == (record,)
    result["switch_records"][0]["epoch"] = 2**62
    with pytest.raises(RunError, match="epoch is out of range"):
        decode_event(json.dumps(result))
    broken = msgspec.structs.replace(evaluated(1, 0.5), spearman=math.nan, pearson=math.inf)
    assert math.isnan(decode_event(encode_event(broken)).spearman)
    assert decode_event(encode_event(step(1, 1e308))).loss == 1e308


@pytest.mark.parametrize("levels", [101, 900, 20_000])
def test_json_that_is_nested_deep_is_refused_and_wide_json_is_not(levels):
    with pytest.raises(ValueError, match="deep"):
        parse_json(b'{"a":' * levels + b"1" + b"}" * levels)
    assert len(parse_json(json.dumps([[n] for n in range(levels)]))) == levels


# Lists


def _make_spoilt(root, name, content):
    """A run folder whose `run.json` is a FIFO, a link, or holds `content`; missing if None."""
    folder = root / name
    folder.mkdir()
    if content == "FIFO":
        os.mkfifo(folder / "run.json")
    elif content == "link":
        (folder / "run.json").symlink_to(root / "sound" / "run.json")
    elif content is not None:
        (folder / "run.json").write_text(content)


def test_unreadable_folders_hide_no_run_and_are_counted_in_a_line(runs, capsys):
    _make_spoilt(runs, "being-made", None)
    assert main(["runs"]) == 0
    assert capsys.readouterr().err == ""
    (runs / "latest").symlink_to("latest")
    _make_spoilt(runs, "a-fifo", "FIFO")
    _make_spoilt(runs, "b-link", "link")
    _make_spoilt(runs, "c-deep", '{"a":' * 900 + "1" + "}" * 900)
    _make_spoilt(runs, "d-long", f'{{"started_unix_s": {10**400}}}')
    index = RunIndex(runs)
    assert [run.name for run in index.refresh()] == ["sound"]
    assert len(index.unreadable) == 4
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    assert "sound" in out
    assert err.count("\n") <= 2
    message = " ".join(err.split()).replace("/ ", "/")  # the terminal wraps long lines
    assert "4 folders cannot be read and are not listed" in message
    assert "a-fifo/run.json: not a readable run (not a regular file)" in message


@pytest.mark.parametrize("value", [10**18, -5, 1e308, "x", None, True, [1]])
def test_a_time_or_epoch_out_of_range_is_ignored(runs, value):
    run = write_run(runs, "odd", [started(), evaluated(0, 0.4)], started_unix_s=value)
    with (run / "events.jsonl").open("a") as file:
        facts = json.loads(encode_event(evaluated(1, 0.5)))
        file.write(json.dumps({**facts, "epoch": value, "best_epoch": value}) + "\n")
    record = read_record(run)
    assert record.summary.started_unix_s == 0.0
    assert [epoch for epoch, _ in record.points] == [0]


def test_a_run_that_is_a_link_is_not_deleted_through_it(runs):
    (runs / "other").symlink_to(runs / "sound")
    with pytest.raises(RunError, match="symbolic link"):
        remove_run("other")
    assert find_run("sound").events()
    remove_run("sound")
    assert not (runs / "sound").exists()


def test_a_run_whose_log_is_a_fifo_is_shown_and_can_be_deleted(runs):
    (runs / "sound" / "events.jsonl").unlink()
    os.mkfifo(runs / "sound" / "events.jsonl")
    assert main(["runs", "show", "sound"]) == 0
    assert main(["attach", "--once", "sound"]) == 0
    assert main(["runs", "rm", "sound", "--yes"]) == 0
    assert not (runs / "sound").exists()


# Life


def test_a_process_is_known_by_its_start_whatever_the_clock_says():
    identity = process_identity.own_identity()
    if identity is None:
        pytest.skip("this system has no /proc")
    facts = {"pid": os.getpid(), "started_unix_s": time.time(), "process_identity": identity}
    assert process_identity.is_alive(facts)
    # The clock was set forward: by the clock, the process began after the run.
    assert process_identity.is_alive({**facts, "started_unix_s": 0.0})
    # The clock was set back, and this process has the id of one that has ended.
    former = {**facts, "process_identity": identity + "0", "started_unix_s": time.time() + 1e6}
    assert not process_identity.is_alive(former)
    # A run of an earlier version holds no identity.
    del former["process_identity"]
    assert process_identity.is_alive(former)


def test_without_locks_a_run_is_live_while_its_process_lives(tmp_path, monkeypatch):
    facts = {"pid": os.getpid(), "started_unix_s": time.time() + 1}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with RunFolder(tmp_path).lock:
        assert is_held(tmp_path) is True
    assert state_of(tmp_path) == "interrupted"

    def no_locks(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert is_held(tmp_path) is None
    assert state_of(tmp_path) == "live"


# Settings and models


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 2**62), ("batch_size", 0), ("seed", -1), ("units", 10**9), ("threads", 10**9),
     ("lr", 1e308), ("lr", math.nan), ("layers", (2**62,)), ("score_range", (-math.inf, 1.0))],
)  # fmt: skip
def test_a_run_with_settings_out_of_range_is_not_resumed(runs, field, value):
    settings = resolve(TrainConfig())
    check_numbers(msgspec.structs.replace(settings, lr=2.5))  # as high as for little data
    bad = msgspec.structs.replace(settings, **{field: value})
    with pytest.raises(ConfigError):
        check_numbers(bad)
    if math.nan in (value,) or isinstance(value, tuple):
        return
    write_run(runs, "r", [started()], settings=msgspec.to_builtins(bad))
    with pytest.raises(RunError, match="its settings cannot be used"):
        resumable("r")


@pytest.mark.parametrize(
    "value", [["x"], ["x", "y"], [1], [5, 0], [0, None], [0, 10**18, 3], "05", {"a": 1}]
)
def test_an_invalid_score_range_is_ignored(runs, value):
    write_run(runs, "r", [started()], settings={"data": "demo", "seed": 1, "score_range": value})
    assert own_data("r").score_range is None


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "modules.json"])
def test_a_base_folder_with_a_fifo_is_refused_at_once(tmp_path, base_model, name):
    for file in base_model.folder.glob("*.*"):
        (tmp_path / file.name).symlink_to(file.resolve())  # links to files are followed
    find_base_model(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    if name == "modules.json":  # it may be missing, and anything but a file counts as missing
        find_base_model(tmp_path)
        return
    with pytest.raises(ModelError, match=name):
        find_base_model(tmp_path)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.float16])
def test_weights_of_another_type_are_refused(tmp_path, base_model, dtype):
    model = saved_model.build_model(base_model, "dendrites")
    weights = {
        f"encoder.layers.1.v.{leaf}": torch.ones(shape)
        for leaf, shape in {"incoming": (1, 384), "threshold": (1,), "gain": (1, 384)}.items()
    }
    saved_model.apply_weights(model, weights, tmp_path)
    of_another_type = {name: tensor.to(dtype) for name, tensor in weights.items()}
    with pytest.raises(ModelError, match="expected float32"):
        saved_model.apply_weights(model, of_another_type, tmp_path)


def test_embeddings_that_are_not_finite_are_refused():
    vectors = torch.ones(2, 3)
    assert saved_model.check_finite(vectors, "m") is vectors
    for factor in (math.nan, math.inf, 3e37):  # with 3e37 only the length overflows
        with pytest.raises(ModelError, match="m: its embeddings are not finite"):
            saved_model.check_finite(vectors * factor, "m")
