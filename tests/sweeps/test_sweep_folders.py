"""Sweeps on disk: grids that are too large, folders damaged or made by others, full disks."""

import errno
import fcntl
import json
import os
import time

import msgspec
import pytest
from app_support import finished
from sweep_support import BATCH, LR, finish, make_sweep

from nexus_engine.disk.growing_lines import READ_AT_ONCE, LineTail
from nexus_engine.disk.lock import RunLock, is_held
from nexus_engine.errors import ConfigError, ExitCode, ResourceError, RunError
from nexus_engine.events import RunFailed
from nexus_engine.runs.folder import RunFolder
from nexus_engine.sweeps.events import CellEnded, CellStarted, SweepFailed, SweepFinished
from nexus_engine.sweeps.folder import CellFolder, SweepFolder
from nexus_engine.sweeps.following import FollowedSweep, SweepIndex
from nexus_engine.sweeps.grid import MAX_RUNS, Axis, Grid, grid_from_file, parse_seeds
from nexus_engine.sweeps.loop import sweep
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import state_of
from nexus_engine.sweeps.workers import Ended
from nexus_engine.training.steering import Steering

ONE_AXIS = Grid(axes=(LR,), seeds=(1,), common={})

# Grids


def test_a_grid_is_counted_before_it_is_built(tmp_path):
    path = tmp_path / "grid.toml"
    names = ("epochs", "patience", "warmup-epochs", "batch-size", "switches", "units", "threads")
    names += ("bootstrap", "rule-steps", "epochs-per-pass")
    path.write_text("[grid]\n" + "".join(f"{name} = {[*range(1, 11)]}\n" for name in names))
    grid, start = grid_from_file(path, {}, None), time.monotonic()
    with pytest.raises(ConfigError, match="10,000,000,000 runs; 10,000 at most"):
        grid.check()
    assert time.monotonic() - start < 0.5
    many = Grid(axes=tuple(Axis(name=f"a{n}", values=(1, 2)) for n in range(20_000)), seeds=(1,),
                common={})  # fmt: skip
    with pytest.raises(ConfigError, match="far too many runs"):
        many.check()


def test_seeds_have_a_limit():
    assert parse_seeds(f"1-{MAX_RUNS}")[-1] == MAX_RUNS
    for many in ("1-1000000000", f"0-{MAX_RUNS}", ",".join(["7"] * (MAX_RUNS + 1))):
        with pytest.raises(ConfigError, match="seeds; 10,000 at most"):
            parse_seeds(many)
    with pytest.raises(ConfigError, match="10,001 runs"):
        Grid(axes=(), seeds=tuple(range(MAX_RUNS + 1)), common={}).check()


