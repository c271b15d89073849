"""Run by test_perforated.py in a process of its own: the library and our grower side by side.

Both train the same adapter on the same batches from the same start, in float64, so that rounding
neither hides nor causes a difference. For each epoch it prints the largest difference between their
outputs, and between the library's outputs and those of its weights read back into our own module.
"""

# ruff: noqa: E402, T201 - `close_doors` comes before any import of the library

import copy
import json
import sys
from pathlib import Path

from nexus_engine.training.perforated.child import close_doors

close_doors()

import numpy as np
import torch

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.data import load_data, load_guard
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.regimes import build_model
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.scoring.corpus import build_corpus
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.loop import ArmLoop
from nexus_engine.training.arm.spec import plan_main
from nexus_engine.training.base_scores import measure_base
from nexus_engine.training.hardware import select
from nexus_engine.training.perforated.library import LibraryArm, LibraryLoop
from nexus_engine.training.perforated.readback import plain_snapshot
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.features import features_of


def returned(generator):
    """What a generator of progress returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def main(data, form, switch_epochs, rate):
    settings = resolve(
        TrainConfig(
            data=data, tune="adapter", dendrite=form, epochs=5, batch_size=16, threads=1,
            switch_epochs=tuple(switch_epochs), lr=rate,
        )
    )  # fmt: skip
    base, steering = find_base_model(), Steering()
    tokenizer = Tokenizer(base.folder)
    corpus = build_corpus(load_data(data), load_guard().take(np.arange(20)), tokenizer)
    model = build_model(base, "adapter").eval()
    features = features_of(model, corpus, steering.check)
    hardware = select(settings)
    measuring = measure_base(model, corpus, features, steering, settings, hardware)
    baseline = returned(measuring)
    spec = plan_main(settings, ("adapter",), len(switch_epochs))
    loops = []
    for kind, loop in ((Arm, ArmLoop), (LibraryArm, LibraryLoop)):
        arm_model = copy.deepcopy(model)
        arm_model.adapter.double()
        arm = kind(spec, arm_model, corpus, hardware, features.double())
        loops.append(loop(arm, baseline, steering, lambda arm: None))
    ours, theirs = (loop.arm for loop in loops)
    plain = copy.deepcopy(model).adapter.double()
    plain.nonlinearity = settings.nonlinearity
    while not ours.progress.finished:
        events = [[type(e).__name__ for e in loop.epoch()] for loop in loops]
        assert [e for e in events[0] if e != "Step"] == [e for e in events[1] if e != "Step"]
        snapshot = plain_snapshot(theirs.net.state_dict())
        with torch.no_grad():
            for leaf in ("weight", "bias"):
                getattr(plain, leaf).copy_(snapshot.pop(f"adapter.{leaf}"))
            plain.load_units({name.removeprefix("adapter."): t for name, t in snapshot.items()})
            our_output, their_output = (
                arm.model.adapter(features.double()) for arm in (ours, theirs)
            )
            read_back = plain(features.double())
        print(
            json.dumps(
                {
                    "epoch": ours.progress.epoch - 1,
                    "grown": "DendritesAdded" in events[0],
                    "units": [ours.units(), theirs.units()],
                    "params": [ours.params_trained(), theirs.params_trained()],
                    "apart": (our_output - their_output).abs().max().item(),
                    "read_back": (their_output - read_back).abs().max().item(),
                    "moved": (their_output - features.double()).abs().max().item(),
                    "kept": [ours.growth.kept, theirs.growth.kept],
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    data, form, switches, rate = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent))
    main(data, form, json.loads(switches), float(rate))
