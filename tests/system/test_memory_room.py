"""What memory is left, by the machine and by control groups of both versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nexus_engine.system import memory_room as rooms
from nexus_engine.system.memory_room import MemoryRoom, memory_room
from nexus_tui.cli import main as cli

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from box_limits import Box

MB = 10**6


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups below a folder; `join(line)` makes this process a member."""
    monkeypatch.setattr(rooms, "CGROUPS", tmp_path)
    monkeypatch.setattr(rooms, "MEMBERSHIP", tmp_path / "membership")

    def join(line: str, files: dict[str, str]) -> None:
        (tmp_path / "membership").write_text(f"5:cpu:/elsewhere\n{line}\n")
        for name, value in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(value)

    return join


def test_without_a_group_it_is_what_the_machine_has_free(groups):
    room = memory_room()
    assert room.limit == "free on this machine"
    assert room.mb == pytest.approx(psutil.virtual_memory().available / MB, rel=0.2)


@pytest.mark.parametrize(
    ("line", "prefix", "names"),
    [
        ("0::/box/job", "", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:memory:/box/job",
            "memory/",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_the_narrowest_group_counts_and_file_cache_is_free(groups, line, prefix, names):
    limit, usage, cache = names
    box, job = f"{prefix}box/", f"{prefix}box/job/"
    groups(
        line,
        {
            box + limit: "90000000\n", box + usage: "60000000\n",
            box + "memory.stat": f"anon 1\n{cache} 20000000\n",
            job + limit: "max\n" if not prefix else f"{2**63 - 4096}\n", job + usage: "1\n",
            job + "memory.stat": "",
        },
    )  # fmt: skip
    assert memory_room() == MemoryRoom(50.0, "free within the limit of the control group")


def test_a_group_that_is_mounted_as_the_root_counts(groups):
    files = {"memory.max": "80000000", "memory.current": "90000000", "memory.stat": ""}
    groups("0::/not/to/be/seen", files)
    assert memory_room().mb == 0


@pytest.mark.parametrize("content", ["", "no numbers\n", "1:2\n"])
def test_what_cannot_be_read_limits_nothing(groups, content):
    groups(content, {"memory.max": "words", "memory.current": "1"})
    assert memory_room().limit == "free on this machine"


@pytest.mark.parametrize(("free", "warns"), [(300.0, True), (340.0, False)])
def test_a_query_says_before_it_starts_that_memory_is_short(capsys, monkeypatch, free, warns):
    room = MemoryRoom(free, "free within the limit of the control group")
    monkeypatch.setattr(rooms, "memory_room", lambda: room)
    assert cli.main(["similarity", "base", "a", "b"]) == 0
    err = capsys.readouterr().err
    assert (
        "warning: nexus similarity needs about 330 MB of memory, and 300 MB are" in err
    ) is warns
    assert err.count("warning") == int(warns)


def test_a_forecast_in_a_small_group_names_the_batch_size_that_fits(tmp_path):
    """In a real control group where this process may make one."""
    with Box("small", memory=640).limits() as (enter, way):
        if way != "control group":
            pytest.skip("this process may not make a control group")
        process = subprocess.run(
            [sys.executable, "-m", "nexus_tui", "train", "--forecast", "--batch-size", "64"],
            capture_output=True, text=True, check=False, preexec_fn=enter, cwd=tmp_path,
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "NEXUS_PRECISION": "fp32"},
        )  # fmt: skip
    assert process.returncode == 4, process.stderr
    (line,) = process.stderr.strip().splitlines()
    assert "out of memory: the run needs about" in line
    assert "within the limit of the control group; --batch-size" in line
    assert not (Path(tmp_path) / "nexus").exists()
