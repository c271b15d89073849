"""A scripted run on questions with passages: its events, as `app_support` has those of pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from app_support import RUN_JSON, started, step, write_run

from nexus_engine import events as ev
from nexus_engine.scores import ControlResult, SwitchRecord, VectorScore

SETTINGS = {
    "data": "wiki", "task": "retrieval", "tune": "dendrites", "recipe": "default", "seed": 1,
    "epochs": 2, "score_range": None, "hard_negatives": 1, "keep_general": "auto",
    "control": True, "skip_bad": False, "fit": ["batch_size"], "budget_parameters": None,
    "warmup_after_first_set": True,
}  # fmt: skip
COUNTS = {"train_pairs": 11_035, "dev_pairs": 1_570, "test_pairs": 1_540, "passages": 15_691}


def judged(
    epoch: int, score: float, *, split: str = "dev", arm: str = "main", weight: float = 0.0
) -> ev.Evaluated:
    return ev.Evaluated(
        epoch=epoch, split=split, pairs=1_570, ndcg_at_10=score, best_ndcg_at_10=score,
        mrr_at_10=score - 0.05, recall_at_1=score - 0.1, recall_at_10=score + 0.1,
        recall_at_100=score + 0.2, guard_spearman=1 - epoch / 100, guard_scored_spearman=0.91,
        is_best=split == "dev", best_epoch=epoch, eval_seconds=9.0, arm=arm, keep_weight=weight,
    )  # fmt: skip


def epoch_started(epoch: int, *, arm: str = "main") -> ev.EpochStarted:
    return ev.EpochStarted(epoch=epoch, epochs=2, steps=69, sets=1, params_trained=258_528, arm=arm)


def evaluating(done: int, epoch: int = 1, arm: str = "main") -> ev.Evaluating:
    return ev.Evaluating(epoch=epoch, split="dev", done=done, total=17_261, arm=arm)


def checked(number: int, weight: float) -> ev.GuardChecked:
    return ev.GuardChecked(
        epoch=1, step=number, steering_spearman=0.905, base_steering_spearman=0.91,
        keep_weight=weight,
    )  # fmt: skip


def grown(before: float) -> ev.DendritesAdded:
    return ev.DendritesAdded(
        switch=1, epoch=0, sites=12, units=192, params_added=258_528, params_added_total=258_528,
        params_trained=258_528, ndcg_at_10_before=before,
    )  # fmt: skip


def answered(path: str = "/runs/scripted", **more: object) -> ev.RunFinished:
    """The result: a control, small vectors, intervals, and what rehearsal kept."""
    control = ControlResult(
        name="no-dendrites", description="d", params_trained=1, dev_ndcg_at_10=0.72,
        test_ndcg_at_10=0.71, guard_spearman=0.9, best_epoch=1, gain_dev_ndcg_at_10=0.08,
        gain_low=0.06, gain_high=0.1,
    )  # fmt: skip
    record = SwitchRecord(
        switch=1, epoch=2, kept=True, ndcg_at_10_before=0.7, ndcg_at_10_after=0.8,
        params_added=258_528,
    )  # fmt: skip
    small = VectorScore(
        numbers=48, dtype="int8", bytes_each=48, ndcg_at_10=0.7654, base_ndcg_at_10=0.6123
    )
    fields: dict[str, object] = {
        "run_dir": path, "metric": "ndcg_at_10", "base_dev_ndcg_at_10": 0.7,
        "base_test_ndcg_at_10": 0.69, "best_dev_ndcg_at_10": 0.8, "test_ndcg_at_10": 0.79,
        "base_test_mrr_at_10": 0.64, "test_mrr_at_10": 0.7321, "base_test_recall_at_1": 0.55,
        "test_recall_at_1": 0.6432, "base_test_recall_at_10": 0.84, "test_recall_at_10": 0.9123,
        "base_test_recall_at_100": 0.95, "test_recall_at_100": 0.97, "test_low": 0.7711,
        "test_high": 0.8099, "gain_test_low": 0.0822, "gain_test_high": 0.1188, "best_epoch": 2,
        "guard_spearman": 0.97, "guard_scored_spearman": 0.91, "guard_apart_spearman": 0.9012,
        "base_guard_apart_spearman": 0.9043, "base_guard_scored_spearman": 0.914, "switches": 1,
        "switches_kept": 1, "switch_records": (record,), "params_base": 22_565_376,
        "params_trained": 258_528, "params_added": 258_528, "epochs": 2, "train_seconds": 26.0,
        "total_seconds": 34.0, "pairs_per_second": 140.0, "peak_rss_mb": 1200.0,
        "control_dev_ndcg_at_10": 0.72, "control_test_ndcg_at_10": 0.71, "controls": (control,),
        "vector_scores": (small,),
    }  # fmt: skip
    return ev.RunFinished(**{**fields, **more})


def question_run(path: str = "/runs/scripted", name: str = "scripted") -> list[ev.Event]:
    """The events of a run of two epochs: one set, kept; rehearsal from the middle of the first."""
    return [
        started(name, path, task="retrieval", data="wiki", epochs=2, switches=1,
                keep_general="auto", **COUNTS),
        evaluating(4_000, epoch=0),
        judged(0, 0.7),
        grown(0.7),
        epoch_started(1),
        *(step(n, 1.4 - n / 200) for n in range(1, 30)),
        checked(29, 0.3),
        *(step(n, 1.4 - n / 200) for n in range(30, 70)),
        evaluating(4_000),
        judged(1, 0.75, weight=0.3),
        checked(69, 0.6),
        epoch_started(2),
        *(step(n, 1.0 - n / 400) for n in range(70, 139)),
        judged(2, 0.8, weight=0.6),
        ev.SwitchSettled(switch=1, epoch=2, kept=True, ndcg_at_10_before=0.7,
                         ndcg_at_10_after=0.8, params_added=258_528),
        judged(2, 0.79, split="test"),
        epoch_started(1, arm="control:no-dendrites"),
        judged(1, 0.72, arm="control:no-dendrites"),
        judged(0, 0.69, split="test"),
        answered(path),
    ]  # fmt: skip


def write_question_run(
    root: Path, name: str, events: Sequence[ev.Event] | None = None, **facts: object
) -> Path:
    """A run folder with these events, or with those of a finished run."""
    facts = {"settings": SETTINGS, "data_name": "wiki", "data_fingerprint": "e" * 64, **facts}
    events = question_run(str(root / name), name) if events is None else events
    path = write_run(root, name, events, **facts)
    assert json.loads((path / "run.json").read_text())["name"] != RUN_JSON["name"]
    return path
