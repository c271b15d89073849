"""A run folder before, during and after one round of saving, without a training around it.

`prepare` makes the state before, `save_again` the operations under test, `judge` looks at whatever
a fault left: everything is the old or the new, and the next save works.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from nexus_engine.disk.files import replace_json
from nexus_engine.events import Log
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import intact_card, save_model

OLD, NEW, NEXT = 2, 3, 4


def tensors_of(version: int) -> dict[str, torch.Tensor]:
    """The state of a version: the same bytes wherever it is made."""
    made = torch.Generator().manual_seed(version)
    return {
        "now/weight": torch.rand(40, generator=made),
        "random/cpu": torch.randint(0, 256, (64,), generator=made, dtype=torch.uint8),
    }


def facts_of(version: int) -> dict[str, object]:
    return {
        "tune": "dendrites",
        "nonlinearity": "gelu",
        "base_sha256": "0" * 64,
        "base_folder": None,
        "epoch": version,
        "dev_spearman": version / 10,
        "params_added": 1,
        "data_name": "none",
        "data_fingerprint": "0" * 64,
    }


def _save(folder: RunFolder, version: int) -> None:
    """One round: everything that a run writes while it lives."""
    replace_json(folder.path / "run.json", {"version": version, "started_unix_s": 0})
    folder.append(Log(time_unix_s=float(version), message="before"))
    checkpoints.save(folder.checkpoints, tensors_of(version), {"version": version})
    save_model(folder.best, tensors_of(version), facts_of(version))
    folder.append(Log(time_unix_s=float(version), message="after"))
    replace_json(folder.path / "result.json", {"version": version})


def prepare(path: Path) -> RunFolder:
    """A folder with two rounds in it."""
    folder = RunFolder.create(path, "x")
    for version in (OLD - 1, OLD):
        _save(folder, version)
    return folder


def save_again(path: Path) -> None:
    """The round under test."""
    folder = RunFolder(path)
    with folder.lock:
        _save(folder, NEW)


def _same(found: dict[str, torch.Tensor], version: int) -> bool:
    wanted = tensors_of(version)
    return found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in wanted)


def judge(path: Path, *, must_be_new: bool = False, logged: bool = True) -> list[str]:
    """What is wrong with the folder after a fault; `must_be_new`: the round had ended.

    `logged`: that the log's old records must be there (a power cut may take those never pushed).
    """
    wrong = []
    folder = RunFolder(path)
    allowed = (NEW,) if must_be_new else (OLD, NEW)
    found = checkpoints.load_latest(folder.checkpoints)
    if found is None:
        wrong.append("no checkpoint is left")
    elif found.meta.get("version") not in allowed or not _same(
        found.tensors, found.meta["version"]
    ):
        wrong.append(f"checkpoint {found.name} is torn or too old: {found.meta}")
    card = intact_card(folder.best)
    if card is None:
        wrong.append("best/ holds no whole model")
    elif card.epoch not in allowed or not _same(
        load_file(folder.best / card.weights_file), card.epoch
    ):
        wrong.append(f"best/ is torn or too old: epoch {card.epoch}")
    for name in ("run.json", "result.json"):
        version = json.loads((path / name).read_text()).get("version")
        if version not in allowed:
            wrong.append(f"{name} is of version {version}")
    records = [e for e in folder.events() if isinstance(e, Log)]
    if logged and [e.time_unix_s for e in records[:4]] != [1.0, 1.0, 2.0, 2.0]:
        wrong.append("old records of the log are lost")
    return wrong + _next_save(folder, 0 if found is None else found.meta.get("version", 0))


def _next_save(folder: RunFolder, version: int) -> list[str]:
    """A later process goes on from here: it saves, keeps two, and clears what was left behind."""
    with folder.lock:
        _save(folder, NEXT)
    wrong = []
    found = checkpoints.load_latest(folder.checkpoints)
    if found is None or not _same(found.tensors, NEXT):
        wrong.append("the next save is not what is loaded")
    whole = checkpoints.names(folder.checkpoints)
    if len(whole) != 2 or any(".tmp-" in p.name for p in folder.path.rglob("*")):
        wrong.append(f"left behind: {sorted(p.name for p in folder.path.rglob('*'))}")
    return wrong
