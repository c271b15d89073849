"""The child's training: read the job, train the arm by the library, write its best to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import torch

from nexus_engine.disk.tensor_files import write_tensors
from nexus_engine.events import Event
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.model_folder import read_model_folder
from nexus_engine.model.regimes import build_model
from nexus_engine.scoring.corpus import Corpus
from nexus_engine.scoring.evaluation import Baseline, GuardScores, Judged
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.inputs import open_inputs, tokenise
from nexus_engine.training.perforated.job import Best, Done, Message, read_job
from nexus_engine.training.perforated.library import LibraryArm, LibraryLoop
from nexus_engine.training.steering import Steering

__all__ = ["work"]


def work(folder: Path, steering: Steering, send: Callable[[Message], None]) -> Iterator[Event]:
    """Train the job in `folder`; yields the events, and passes messages to `send` in between."""
    job, tensors = read_job(folder)
    settings = job.spec.settings
    base = BaseModel(
        Path(job.base_folder),
        "checked by the parent",
        "",
        published=False,
        shape=read_model_folder(Path(job.base_folder)),
    )
    inputs = open_inputs(settings, base=base, threads=job.threads)
    guard = tensors["guard"].numpy()
    corpus = tokenise(inputs, settings, guard_pairs=len(guard))
    assert isinstance(corpus, Corpus)  # the settings of the run say so
    device = inputs.hardware.device
    model = build_model(base, settings.tune, settings.dropout)
    model.to(device)
    features = tensors["features"].to(device) if "features" in tensors else None
    torch.manual_seed(settings.seed)
    arm = LibraryArm(job.spec, model, corpus, inputs.hardware, features)

    def keep_best(arm: Arm) -> None:
        """Write the best weights to a file named by their epoch; a roll-back finds its file."""
        assert isinstance(arm, LibraryArm)
        name = f"best-{arm.best.measured.epoch:04d}.safetensors"
        if not (folder / name).exists():
            state = {key: tensor.clone() for key, tensor in arm.net.state_dict().items()}
            write_tensors(folder / name, {**state, "cosines": torch.from_numpy(arm.best.values)})
        send(Best(file=name, measured=arm.best.measured))

    baseline = Baseline(
        dev=Judged(job.baseline.score, tensors["dev"].numpy(), job.baseline.details),
        guard=guard,
        guard_scores=GuardScores(
            job.baseline.guard_spearman,
            job.baseline.guard_scored_spearman,
            job.baseline.steering_spearman,
            job.baseline.apart_spearman,
        ),
    )
    loop = LibraryLoop(arm, baseline, steering, keep_best)
    while not arm.progress.finished:
        yield from loop.epoch()
    send(
        Done(
            progress=msgspec.to_builtins(arm.progress),
            growth=msgspec.to_builtins(arm.growth),
            records=[msgspec.to_builtins(record) for record in loop.records],
        )
    )