def test_a_grid_file_has_a_limit(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text("# " + "x" * 1_000_000)
    for file in (path, tmp_path / "endless"):
        if file != path:
            file.symlink_to("/dev/zero")
        with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
            grid_from_file(file, {}, None)


# A sweep's folder


def _full_disk(*arguments, **keywords):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_new_sweep_that_cannot_be_written_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(os, "replace", _full_disk)  # the last step of sweep.json
    with pytest.raises(OSError, match="No space left"):
        SweepFolder.create(home / "s", "x", ONE_AXIS)
    assert not (home / "s").exists()


@pytest.mark.parametrize(
    "create", [RunFolder.create, lambda out, label: SweepFolder.create(out, label, ONE_AXIS)]
)
def test_a_folder_that_cannot_be_made_is_told_with_its_code(home, monkeypatch, create):
    with pytest.raises(ConfigError, match="there is no user"):
        create(home.__class__("~nobody-of-that-name/run"), "x")
    (home / "file").touch()
    for taken in (home / "file", home / "file" / "run"):
        with pytest.raises(ConfigError, match="--out"):
            create(taken, "x")
    monkeypatch.setattr(os, "mkdir", _full_disk)
    with pytest.raises(ResourceError, match="No space left on device; make room"):
        create(home / "run", "x")


def _no_new_file(path, flags, *mode, opened=os.open):
    return _full_disk() if flags & os.O_EXCL else opened(path, flags, *mode)


@pytest.mark.parametrize(
    ("call", "failing"), [("open", _no_new_file), ("write", _full_disk)], ids=["open", "write"]
)
@pytest.mark.parametrize("name", ["mine", "new"])
def test_an_empty_folder_that_was_there_stays(home, monkeypatch, name, call, failing):
    (home / "mine").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(ResourceError):
            RunFolder.create(home / name, "x")
    assert list((home / "mine").iterdir()) == []
    assert not (home / "new").exists()


class KilledCreator(SweepFolder):
    """A sweep's folder whose creator dies before it has written sweep.json."""

    def _remove_unstarted(self):
        pass


def _die(*arguments):
    raise KeyboardInterrupt


def test_what_a_killed_creator_left_does_not_hinder_the_next(home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _die)
        with pytest.raises(KeyboardInterrupt):
            KilledCreator.create(home / "s", "x", ONE_AXIS)
    assert {path.name for path in (home / "s").iterdir()} == {"events.jsonl", "runs"}
    (home / "s" / "sweep.json.tmp-1").touch()
    (home / "s" / "mine").touch()
    with pytest.raises(ConfigError, match="not an empty folder"):
        SweepFolder.create(home / "s", "x", ONE_AXIS)
    (home / "s" / "mine").unlink()
    log = os.open(home / "s" / "events.jsonl", os.O_RDWR)
    fcntl.flock(log, fcntl.LOCK_EX)  # as its creator does while it lives
    with pytest.raises(ConfigError, match="not an empty folder"):
        RunFolder.create(home / "s", "x")
    os.close(log)
    assert SweepFolder.create(home / "s", "x", ONE_AXIS).record().grid == ONE_AXIS
    with pytest.raises(ConfigError, match="not an empty folder"):
        SweepFolder.create(home / "s", "x", ONE_AXIS)


# Files that somebody else damaged or replaced


def _link(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def _fifo(path):
    path.unlink()
    os.mkfifo(path)


def _folder(path):
    path.unlink()
    path.mkdir()


def _huge(path):
    os.truncate(path, 1 << 40)


def _deep(path):
    path.write_text('{"schema": 1, "grid": ' + "[" * 100_000)


def _long_line(path):
    path.write_text('{"x": "' + "y" * 5_000_000 + '"}\n')


DAMAGES = (_link, _fifo, _folder, _huge, _deep, _long_line)


@pytest.fixture
def root(home):
    root = home / "data" / "nexus" / "sweeps"
    good = make_sweep(root, "good", (LR, BATCH))
    finish(good, 0, 0.51)
    return root


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
@pytest.mark.parametrize("name", ["sweep.json", "events.jsonl", "lock", "result.json"])
def test_one_bad_sweep_hides_no_other(root, name, damage):
    bad = make_sweep(root, "bad", (LR, BATCH))
    cell = finish(bad, 0, 0.5)
    file = bad.run_path(cell) / name if name == "result.json" else bad.path / name
    file.touch()
    damage(file)
    start = time.monotonic()
    listed = {sweep.name: sweep for sweep in SweepIndex(root).refresh()}
    assert listed["good"].done == 1
    assert ("bad" in listed) == (name != "sweep.json")
    assert time.monotonic() - start < 10
    assert len(bad.events()) <= 2
    if name == "lock" and damage in (_link, _fifo, _folder):
        with pytest.raises(OSError, match=str(file)):
            next(sweep(SweepFolder(bad.path), Scripted({}, bad), Steering()))


ABSURD = ("1" * 400, "1e308", "-1e308", "NaN", str(2**62), '"x"', "[" * 900 + "]" * 900, "null")


@pytest.mark.parametrize("number", ABSURD, ids=lambda number: number[:8])
def test_an_absurd_number_in_a_sweep_is_survived(root, number):
    bad = make_sweep(root, "bad", (LR, BATCH))
    cell = finish(bad, 0, 0.5)
    result = bad.run_path(cell) / "result.json"
    for file, field in (
        (bad.path / "sweep.json", '"created_unix_s": 1000.0'),
        (bad.path / "sweep.json", "0.002"),
        (bad.events_file, '"best_dev_spearman": 0.5'),
        (bad.events_file, '"switches": 2'),
        (result, '"best_dev_spearman": 0.5'),
        (result, '"epochs": 3'),
    ):
        content = file.read_text()
        key = field.rpartition(" ")[0]
        assert field in content, (file, field)
        file.write_text(content.replace(field, f"{key} {number}", 1))
        listed = {sweep.name: sweep for sweep in SweepIndex(root).refresh()}
        assert listed["good"].best_dev == 0.51
        if "bad" in listed:
            best = listed["bad"].best_dev
            assert best is None or abs(best) <= 1.01
            assert 0 <= listed["bad"].created_unix_s < 1e12
            state_of(FollowedSweep(bad.path).look())
        file.write_text(content)


def test_a_grid_of_another_is_counted_before_it_is_built(root):
    make_sweep(root, "bad", [Axis(name=f"a{n}", values=tuple(range(10))) for n in range(10)])
    start = time.monotonic()
    with pytest.raises(RunError, match="more than 10,000 runs"):
        SweepFolder(root / "bad").record()
    with pytest.raises(RunError, match="more than 10,000 runs"):
        read_sweep(root / "bad")
    assert time.monotonic() - start < 0.5


def test_the_tail_of_a_log_gives_whole_lines_and_passes_over_endless_ones(tmp_path):
    path = tmp_path / "log"
    tail = LineTail(path)
    assert tail.read() == []
    path.write_bytes(b"a\nb\nc")
    assert tail.read() == [b"a", b"b"]
    path.write_bytes(b"a\nb\ncd\n")
    assert tail.read() == [b"cd"]
    path.write_bytes(b"begun\n")
    assert tail.read() == [b"begun"]
    path.write_bytes(b"begun\n" + b"x" * (2 * READ_AT_ONCE + 5) + b"\nnext\n")
    assert [line for _ in range(4) for line in tail.read()] == [b"next"]
    assert LineTail.at_end(path).read() == []


def test_a_sweep_works_where_the_file_system_knows_no_locks(root, monkeypatch):
    def no_locks(handle, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    good = SweepFolder(root / "good")
    with good.lock:
        assert not good.is_live()


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path, monkeypatch):
    flock, file = fcntl.flock, tmp_path / "lock"

    def flock_of_removed_file(handle, kind):
        monkeypatch.setattr(fcntl, "flock", flock)
        file.unlink()
        return flock(handle, kind)

    monkeypatch.setattr(fcntl, "flock", flock_of_removed_file)
    with RunLock(tmp_path):
        assert file.exists()
        assert is_held(tmp_path)


# The loop, without processes


class Scripted:
    """Workers whose runs end at once, as `ends` says: (kind, exit code) by the number of starts."""

    jobs, engine = 1, "scripted"

    def __init__(self, ends, folder):
        self.ends, self.folder, self.started, self.stopped = ends, folder, [], False
        self.live = []

    def start(self, cell):
        self.started.append(cell)
        self.live.append(cell)

    def ended(self):
        names, self.live = self.live, []
        ended = []
        for name in names:
            kind, code = self.ends.get(len(self.started), ("", 0))
            run = CellFolder(self.folder.path / "runs" / name)
            run.make()
            run.begin_log()
            (run.path / "run.json").write_text("{}")
            if code == 0:
                run.write_result(finished(str(run.path)))
            else:
                run.append(RunFailed(kind=kind, message="No space left", exit_code=code))
            ended.append(Ended(name, code, ""))
        return ended

    def stop(self):
        self.stopped = True

    def close(self):
        pass


class FullDisk(SweepFolder):
    """A sweep whose log has no room for events of the type `refused`."""

    refused = ()

    def append(self, event):
        if isinstance(event, self.refused):
            raise OSError(errno.ENOSPC, "No space left on device", str(self.events_file))
        super().append(event)


def _work(folder, workers):
    return list(sweep(folder, workers, Steering(), poll_seconds=0.0))


def _sweep(home, ends, refused=()):
    folder = FullDisk.create(home / "s", "x", ONE_AXIS)
    folder.refused = refused
    workers = Scripted(ends, folder)
    return _work(folder, workers), workers, folder


def test_a_full_disk_ends_the_sweep_and_no_memory_does_not(home):
    events, workers, _ = _sweep(home, {2: ("OSError", 4)})
    assert isinstance(events[-1], SweepFailed)
    assert (events[-1].exit_code, events[-1].message) == (4, "No space left")
    assert len(workers.started) == 2
    assert workers.stopped
    events, workers, _ = _sweep(home / "memory", {2: ("MemoryError", 4)})
    assert isinstance(events[-1], SweepFinished), events[-1]
    assert (len(workers.started), events[-1].runs_failed) == (3, 1)
    events, _, _ = _sweep(home / "all", dict.fromkeys((1, 2, 3), ("MemoryError", 4)))
    assert (type(events[-1]), events[-1].exit_code) == (SweepFailed, 4)


def test_a_sweep_whose_own_log_is_full_says_so_and_ends_its_runs(home):
    events, workers, _ = _sweep(home, {}, refused=(CellStarted, CellEnded))
    last = events[-1]
    assert [type(event) for event in events].count(SweepFailed) == 1
    assert isinstance(last, SweepFailed)
    assert last.exit_code == int(ExitCode.RESOURCES)
    assert "No space left on device" in last.message
    assert "--resume" in last.message
    assert workers.stopped
    assert len(workers.started) == 1


@pytest.mark.parametrize("kind", [SweepFinished, SweepFailed])
def test_a_sweep_whose_last_event_cannot_be_logged_ends_once(home, kind):
    ends = {} if kind is SweepFinished else dict.fromkeys((1, 2, 3), ("ConfigError", 2))
    events, _, _ = _sweep(home, ends, refused=kind)
    assert [type(event) for event in events].count(SweepFinished) == 0
    failed = [event for event in events if isinstance(event, SweepFailed)]
    assert failed == events[-1:]
    assert failed[0].exit_code == (4 if kind is SweepFinished else 2)


def test_a_sweep_counts_the_seconds_of_its_earlier_starts(home):
    _, workers, folder = _sweep(home, {})
    lines = [json.loads(line) for line in folder.events_file.read_text().splitlines()]
    for line in lines[2:]:
        line["time_unix_s"] += 500.0  # every event but the first: the sweep took that long
    folder.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    *_, last = _work(SweepFolder(folder.path), workers)
    assert 500 < last.total_seconds < 520


def test_the_settings_of_a_sweep_survive_its_folder(home):
    grid = Grid(axes=(LR, Axis(name="place", values=(("v",), ("up",)))), seeds=(1, 2), common={})
    folder = SweepFolder.create(home / "s", "x", grid)
    assert folder.record().grid.size == 12
    assert msgspec.to_builtins(folder.record().grid.cells()[0])["values"] == (0.001, ["v"])
