"""The gradient of a batch in chunks is the gradient of the batch."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.encoder import Encoder, EncoderShape
from nexus_engine.model.sentence_model import SentenceModel, identity_adapter
from nexus_engine.model.tokens import TokenStore
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.steps import gradient_cache
from nexus_engine.training.steps import step as training_step
from nexus_engine.training.steps.adamw import AdamW
from nexus_engine.training.steps.features import Embedder
from nexus_engine.training.steps.gradient_cache import (
    ChunkMasks,
    MemoryLimits,
    activation_bytes,
    cut_chunks,
)
from nexus_engine.training.steps.ranking_loss import ranking_loss
from nexus_engine.training.steps.step import TrainingSteps

SHAPE = EncoderShape(vocabulary=50, positions=32, width=16, layers=2, heads=2, inner=24)
QUESTIONS = 12
BATCH = np.arange(QUESTIONS)
NEVER = MemoryLimits(1e12, 1e12)


class Ranked:
    """Question i, of i % 3 + 2 tokens, is answered by passage i, of up to 20; all in one store."""

    def __init__(self):
        lengths = [i % 3 + 2 for i in range(QUESTIONS)] + [2 * i % 19 + 2 for i in range(QUESTIONS)]
        random = np.random.default_rng(0)
        self.store = TokenStore(lambda texts: [[int(w) for w in text.split()] for text in texts])
        self.store.add([[" ".join(map(str, random.integers(1, 50, n))) for n in lengths]])
        self.lengths = self.store.lengths[:QUESTIONS] + self.store.lengths[QUESTIONS:]

    def rows(self, batch):
        return np.concatenate([batch, batch + QUESTIONS])

    def targets(self, batch):
        return (np.eye(len(batch), dtype=np.bool_),)

    def loss(self, vectors, targets):
        return ranking_loss(vectors[: len(vectors) // 2], vectors[len(vectors) // 2 :], targets[0])


def made(tune, *, dropout=0.1, sharpness=0.0, written_out=True):
    """A model in which all of `tune` learns, its steps, and its learning parameters by name."""
    torch.manual_seed(3)
    encoder = Encoder(SHAPE, dropout)
    for parameter in encoder.parameters():
        parameter.data.normal_(0, 0.3)
    model = SentenceModel(encoder, identity_adapter(SHAPE.width) if tune == "adapter" else None)
    model.written_out = written_out
    model.requires_grad_(False)
    if tune == "dendrites":
        generator = torch.Generator().manual_seed(1)
        for name, site in model.sites().items():
            if name.endswith((".v", ".up")):
                site.grow(2, generator)
                for parameter in site.dendrite_parameters():
                    parameter.data.add_(torch.randn(parameter.shape) * 0.1)
    learning = {
        name: parameter
        for name, parameter in model.named_parameters()
        if tune == "full"
        or (tune == "adapter" and name.startswith("adapter."))
        or (tune == "dendrites" and name.endswith(("incoming", "threshold", "cascade", "gain")))
    }
    for parameter in learning.values():
        parameter.requires_grad_(True)
    objective = Ranked()
    settings = resolve(TrainConfig(dropout=dropout, sharpness=sharpness, layers=(0, 1)))
    hardware = Hardware(torch.device("cpu"), bf16=False, threads=1)
    steps = TrainingSteps(Embedder(model, objective.store, None), objective, settings, hardware)
    parameters = list(learning.values())
    group = {"params": parameters, "lr": 0.01, "base_lr": 0.01, "weight_decay": 0.0}
    steps.begin(parameters, AdamW([group]))
    return steps, learning


def gradients(monkeypatch, limits, tune, *, number=5, **kwargs):
    """Loss and clipped gradients, by name, of step `number` under memory `limits`."""
    monkeypatch.setattr(gradient_cache, "CPU_LIMITS", limits)
    steps, learning = made(tune, **kwargs)
    torch.manual_seed(7)
    result = steps.step(BATCH, number, 1.0)
    after = torch.rand(1)
    return result, {name: p.grad.clone() for name, p in learning.items()}, after


def costs():
    return activation_bytes(Ranked().store.lengths, SHAPE, 4)


def limits(kept):
    """Limits that cut the batch into 5 uneven chunks, of which the activations of `kept` stay."""
    cut = MemoryLimits(float(costs().sum()) * 2 / 5, 1e12)
    whole = cut_chunks(costs(), cut, mixed=True)
    sizes = [costs()[places].sum() for places in whole.places]
    assert len(sizes) == 5
    assert len({len(places) for places in whole.places}) > 1
    return cut._replace(kept=float(sum(sizes[5 - kept :])) + 0.5)


@contextmanager
def without_cache(monkeypatch):
    """Embed the same chunks with the same masks, but in one graph and one backward pass."""

    def plain(embed, chunks, loss_of, masks):
        parts = []
        for chunk, places in enumerate(chunks.places):
            with masks.of(chunk):
                parts.append(embed(places))
        order = np.argsort(np.concatenate(chunks.places), kind="stable")
        loss = loss_of(torch.cat(parts)[torch.from_numpy(order)])
        loss.backward()
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(training_step, "cached_gradients", plain)
        yield


def error(expected, got):
    """The largest error over parameters, relative to the norm of the whole gradient."""
    norm = torch.stack([g.norm() for g in expected.values()]).norm()
    return float(max((expected[n] - got[n]).norm() / norm for n in expected))


@pytest.mark.parametrize("tune", ["full", "dendrites", "adapter"])
@pytest.mark.parametrize("kept", [0, 2, 5])
@pytest.mark.parametrize("sharpness", [0.0, 0.5])
@pytest.mark.parametrize("written_out", [True, False])
def test_chunks_give_the_gradient_of_the_batch_with_dropout(
    monkeypatch, tune, kept, sharpness, written_out
):
    options = {"sharpness": sharpness, "written_out": written_out}
    result, got, after = gradients(monkeypatch, limits(kept), tune, **options)
    with without_cache(monkeypatch):
        plain, expected, _ = gradients(monkeypatch, limits(kept), tune, **options)
    assert torch.allclose(result.loss, plain.loss, rtol=1e-6)
    assert error(expected, got) < 1e-6
    # The dropout drawn is not that of another step, nor is it off.
    _, other, other_after = gradients(monkeypatch, limits(kept), tune, number=6, **options)
    if tune != "adapter" and written_out:
        assert error(expected, other) > 1e-3
    assert torch.equal(after, other_after)  # the random numbers go on as after one pass


@pytest.mark.parametrize("tune", ["full", "dendrites", "adapter"])
def test_without_dropout_chunks_equal_today_s_step_on_the_whole_batch(monkeypatch, tune):
    result, got, _ = gradients(monkeypatch, limits(2), tune, dropout=0.0)
    plain, expected, _ = gradients(monkeypatch, NEVER, tune, dropout=0.0)
    assert torch.allclose(result.loss, plain.loss, rtol=1e-6)
    assert torch.allclose(result.grad_norm, plain.grad_norm, rtol=1e-5)
    assert error(expected, got) < 1e-5  # products of other shapes round otherwise


@pytest.mark.parametrize("written_out", [True, False])
def test_other_masks_in_the_second_pass_are_caught(monkeypatch, written_out):
    with without_cache(monkeypatch):
        _, expected, _ = gradients(monkeypatch, limits(2), "dendrites", written_out=written_out)

    @contextmanager
    def fresh(self, chunk):
        entered = self.__dict__.setdefault("entered", [0])
        entered[0] += 1
        self._pool.begin(self._step, chunk + (100 if entered[0] > 5 else 0))
        yield

    monkeypatch.setattr(ChunkMasks, "of", fresh)
    _, got, _ = gradients(monkeypatch, limits(2), "dendrites", written_out=written_out)
    assert error(expected, got) > 1e-3


def test_a_cache_in_another_order_is_caught(monkeypatch):
    _, expected, _ = gradients(monkeypatch, NEVER, "full", dropout=0.0)
    true_cut = cut_chunks

    def rotated(*args, **kwargs):
        chunks = true_cut(*args, **kwargs)
        return None if chunks is None else chunks._replace(places=Rotated(chunks.places))

    class Rotated(tuple):
        """Iterates as it is; the backward passes, which index it, get other places."""

        def __getitem__(self, chunk):
            return np.roll(super().__getitem__(chunk), 1)

    monkeypatch.setattr(training_step, "cut_chunks", rotated)
    _, got, _ = gradients(monkeypatch, limits(0), "full", dropout=0.0)
    assert error(expected, got) > 1e-3


def test_a_batch_below_the_limit_takes_the_plain_step(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("cut")

    monkeypatch.setattr(training_step, "cached_gradients", refuse)
    below = MemoryLimits(float(costs().sum()), 0.0)
    plain, expected, _ = gradients(monkeypatch, NEVER, "dendrites")
    result, got, _ = gradients(monkeypatch, below, "dendrites")
    assert torch.equal(result.loss, plain.loss)
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    with pytest.raises(AssertionError, match="cut"):
        gradients(monkeypatch, MemoryLimits(float(costs().sum()) - 1, 0.0), "dendrites")


def test_frozen_features_are_never_cut(monkeypatch):
    monkeypatch.setattr(gradient_cache, "CPU_LIMITS", MemoryLimits(1.0, 0.0))
    steps, _ = made("adapter")
    assert steps._chunks(np.arange(4)) is not None
    steps._embed.features = torch.zeros(24, SHAPE.width)
    assert steps._chunks(np.arange(4)) is None


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("rows", [2, 7, 64, 1000])
def test_chunks_hold_every_row_once_and_cost_about_the_same(mixed, rows):
    lengths = np.random.default_rng(rows).integers(4, 129, rows)
    each = activation_bytes(lengths, EncoderShape(), 2)
    for part in (0.9, 0.3, 0.01):
        bound = MemoryLimits(float(each.sum()) * part, float(each.sum()) * 0.6)
        chunks = cut_chunks(each, bound, mixed=mixed)
        assert np.sort(np.concatenate(chunks.places)).tolist() == list(range(rows))
        assert all(len(places) for places in chunks.places)
        sizes = [each[places].sum() for places in chunks.places]
        assert max(sizes) <= bound.whole / 2 + 2 * each.max()
        assert sum(sizes[len(sizes) - chunks.kept :]) <= bound.kept
        if chunks.kept < len(sizes):
            assert sum(sizes[len(sizes) - chunks.kept - 1 :]) > bound.kept
        if mixed and rows == 1000:
            assert max(sizes) < 1.02 * min(sizes) or part == 0.01
        if not mixed:
            means = [lengths[places].mean() for places in chunks.places]
            assert means == sorted(means, reverse=True)


def test_one_row_is_never_cut():
    assert cut_chunks(np.array([5.0]), MemoryLimits(1.0, 1.0), mixed=True) is None


def test_parts_of_a_step_have_masks_of_their_own_that_can_be_drawn_again():
    pool = DropoutPool(0.5, seed=3, dtype=torch.float32)
    pool.begin(7)
    whole = pool.take(1000).clone()
    pool.begin(7, 0)
    first = pool.take(1000).clone()
    pool.begin(7, 1)
    second = pool.take(1000).clone()
    pool.begin(7, 0)
    assert torch.equal(pool.take(1000), first)
    assert not torch.equal(first, second)
    assert not torch.equal(first, whole)
