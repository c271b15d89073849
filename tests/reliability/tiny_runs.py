"""Runs small enough to be killed by the hundred: real pairs, a second each.

The long form trains the real weights; the tests train a tiny base model, see `on_tiny_base`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from question_folders import write_questions

ROOT = Path(__file__).resolve().parents[2]

TINY = {"threads": 1, "seed": 3, "batch_size": 8}
CASES: dict[str, dict[str, Any]] = {
    # Two switches; the rate is so high that a set is rolled back.
    "dendrites": {
        "place": ("v",),
        "layers": (1, 3),
        "epochs": 3,
        "lr": 3e-2,
        "units": 1,
        "switch_epochs": (0, 1),
    },
    "adapter": {"tune": "adapter", "epochs": 6, "lr": 3e-3, "switch_epochs": (1, 3)},
    # Ends when nothing more is gained, long before its last epoch.
    "stall": {
        "tune": "adapter",
        "epochs": 60,
        "lr": 3e-3,
        "switches": 2,
        "warmup_epochs": 2,
        "patience": 2,
    },
    "control": {
        "tune": "adapter",
        "epochs": 4,
        "lr": 3e-3,
        "switch_epochs": (1, 2),
        "control": True,
    },
    # Mines hard negatives, and rehearses as the guard asks for it.
    "questions": {
        "task": "retrieval",
        "place": ("v",),
        "layers": (1, 3),
        "epochs": 3,
        "lr": 3e-2,
        "units": 1,
        "switch_epochs": (0, 1),
        "hard_negatives": 1,
        "schedule": "linear",
        "max_length": 64,
        "passes_per_epoch": 1,
    },
    "question control": {
        "task": "retrieval",
        "passes_per_epoch": 1,
        "place": ("v",),
        "layers": (1, 3),
        "epochs": 2,
        "lr": 3e-2,
        "units": 1,
        "switch_epochs": (0, 1),
        "control": True,
    },
}
GUARD_PAIRS = 6
GENERAL_SENTENCES = 20
TOKENS_PER_GUARD_CHECK = 300
"""Two steps or three."""
TINY_BASE_RATES = {
    "dendrites": 0.5, "adapter": 0.03, "stall": 0.03, "control": 0.03,
    "questions": 0.07, "question control": 0.07,
}  # fmt: skip
"""The learning rate on the tiny base model, which learns slowly."""
on_tiny_base = False
"""Whether `write_base` writes a tiny base model of random weights, on which runs then train."""
SIZES = (("train", "train", 24), ("dev", "train", 12), ("test", "test", 8))


def write_data(folder: Path) -> Path:
    """The first demo pairs: dev is half of train, so that training shows.

    Questions with passages are written beside them, into `questions`; with `on_tiny_base` that
    model too, into `base`.
    """
    write_base(folder.parent / "base")
    write_questions(folder.parent / "questions")
    folder.mkdir(parents=True, exist_ok=True)
    for split, source, count in SIZES:
        with (ROOT / "assets" / "demo" / f"{source}.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(row[:3] for row in rows[: count + 1])
    return folder


def write_base(folder: Path) -> None:
    """The tiny base model, where `on_tiny_base` wants one."""
    if on_tiny_base and not folder.exists():
        from small_models import SIX_LAYERS, make_model

        make_model(folder, SIX_LAYERS, max_tokens=128)


def make_tiny() -> None:
    """In a child: a short guard, often checked, and a save at every epoch, however short."""
    import torch

    from nexus_engine.data import load_guard
    from nexus_engine.data.files.general import load_general
    from nexus_engine.training import inputs
    from nexus_engine.training import save_clock as saving
    from nexus_engine.training.arm import guard_checks

    torch.set_num_threads(1)
    inputs.load_guard = lambda: load_guard().take(np.arange(GUARD_PAIRS))
    inputs.load_general = lambda: load_general()[:GENERAL_SENTENCES]
    guard_checks.TOKENS_PER_GUARD_CHECK = TOKENS_PER_GUARD_CHECK
    # Every check changes the weight, so that one that is lost or made twice is seen.
    guard_checks.next_weight = lambda weight, guard, base: (weight + 0.125) % 0.4375
    saving.MAX_SHARE = 1e9


def settings_of(folder: Path, case: str, **changes: Any) -> Any:
    from nexus_engine.config import TrainConfig
    from nexus_engine.model.base_sizes import resolve_for_base

    values = {**TINY, **CASES[case], **changes}
    if (folder / "base").exists():
        values |= {"base": str(folder / "base"), "lr": TINY_BASE_RATES[case], **changes}
    data = "questions" if values.get("task") == "retrieval" else "pairs"
    return resolve_for_base(TrainConfig(**{"data": str(folder / data), **values}))


def train(
    folder: Path,
    case: str = "dendrites",
    *,
    name: str = "run",
    resume: bool = False,
    meet: Callable[[Any, Any], None] = lambda event, steering: None,
    steering: Any = None,
    **changes: Any,
) -> dict[str, Any]:
    """A whole run in this process, through its session's own steps; its terminal event.

    `meet` is called with each event and the run's steering after the event is in the log.
    """
    from nexus_engine.disk.json_text import plain
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.training.run import train as run
    from nexus_engine.training.steering import Steering

    make_tiny()
    steering = steering or Steering()
    at = folder / name
    kept = RunFolder(at) if resume else RunFolder.create(at, "x")
    settings = settings_of(folder, case, **changes)
    last: Any = None
    with kept.lock:
        for last in run(settings, kept, steering, resume=resume):
            meet(last, steering)
    found: dict[str, Any] = plain(last)
    return found


def begun(at: Path) -> bool:
    """Whether a run got so far that it can be resumed."""
    return (at / "run.json").is_file()


# What must be the same after a resume


def metric_log(at: Path) -> list[Any]:
    """Every figure of the run, as last logged: evaluations and switches of each arm."""
    from nexus_engine.events import DendritesAdded, Evaluated, GuardChecked, SwitchSettled
    from nexus_engine.runs.folder import RunFolder

    found: dict[Any, Any] = {}
    for e in RunFolder(at).events():
        match e:
            case Evaluated():
                figures = (
                    e.score,
                    e.pearson,
                    e.mrr_at_10,
                    e.recall_at_1,
                    e.guard_spearman,
                    e.best_score,
                    e.best_epoch,
                    e.is_best,
                    e.keep_weight,
                )
                found[e.arm, e.split, e.epoch, "evaluated"] = [repr(f) for f in figures]
            case DendritesAdded():
                found[e.arm, "", e.epoch, "grown"] = [
                    e.switch,
                    e.params_added_total,
                    repr(e.before),
                ]
            case GuardChecked():
                weight = [repr(e.steering_spearman), repr(e.keep_weight)]
                found[e.arm, "", e.epoch, f"checked at {e.step}"] = weight
            case SwitchSettled():
                found[e.arm, "", e.epoch, "settled"] = [e.switch, e.kept, repr(e.after)]
    return sorted([list(key), value] for key, value in found.items())


def weights(at: Path) -> str:
    found: str = json.loads((at / "best" / "model.json").read_text())["weights_sha256"]
    return found


TIMES = ("step_seconds", "eval_seconds", "train_seconds", "total_seconds")


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def state_digest(at: Path) -> str:
    """SHA-256 of the last checkpoint: weights, best, optimizer, random state, counters, policy."""
    from nexus_engine.runs import checkpoints

    saved = checkpoints.load_latest(at / "checkpoints")
    if saved is None:
        return "none"
    digest = hashlib.sha256(json.dumps(_timeless(saved.meta), sort_keys=True).encode())
    for name in sorted(saved.tensors):
        digest.update(
            name.encode()
            + saved.tensors[name]
            .reshape(-1)
            .view(dtype=__import__("torch").uint8)
            .numpy()
            .tobytes()
        )
    return digest.hexdigest()


def facts(at: Path) -> dict[str, Any]:
    """All that must be equal in a resumed and in an uninterrupted run."""
    result = json.loads((at / "result.json").read_text())
    dropped = (*TIMES, "time_unix_s", "pairs_per_second", "peak_rss_mb", "run_dir")
    return {
        "weights": weights(at),
        "state": state_digest(at),
        "metrics": metric_log(at),
        "result": {k: v for k, v in result.items() if k not in dropped},
    }
