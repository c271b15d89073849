"""Runs that train side by side give what the engine gives for each alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from replicas import groups, read_case
from stacked import Replica, Sentences, StackedEncoder, grow, train, units_of

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.growth import GrowthState
from nexus_engine.model.encoder import Encoder, EncoderShape
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.spec import plan_main
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.steps.losses import PEARSON_SHARE

SHAPE = EncoderShape(vocabulary=200, positions=32, width=16, layers=2, heads=2, inner=24)
SITES = ("0.v", "0.up", "1.v", "1.up")
SETTINGS = resolve(TrainConfig(layers=(0, 1), batch_size=8, dropout=0.0))
"""Two units on v and up, sets at epochs 0 and 1 of 3."""


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = Encoder(SHAPE)
    for name, parameter in encoder.named_parameters():
        deviation = 1.0 if name.startswith(("words", "places")) else 0.3
        torch.nn.init.normal_(parameter, 1.0 if "norm.weight" in name else 0.0, deviation)
    return encoder


@pytest.fixture
def corpus():
    random = np.random.default_rng(0)
    store = TokenStore(lambda texts: [[int(word) for word in text.split()] for text in texts])
    texts = [" ".join(map(str, random.integers(1, 200, random.integers(3, 20)))) for _ in range(60)]
    rows = store.add([texts])
    pairs = PairRows(rows[:29], rows[30:59], random.random(29, np.float32))
    return Corpus(store, pairs, pairs, pairs, pairs, np.zeros(0, np.int64))


def _stacked(encoder, corpus, settings=SETTINGS, **more):
    sentences = Sentences(corpus.store, torch.device("cpu"))
    return StackedEncoder(encoder.requires_grad_(False), sentences, settings, **more)


def _replica(**own):
    return Replica(
        **{"seed": 1, "lr": 1e-3, "weight_decay": 0.01, "sharpness": 0.0, "mse": 1.0, **own}
    )


def _random_weights(model, seeds):
    weights = grow({}, model.sites, 2, seeds, 1)
    weights = grow(weights, model.sites, 1, seeds, 2)
    return {name: torch.randn_like(tensor) * 0.3 for name, tensor in weights.items()}


@pytest.mark.parametrize("nonlinearity", ["gelu", "linear", "tanh"])
def test_embeddings_are_the_engines(encoder, corpus, nonlinearity):
    model = _stacked(encoder, corpus, replace(SETTINGS, nonlinearity=nonlinearity))
    weights = _random_weights(model, [1, 2, 3])
    assert weights["0.up.cascade"].shape == (3, 3)
    rows = np.random.default_rng(1).permutation(60)[:40]
    vectors = model.embed_all(weights, rows)
    assert not torch.allclose(vectors[0], vectors[1], atol=0.05)
    encoder.eval()
    for replica in range(3):
        for name in SITES:
            encoder.sites()[name].load_units(units_of(weights, name, replica))
            encoder.sites()[name].nonlinearity = nonlinearity
        alone = torch.nn.functional.normalize(encoder(corpus.store.batch(rows)), dim=1)
        assert torch.allclose(vectors[replica], alone, atol=1e-4)


def _engine_alone(encoder, corpus, settings, replica):
    """The units that an arm of the engine trains, epoch by epoch, with a set after each switch."""
    names = ("seed", "weight_decay", "sharpness")
    own = {name: getattr(replica, name) for name in names}
    settings = replace(settings, dendrite_lr=replica.lr, **own)
    model = SentenceModel(encoder)
    model.written_out = False
    hardware = Hardware(torch.device("cpu"), bf16=False, threads=1)
    arm = Arm(plan_main(settings, SITES, 2), model, corpus, hardware)
    for epoch in range(settings.epochs):
        arm.progress.epoch = epoch + 1
        if epoch in settings.switch_epochs:
            arm.growth = GrowthState(switches=arm.growth.switches + 1)
            arm.grow()
            arm.start_phase()
        for batch in arm.batches(epoch + 1):
            arm.make_step(batch)
        yield {name.removeprefix("encoder.layers."): t for name, t in arm.snapshot().items()}


@pytest.mark.parametrize(
    ("own", "loss", "parts"),
    [
        ([{"lr": 2e-3}, {"lr": 5e-3, "weight_decay": 0.5}], "cosine-mse-pearson", 1),
        ([{"lr": 2e-3, "sharpness": 0.5}, {"lr": 4e-3, "sharpness": 2.0}], "cosine-mse-pearson", 3),
        ([{"lr": 2e-3, "sharpness": 0.5}, {"lr": 2e-3}], "cosent", 1),
    ],
    ids=["plain", "sharp", "mixed"],
)
def test_training_is_the_engines(encoder, corpus, own, loss, parts):
    settings = replace(SETTINGS, loss=loss, epochs_per_pass=parts)
    terms = {"mse": 0.0, "cosent": 1.0} if loss == "cosent" else {"pearson": PEARSON_SHARE}
    replicas = [_replica(seed=seed, **more, **terms) for seed, more in enumerate(own, 1)]
    model = _stacked(encoder, corpus, settings)
    epochs = [
        {name: tensor.clone() for name, tensor in weights.items()}
        for weights in train(model, corpus, replicas)
    ]
    assert epochs[0]["1.up.gain"].shape == (2, 2, SHAPE.inner)
    assert epochs[2]["1.up.gain"].shape == (2, 4, SHAPE.inner)
    for index, replica in enumerate(replicas):
        for name in SITES:
            encoder.sites()[name].load_units({})
        engine = _engine_alone(encoder, corpus, settings, replica)
        for stacked, alone in zip(epochs, engine, strict=True):
            assert stacked.keys() == alone.keys()
            for name, tensor in alone.items():
                gap = (stacked[name][index] - tensor).abs().max().item()
                assert gap < 1e-4, f"{name} of replica {index}"
            assert stacked["0.v.gain"][index].abs().max() > 1e-3


def test_dropout_is_on_and_the_same_in_both_passes(encoder, corpus):
    settings = replace(SETTINGS, dropout=0.2, epochs=1, switch_epochs=(0,))
    model = _stacked(encoder, corpus, settings, word_dropout=0.2)
    random_states, embed = [], model.embed

    def recording(*args, **more):
        state = torch.get_rng_state()
        random_states.append(state)
        vectors = embed(*args, **more)
        assert not torch.equal(state, torch.get_rng_state())
        return vectors

    model.embed = recording
    replicas = [_replica(seed=1, lr=1e-3, sharpness=1.0)]
    list(train(model, corpus, replicas))
    assert len(random_states) == 8
    first, second = random_states[::2], random_states[1::2]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(random_states[0], random_states[2])


def test_a_teacher_holds_similarities_where_they_were(encoder, corpus):
    model = _stacked(encoder, corpus)
    rows = np.arange(60)
    base = model.embed_all({}, rows)[0]
    replicas = [_replica(seed=1, lr=5e-3, similarity=weight) for weight in (0.0, 50.0)]
    weights = list(train(model, corpus, replicas, base))[-1]
    vectors = model.embed_all(weights, rows)
    moved = (vectors @ vectors.transpose(1, 2) - base @ base.T).square().mean((1, 2))
    assert moved[1] < moved[0] / 2


def test_cases_of_one_plan_and_teacher_train_together():
    texts = ["a:", "b:lr=3e-3,mse=0.5", "c:units=4", "d:similarity=2", "e:blend=0.5,teacher=c"]
    texts += ["f:sharpness=2,loss=cosent", "g:word_dropout=0.1"]
    cases = [read_case(text) for text in texts]
    names = [[case.name for case in group] for group in groups(cases)]
    assert names == [["a", "b", "f"], ["c"], ["d"], ["e"], ["g"]]


@pytest.mark.parametrize(
    "texts",
    [
        ["a:tune=full"],
        ["a:blend=1,teacher=b", "b:"],
        ["a:", "a:"],
        ["a:switch_epochs=1"],
        ["a:warmup_epochs=2"],
    ],
)
def test_an_unusable_case_is_refused_by_name(texts):
    with pytest.raises(SystemExit, match="--case a"):
        groups([read_case(text) for text in texts])
