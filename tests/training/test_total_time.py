"""The total time of a run covers all of its starts."""

import time
from types import SimpleNamespace

from reliability import children, tiny_runs

LONG_SECONDS = 500.0


def _stop_after_a_long_time(folder):
    """In a child: a run that stops after its first epoch, with its clock set 500 s ahead."""
    from nexus_engine.events import Evaluated

    clock = time.perf_counter

    def meet(event, steering):
        if isinstance(event, Evaluated) and event.epoch == 1:
            time.perf_counter = lambda: clock() + LONG_SECONDS
            steering.stop()

    return tiny_runs.train(folder, "adapter", meet=meet)


def _resume(folder):
    return tiny_runs.train(folder, "adapter", resume=True)


def test_a_resumed_run_counts_the_seconds_of_its_earlier_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny_runs, "on_tiny_base", True)
    tiny_runs.write_data(tmp_path / "pairs")
    assert children.call(_stop_after_a_long_time, tmp_path)["event"] == "run_stopped"
    result = children.call(_resume, tmp_path)
    assert result["event"] == "run_finished"
    assert LONG_SECONDS < result["total_seconds"] < LONG_SECONDS + 100
    assert result["total_seconds"] >= result["train_seconds"]


def test_without_a_recorded_total_the_training_time_is_used():
    from nexus_engine.training.saving import _seconds_of

    meta = {
        "progress": {"step_seconds": 5.0, "eval_seconds": 2.0},
        "finished": [{"train_seconds": 10.0}],
    }
    assert _seconds_of(SimpleNamespace(meta=meta)) == 17.0
    assert _seconds_of(SimpleNamespace(meta={**meta, "total_seconds": 40})) == 40.0
