"""Which steps run as CUDA graphs, and their inputs; the graphs need a GPU (gpu_speed.py)."""

import numpy as np
import pytest
import torch

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.model.encoder import Encoder, EncoderShape
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.spec import plan_main
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.steps import step as training_step

SHAPE = EncoderShape(vocabulary=50, positions=16, width=8, layers=1, heads=2, inner=12)
SETTINGS = resolve(TrainConfig(layers=(0,), batch_size=4, sharpness=0.5))
BATCH = np.array([2, 0])


class Graphs:
    """Takes the place of `GraphedSteps` and records its arguments."""

    def __init__(self, model, rule, context):
        self.model, self.rule, self.steps = model, rule, []

    def step(self, ids, lengths, scores, factor):
        self.steps.append((ids, lengths, scores, factor))
        return torch.tensor(0.5), torch.tensor(2.0)


@pytest.fixture
def phases(monkeypatch):
    """The graphs of each phase, in order."""
    phases = []

    def new_graphs(model, rule, context):
        phases.append(Graphs(model, rule, context))
        return phases[-1]

    monkeypatch.setattr(training_step, "GraphedSteps", new_graphs)
    return phases


@pytest.fixture
def arm(monkeypatch, phases):
    """An arm with one set, whose model reports a CUDA device."""
    store = TokenStore(lambda texts: [[int(word) for word in text.split()] for text in texts])
    rows = store.add([["1 2", "3 4 5", "6", "7 8 9", "10 11", "12 13 14 15"]])
    pairs = PairRows(rows[:3], rows[3:], np.array([0.1, 0.2, 0.3], np.float32))
    corpus = Corpus(store, pairs, pairs, pairs, pairs, np.zeros(0, np.int64))
    model = SentenceModel(Encoder(SHAPE).requires_grad_(False))
    spec = plan_main(SETTINGS, ("0.v", "0.up"), 2)
    arm = Arm(spec, model, corpus, Hardware(torch.device("cpu"), bf16=False, threads=1))
    arm.progress.epoch = 1
    arm.grow()
    arm.start_phase()
    monkeypatch.setattr(SentenceModel, "device", torch.device("cuda"))
    return arm


def test_a_phase_has_its_own_graphs_of_what_learns_in_it(arm, phases):
    result = arm.make_step(BATCH)
    arm.make_step(BATCH)
    (graphs,) = phases
    assert graphs.model is arm.model
    assert graphs.model.training
    ids, lengths, (scores,), factor = graphs.steps[0]
    # The first sentences of the pairs 2 and 0, then their second ones.
    assert ids.tolist() == [6, 1, 2, 12, 13, 14, 15, 7, 8, 9]
    assert lengths.tolist() == [1, 2, 4, 3]
    assert scores.tolist() == pytest.approx([0.3, 0.1])
    assert factor == 1.0
    assert graphs.steps[1][3] == pytest.approx(1 - 1 / arm.progress.phase_steps)
    assert (float(result.loss), float(result.grad_norm), result.pairs) == (0.5, 2.0, 2)
    assert result.lr == SETTINGS.dendrite_lr
    assert (arm.progress.step, arm.progress.step_in_epoch, arm.progress.pairs) == (2, 2, 4)
    rule = graphs.rule
    assert rule.optimizer is arm.optimizer
    assert (rule.max_norm, rule.sharpness) == (training_step.MAX_GRAD_NORM, 0.5)
    for phase in range(2, 4):
        arm.grow()
        arm.start_phase()
        arm.make_step(BATCH)
        rule = phases[-1].rule
        assert len(phases) == phase
        assert rule.optimizer is arm.optimizer
        assert [id(p) for p in rule.parameters] == [id(p) for p in arm.learning().values()]


def test_a_restored_snapshot_drops_the_graphs(arm, phases):
    arm.make_step(BATCH)
    arm.restore(arm.snapshot())
    arm.make_step(BATCH)
    assert len(phases) == 2


def test_steps_run_eagerly_where_graphs_are_off_or_cannot_be_used(arm, monkeypatch):
    arm.embed.features = torch.randn(6, SHAPE.width)
    assert arm.steps._as_graphs() is None
    arm.embed.features = None
    arm.steps.graphs = False
    assert arm.steps._as_graphs() is None
    arm.steps.graphs = True
    assert arm.steps._as_graphs() is not None
    monkeypatch.setattr(SentenceModel, "device", torch.device("cpu"))
    assert arm.steps._as_graphs() is None
