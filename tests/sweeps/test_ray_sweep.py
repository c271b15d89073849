"""A sweep on a real local Ray cluster: several workers, one of them killed while it works."""

import os
import signal
import sys

import pytest
from test_sweeps import kinds, small_grid

from nexus_engine.errors import ConfigError
from nexus_engine.sweeps.events import CellEnded, CellStarted, SweepFinished
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Axis
from nexus_engine.sweeps.loop import sweep
from nexus_engine.sweeps.ray_cluster import RayCluster
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.training.steering import Steering


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="pip install"):
        RayCluster(tmp_path, "local", None)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_sweep_on_a_cluster_survives_a_killed_worker(home, small_data):
    pytest.importorskip("ray")
    import msgspec

    grid = small_grid(small_data)
    grid = msgspec.structs.replace(
        grid, axes=(Axis(name="lr", values=(1e-4, 1e-3, 3e-3)), grid.axes[1])
    )
    folder = SweepFolder.create(home / "s", "x", grid)
    workers = RayCluster(folder.path, "local", 2)
    assert workers.jobs == 2
    killed = []
    events = []
    for event in sweep(folder, workers, Steering()):
        events.append(event)
        # The first run that has a run.json loses its worker.
        for cell in grid.cells():
            facts = folder.path / "runs" / cell.name / "run.json"
            if not killed and facts.is_file():
                pid = msgspec.json.decode(facts.read_bytes())["pid"]
                assert pid != os.getpid()
                os.kill(pid, signal.SIGKILL)
                killed.append(cell.name)
    assert isinstance(events[-1], SweepFinished), events[-1]
    assert events[-1].runs_finished == 3
    assert [e.cell for e in kinds(events, CellEnded) if e.state == "lost"] == killed
    assert len(kinds(events, CellStarted)) == 4
    assert {c.state for c in read_sweep(folder.path).cells} == {"finished"}
