"""Run and model folders whose files are links, FIFOs, devices, endless, or hold absurd numbers."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
import time

import msgspec
import pytest
import torch
from app_support import RUN_JSON, evaluated, finished, started, step, whole_run, write_run
from safetensors.torch import save_file

from nexus_engine import (
    checkpoints,
    control,
    event_log,
    event_reading,
    files,
    process_identity,
    run_index,
)
from nexus_engine import events as ev
from nexus_engine.audit import note_use
from nexus_engine.base_model import find_base_model
from nexus_engine.control import ControlFile
from nexus_engine.data import Pairs, arrow_strings
from nexus_engine.errors import ExitCode, ModelError, RunError
from nexus_engine.event_reading import EventLog
from nexus_engine.run_folder import RunFolder
from nexus_engine.run_index import RunIndex, read_record, state_of
from nexus_engine.run_saving import RunSaver
from nexus_engine.saved_model import load_model, save_model
from nexus_tui.model_data import own_data

DIGITS = "9" * 400
DEEP = '{"a":' * 900 + "1" + "}" * 900


@pytest.fixture(autouse=True)
def in_time():
    """A test that waits for a FIFO, or reads a device, ends."""

    def late(*_):
        raise TimeoutError("did not end")

    former = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


# What writes into a run folder follows no link


WRITERS = {
    "audit.jsonl": lambda run: note_use(run, "eval", fingerprint=None, size=1),
    "events.jsonl": lambda run: event_log.append_event(run / "events.jsonl", step(1)),
    "control.jsonl": lambda run: ControlFile(run).send("stop"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_line_is_added_to_no_file_that_a_link_leads_to(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    canary = tmp_path / "canary"
    canary.write_text("mine\n")
    for target in (canary, tmp_path / "nothing"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(target)
        with pytest.raises(OSError, match="symbolic link"):
            WRITERS[name](run)
    assert canary.read_text() == "mine\n"
    assert not (tmp_path / "nothing").exists()
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(OSError, match="not a regular file"):
        WRITERS[name](run)
    (run / name).unlink()
    WRITERS[name](run)
    assert (run / name).read_text().endswith("\n")


def test_nothing_is_saved_or_removed_through_a_folder_that_is_a_link(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    kept = {"weights-0001.safetensors", "checkpoint-000001.tmp-7"}
    for name in kept:
        (mine / name).touch()
    for name in ("best", "checkpoints"):
        (tmp_path / name).symlink_to(mine)
    with pytest.raises(OSError, match="symbolic link"):
        save_model(tmp_path / "best", {}, {**CARD, "base_sha256": "0", "base_folder": None})
    with pytest.raises(OSError, match="symbolic link"):
        checkpoints.save(tmp_path / "checkpoints", {}, {})
    with pytest.raises(RunError, match="best is a symbolic link"):
        next(RunSaver(RunFolder(tmp_path), None, 0.0).load())
    assert {path.name for path in mine.iterdir()} == kept


# One bad run hides no other


def text(**changes):
    return json.dumps({**RUN_JSON, **changes})


BAD_RUNS = {
    "a start of 400 digits": lambda run: (run / "run.json").write_text(
        text().replace("1790000000.0", DIGITS)
    ),
    "a start of 1e308": lambda run: (run / "run.json").write_text(text(started_unix_s=1e308)),
    "nested deep": lambda run: (run / "run.json").write_text(
        text(settings="X").replace('"X"', DEEP)
    ),
    "facts in a FIFO": lambda run: ((run / "run.json").unlink(), os.mkfifo(run / "run.json")),
    "facts on a device": lambda run: (
        (run / "run.json").unlink(),
        (run / "run.json").symlink_to("/dev/zero"),
    ),
    "a log in a FIFO": lambda run: (
        (run / "events.jsonl").unlink(),
        os.mkfifo(run / "events.jsonl"),
    ),
    "a log on a device": lambda run: (
        (run / "events.jsonl").unlink(),
        (run / "events.jsonl").symlink_to("/dev/zero"),
    ),
    "a log that is a hole": lambda run: os.truncate(run / "events.jsonl", 1 << 40),
    "figures of 400 digits": lambda run: (run / "events.jsonl").write_text(
        ev.encode_event(evaluated(1, 0.5)).replace("0.5", DIGITS) + "\n"
    ),
    "epochs of 400 digits": lambda run: (run / "events.jsonl").write_text(
        ev.encode_event(evaluated(1, 0.5)).replace(" 1,", f" {DIGITS},") + "\n"
    ),
    "a result of 400 digits": lambda run: (
        (run / "events.jsonl").write_text(""),
        (run / "result.json").write_text(f'{{"best_dev_spearman": {DIGITS}}}'),
    ),
}


@pytest.mark.parametrize("kind", BAD_RUNS)
def test_one_bad_run_hides_no_other(tmp_path, kind):
    write_run(tmp_path, "good", whole_run())
    bad = write_run(tmp_path, "bad", whole_run())
    BAD_RUNS[kind](bad)
    index = RunIndex(tmp_path)
    for _ in range(2):
        runs = {run.name: run for run in index.refresh()}
        assert runs["good"].best_dev_spearman == 0.52
        assert len(runs) + len(index.unreadable) == 2
        assert all("bad" in line and line.isprintable() for line in index.unreadable)
    for ask in (read_record, state_of):
        try:
            ask(bad)
        except RunError as error:
            assert str(error).isprintable()  # noqa: PT017 - it may as well be readable


# Numbers of an event


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("epoch", 2**62),
        ("epoch", -1),
        ("best_epoch", 10**7),
        ("spearman", 1e308),
        ("best_spearman", -1.5),
        ("eval_seconds", 1e308),
        ("time_unix_s", 1e308),
        ("time_unix_s", float("nan")),
        ("pairs", 2**70),
    ],
)
def test_an_event_with_a_number_that_no_run_writes_is_a_damaged_line(change, value):
    sound = evaluated(1, 0.5)
    assert ev.decode_event(ev.encode_event(sound)) == sound
    line = json.dumps(ev.plain({**msgspec.to_builtins(sound), change: value}))
    with pytest.raises(RunError):
        ev.decode_event(line)


def test_a_figure_that_is_not_finite_is_still_an_event():
    broken = evaluated(1, float("nan"))
    assert ev.encode_event(ev.decode_event(ev.encode_event(broken))) == ev.encode_event(broken)


@pytest.mark.parametrize("marks", [["x"], ["x", "y"], [1], [None, 2], [5, 0], ["NaN", 1], {}, 7])
def test_a_range_that_is_none_is_not_used(tmp_path, marks):
    settings = {**RUN_JSON["settings"], "score_range": marks}
    run = write_run(tmp_path, "run", whole_run(), settings=settings)
    assert own_data(str(run)).score_range is None


# A log that is read while somebody else writes it


def test_a_log_that_shrinks_while_it_is_read_does_not_end_the_reader(tmp_path, monkeypatch):
    path = write_run(tmp_path, "run", whole_run()) / "events.jsonl"
    choose = event_reading._choose

    def cut(*given):
        os.truncate(path, 0)  # as a writer does whose disk is full
        return choose(*given)

    monkeypatch.setattr(event_reading, "_choose", cut)
    child = os.fork()  # a mapped page that is gone would end this process
    if child == 0:
        try:
            os._exit(len(EventLog(path).picture()))
        finally:
            os._exit(99)
    assert os.waitpid(child, 0)[1] == 0


def test_a_line_without_end_is_passed_over_and_what_follows_is_read(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(ev.encode_event(started()) + "\n")
    log, index = EventLog(path), run_index._Log(path)
    assert log.picture() == [started()]
    with path.open("a") as file:
        file.write("x" * 9_000_000)
    for _ in range(4):
        assert log.read_new() == []
    with path.open("a") as file:
        file.write("\n" + ev.encode_event(evaluated(0, 0.4)) + "\n")
        file.write(ev.encode_event(finished()) + "\n")
    found = [event for _ in range(6) for event in log.read_new()]
    assert found == [evaluated(0, 0.4), finished()]
    index.read()
    assert (index.points, index.last["event"]) == ([(0, 0.4)], "run_finished")


# What is asked of a live run


def test_a_request_is_written_whole_and_read_when_it_is_whole(tmp_path, monkeypatch):
    heard = ControlFile(tmp_path)
    monkeypatch.setattr(control, "LOOK_SECONDS", 0)
    write = os.write
    seen = []

    def short(handle, content):
        seen.append(heard.take())
        return write(handle, bytes(content)[:5])

    monkeypatch.setattr(files.os, "write", short)
    ControlFile(tmp_path).send("stop")
    assert len(seen) > 5
    assert all(found == [] for found in seen)
    assert heard.take() == ["stop"]


def test_a_request_that_does_not_fit_leaves_nothing(tmp_path, monkeypatch):
    write = os.write
    left = [5]

    def full(handle, content):
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, bytes(content)[: left.pop()])

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        ControlFile(tmp_path).send("stop")
    assert (tmp_path / "control.jsonl").read_bytes() == b""


def test_a_run_that_ended_is_not_alive_by_the_clock(tmp_path):
    """Its process id was given again, and the clock was set back: a later start looks earlier."""
    facts = {"pid": os.getpid(), "started_unix_s": time.time() + 86_400}
    other = {**facts, "process_identity": "another:1"}
    run = write_run(tmp_path, "run", [started()], **other)
    assert state_of(run) == "interrupted"
    own = {
        **facts,
        "process_identity": process_identity.own_identity(),
        "started_unix_s": 1.0,
    }  # set forward
    run = write_run(tmp_path, "live", [started()], **own)
    assert state_of(run) == ("live" if sys.platform == "linux" else "interrupted")


# Models


CARD = {
    "tune": "dendrites",
    "nonlinearity": "gelu",
    "epoch": 1,
    "dev_spearman": 0.5,
    "params_added": 0,
    "data_name": "pairs",
    "data_fingerprint": "f" * 64,
}
SITE = "encoder.layers.0.v"


@pytest.fixture(scope="module")
def known():
    return {"base_sha256": find_base_model().sha256, "base_folder": None}


def units(size=0.1, kind=torch.float32):
    shapes = {"incoming": (1, 384), "threshold": (1,), "gain": (1, 384)}
    return {f"{SITE}.{name}": torch.full(shape, size).to(kind) for name, shape in shapes.items()}


def saved(folder, tensors, known):
    """A model folder with just these tensors, its card in order."""
    save_model(folder, {}, {**CARD, **known})
    weights = next(folder.glob("weights-*"))
    save_file(tensors, weights)
    card = json.loads((folder / "model.json").read_text())
    card["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    return weights


def refused(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        load_model(str(folder))
    assert caught.value.exit_code == ExitCode.DATA
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [torch.int64, torch.float64, torch.bfloat16])
def test_weights_of_another_type_are_refused(tmp_path, known, kind):
    saved(tmp_path / "best", units(kind=kind), known)
    refused(tmp_path / "best", "expected float32")


@pytest.mark.parametrize("size", [0.1, 3e37])
def test_weights_too_large_to_compute_with_are_refused_when_used(tmp_path, known, size):
    from nexus_engine.similarity import evaluate

    saved(tmp_path / "best", units(size), known)
    pairs = Pairs(
        arrow_strings(["a pump", "a door"]),
        arrow_strings(["the pump", "rain"]),
        torch.tensor([1.0, 0.0], dtype=torch.float64).numpy(),
    )
    model = load_model(str(tmp_path / "best"))
    if size < 1:
        assert -1 <= evaluate(model, pairs).spearman <= 1
        return
    with pytest.raises(ModelError, match="too large to compute with"):
        evaluate(model, pairs)


def test_no_file_of_a_model_is_waited_for_or_read_without_end(tmp_path, known):
    weights = saved(tmp_path / "best", units(), known)
    load_model(str(tmp_path / "best"))
    card = tmp_path / "best" / "model.json"
    content = card.read_bytes()
    for path in (weights, card):
        path.unlink()
        os.mkfifo(path)
        refused(tmp_path / "best", "not a regular file")
        path.unlink()
        path.symlink_to("/dev/zero")
        refused(tmp_path / "best", "symbolic link")
        path.unlink()
        path.touch()
        os.truncate(path, 1 << 40)
        refused(tmp_path / "best", "larger than")
        path.unlink()
        if path == weights:
            save_file(units(), weights)
    card.write_bytes(content)
    load_model(str(tmp_path / "best"))
