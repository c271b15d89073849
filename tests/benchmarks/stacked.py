"""Many runs on one frozen encoder at once: replicas share its weights and have units of their own.

A replica is a run of `--tune dendrites` in small: its units, seed, order of pairs, rate, loss and
sharpness are its own. What differs from the engine: dropout's masks come from one stream, so that a
result depends on what runs beside it; a switch goes on from the weights as they are, not from the
best; no set is rolled back. A step's sentences lie in a few rectangles by length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.config import Settings
from nexus_engine.model.dendrites import NONLINEARITIES, UNIT_PARAMETERS, DendriteLinear
from nexus_engine.model.encoder import Encoder, EncoderLayer
from nexus_engine.model.placement import choose_placement
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import Corpus
from nexus_engine.training.steps.batching import epoch_batches
from nexus_engine.training.steps.losses import cosent, cosine_mse, pearson_distance
from nexus_engine.training.steps.sharpness import FLOOR
from nexus_engine.training.steps.step import MAX_GRAD_NORM

RECTANGLES = 8
TOKENS_PER_FORWARD = 2**17
"""Tokens, over all replicas, in one inference batch: bounds its memory."""
CLS, SEP, MASK = 101, 102, 103

Rows = npt.NDArray[np.int64]
Weights = dict[str, Tensor]
"""Float32 parameters (R, ...) by `LAYER.SITE.NAME`; the last as `DendriteLinear` names it."""
Compute = Callable[[Weights], Tensor]
"""Weights to the loss of each replica, (R,)."""


class Replica(NamedTuple):
    """What a replica has for itself; `mse` to `blend` are the weights of its loss (`losses`)."""

    seed: int
    lr: float
    weight_decay: float
    sharpness: float
    mse: float = 0.0
    pearson: float = 0.0
    cosent: float = 0.0
    similarity: float = 0.0
    blend: float = 0.0


class Rectangle(NamedTuple):
    """Sentences side by side: token `ids` and which places are `real`, (R or 1, m, l) both."""

    ids: Tensor
    real: Tensor


class Sentences:
    """The sentences of a store: `ids` (n, longest) on the device, `lengths` (n,) here."""

    def __init__(self, store: TokenStore, device: torch.device) -> None:
        self.lengths = store.lengths
        longest = -(-int(self.lengths.max()) // 8) * 8  # attention's kernels like multiples of 8
        laid = np.zeros((len(self.lengths), longest), np.int64)
        laid[np.arange(longest) < self.lengths[:, None]] = store.tokens(np.arange(len(laid)))[0]
        self.ids = torch.from_numpy(laid).to(device)

    def cut(self, rows: Rows, count: int = RECTANGLES) -> tuple[list[Rectangle], Tensor]:
        """Rectangles for each replica's sentences `rows`, (R, n), shortest first.

        Also (R, n): where in the rectangles, one after the other, each of `rows` is.
        """
        device, found = self.ids.device, []
        order = np.argsort(self.lengths[rows], 1, kind="stable")
        for part in np.array_split(np.take_along_axis(rows, order, 1), count, 1):
            if part.size:
                lengths = torch.from_numpy(self.lengths[part]).to(device)[..., None]
                width = -(-int(self.lengths[part].max()) // 8) * 8
                ids = self.ids[torch.from_numpy(part).to(device)][:, :, :width]
                found.append(Rectangle(ids, torch.arange(width, device=device) < lengths))
        return found, torch.from_numpy(np.argsort(order, 1)).to(device)


def units_of(weights: Weights, site: str, replica: int) -> dict[str, Tensor]:
    """The units of one replica on a site, by parameter name, as `DendriteLinear` loads them."""
    names = [name for name in UNIT_PARAMETERS if f"{site}.{name}" in weights]
    return {name: weights[f"{site}.{name}"][replica].detach() for name in names}


def grow(
    weights: Weights, sites: Mapping[str, DendriteLinear], units: int, seeds: Sequence[int], n: int
) -> Weights:
    """New tensors: `weights` with the `n`-th set, from 1, on `sites`, as the engine grows it."""
    replicas: list[Weights] = []
    for index, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed * 1000 + n)
        grown: Weights = {}
        for name, site in sites.items():
            twin = DendriteLinear(site.inputs, site.outputs)
            twin.load_units(units_of(weights, name, index))
            twin.grow(units, generator)
            held = ((leaf, getattr(twin, leaf)) for leaf in UNIT_PARAMETERS)
            grown.update({f"{name}.{leaf}": p.detach() for leaf, p in held if p is not None})
        replicas.append(grown)
    device = next(iter(sites.values())).weight.device
    return {name: torch.stack([r[name] for r in replicas]).to(device) for name in replicas[0]}


def replicas_in(weights: Weights) -> int:
    """R; 1 for no units at all, which is the base model."""
    return next((tensor.shape[0] for tensor in weights.values()), 1)


class StackedEncoder:
    """The frozen `encoder` under R sets of units, on its device, in the format of its weights.

    `settings` are those that the replicas share. `word_dropout` is the share of words, 0..1, that a
    training step replaces by [MASK].
    """

    def __init__(
        self, encoder: Encoder, sentences: Sentences, settings: Settings, word_dropout: float = 0.0
    ) -> None:
        self.encoder = encoder.requires_grad_(False)
        self.sentences, self.settings, self.word_dropout = sentences, settings, word_dropout
        self._all = encoder.sites()
        self.sites = {name: self._all[name] for name in choose_placement(settings, self._all).sites}

    def _linear(self, name: str, rows: Tensor, weights: Weights) -> Tensor:
        """A site with its K units: (R, t, in) to (R, t, out)."""
        site, function = self._all[name], NONLINEARITIES[self.settings.nonlinearity]
        plain = F.linear(rows, site.weight, site.bias)
        if f"{name}.gain" not in weights:
            return plain
        incoming, threshold = weights[f"{name}.incoming"], weights[f"{name}.threshold"]
        drive = torch.baddbmm(threshold[:, None], rows, incoming.transpose(1, 2))
        units = incoming.shape[1]
        columns = [function(drive[:, :, :1])]
        for k in range(1, units):
            row = k * (k - 1) // 2
            cascade = weights[f"{name}.cascade"][:, row : row + k, None]
            driven = torch.baddbmm(drive[:, :, k : k + 1], torch.cat(columns, 2), cascade)
            columns.append(function(driven))
        return torch.baddbmm(plain, torch.cat(columns, 2), weights[f"{name}.gain"])

    def _words(self, ids: Tensor, training: bool) -> Tensor:
        """Embedded tokens (R or 1, m, l) as rows (R or 1, m · l, width), not normalised."""
        encoder = self.encoder
        if training and self.word_dropout:
            hidden = torch.rand(ids.shape, device=ids.device) < self.word_dropout
            ids = torch.where(hidden & (ids != 0) & (ids != CLS) & (ids != SEP), MASK, ids)
        rows: Tensor = encoder.words(ids) + encoder.places.weight[: ids.shape[2]]
        return (rows + encoder.segments.weight[0]).flatten(1, 2)

    def embed(self, weights: Weights, rectangles: Sequence[Rectangle], *, training: bool) -> Tensor:
        """(R, n, width) float32: mean-pooled embeddings of the rectangles' sentences in order."""
        encoder, width, heads = self.encoder, self.encoder.shape.width, self.encoder.shape.heads
        rate, replicas = self.settings.dropout if training else 0.0, replicas_in(weights)
        weights = {name: tensor.to(encoder.words.weight) for name, tensor in weights.items()}
        sizes = [r.ids.shape[1] * r.ids.shape[2] for r in rectangles]
        real = [r.real.expand(replicas, -1, -1) for r in rectangles]
        rows = encoder.norm(torch.cat([self._words(r.ids, training) for r in rectangles], 1))
        rows = F.dropout(rows.expand(replicas, -1, -1).contiguous(), rate, training)
        for index, layer in enumerate(encoder.layers):
            assert isinstance(layer, EncoderLayer)
            qkv = [self._linear(f"{index}.{name}", rows, weights) for name in "qkv"]
            mixed = []
            for kept, *parts in zip(real, *(torch.split(t, sizes, 1) for t in qkv), strict=True):
                shape = (-1, kept.shape[2], heads, width // heads)
                q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts)
                mask = kept.reshape(-1, 1, 1, kept.shape[2])
                found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
                mixed.append(found.transpose(1, 2).reshape(replicas, -1, width))
            out = self._linear(f"{index}.o", torch.cat(mixed, 1), weights)
            rows = layer.attention_norm(rows + F.dropout(out, rate, training))
            inner = F.gelu(self._linear(f"{index}.up", rows, weights))
            out = self._linear(f"{index}.down", inner, weights)
            rows = layer.output_norm(rows + F.dropout(out, rate, training))
        pooled = []
        for kept, part in zip(real, torch.split(rows.float(), sizes, 1), strict=True):
            share = kept.float() / kept.sum(2, keepdim=True)
            pooled.append((part.reshape(*kept.shape, width) * share[..., None]).sum(2))
        return torch.cat(pooled, 1)

    @torch.no_grad()
    def embed_all(self, weights: Weights, rows: Rows) -> Tensor:
        """(R, n, width) float32 of length 1: the sentences `rows`, (n,), by every replica."""
        order = np.argsort(self.sentences.lengths[rows], kind="stable")
        tokens = np.cumsum(self.sentences.lengths[rows[order]] * replicas_in(weights))
        found = [
            self.embed(weights, self.sentences.cut(rows[chosen][None], 1)[0], training=False)
            for chosen in np.split(order, np.flatnonzero(np.diff(tokens // TOKENS_PER_FORWARD)) + 1)
        ]
        back = torch.from_numpy(np.argsort(order)).to(self.sentences.ids.device)
        return F.normalize(torch.cat(found, 1)[:, back], dim=2)


def losses(
    vectors: Tensor, scores: Tensor, own: Mapping[str, Tensor], teacher: Tensor | None
) -> Tensor:
    """The loss of each replica, (R,), from embeddings (R, 2 b, width), first sentences first.

    `scores` are (R, b), 0..1; `own` holds the fields of `Replica`, (R,) each. `teacher`, (R, 2 b,
    any width) of length 1, gives the share `blend` of the scores for squared error and Pearson; the
    term `similarity` is the mean squared difference from its cosines between all sentences of the
    batch but a pair's own two.
    """
    b = scores.shape[1]
    vectors = F.normalize(vectors, dim=2)
    cosine = (vectors[:, :b] * vectors[:, b:]).sum(2)
    wanted = scores
    if teacher is not None:
        wanted = scores.lerp((teacher[:, :b] * teacher[:, b:]).sum(2), own["blend"][:, None])
    total = own["mse"] * torch.vmap(cosine_mse)(cosine, wanted)
    total = total + own["pearson"] * torch.vmap(pearson_distance)(cosine, wanted)
    if bool(own["cosent"].any()):
        total = total + own["cosent"] * torch.vmap(cosent)(cosine, scores)
    if teacher is not None and bool(own["similarity"].any()):
        gaps = vectors @ vectors.transpose(1, 2) - teacher @ teacher.transpose(1, 2)
        place = torch.arange(2 * b, device=scores.device)
        others = (place[:, None] - place) % b != 0
        total = total + own["similarity"] * (gaps.square() * others).sum((1, 2)) / others.sum()
    return total


def _along(values: Tensor, like: Tensor) -> Tensor:
    """(R,) as (R, 1, ...), to be multiplied with `like`, (R, ...)."""
    return values.view(-1, *[1] * (like.dim() - 1))


def norms(tensors: Weights) -> Tensor:
    """The length of each replica's part, (R,)."""
    return torch.stack([t.flatten(1).square().sum(1) for t in tensors.values()]).sum(0).sqrt()


def _plain(compute: Compute, weights: Weights) -> Weights:
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in weights.items()}
    found = torch.autograd.grad(compute(leaves).sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def gradients(compute: Compute, weights: Weights, radius: Tensor | None) -> Weights:
    """The gradient of each replica's loss, with `radius` (R,) where it is worst within that.

    As in `nexus_engine.training.steps.sharpness`, with the same random numbers in both passes.
    """
    if radius is None:
        return _plain(compute, weights)
    cuda = radius.device.type == "cuda"
    state = torch.cuda.get_rng_state(radius.device) if cuda else torch.get_rng_state()
    found = _plain(compute, weights)
    sizes = {name: tensor.abs() + FLOOR for name, tensor in weights.items()}
    scaled = {name: sizes[name] * gradient for name, gradient in found.items()}
    share = radius / norms(scaled).clamp_min(1e-12)
    moves = {name: sizes[name] * part * _along(share, part) for name, part in scaled.items()}
    if cuda:
        torch.cuda.set_rng_state(state, radius.device)
    else:
        torch.set_rng_state(state)
    return _plain(compute, {name: tensor + moves[name] for name, tensor in weights.items()})


class StackedAdamW:
    """AdamW with a rate and a weight decay for each replica, (R,); gradients are clipped first."""

    def __init__(self, weights: Weights, lr: Tensor, weight_decay: Tensor) -> None:
        self._lr, self._decay, self._steps = lr, weight_decay, 0
        self._mean = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        self._square = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}

    def step(self, weights: Weights, found: Weights, factor: float) -> None:
        """Change `weights` in place, at `factor` times the rates."""
        self._steps += 1
        clip = (MAX_GRAD_NORM / (norms(found) + 1e-6)).clamp_max(1.0)
        for name, tensor in weights.items():
            gradient = found[name] * _along(clip, tensor)
            rate = _along(self._lr * factor, tensor)
            mean = self._mean[name].lerp_(gradient, 0.1)
            square = self._square[name].lerp_(gradient.square(), 0.001)
            size = (square / (1 - 0.999**self._steps)).sqrt() + 1e-8
            tensor.mul_(1 - rate * _along(self._decay, tensor))
            tensor.sub_(rate * mean / (1 - 0.9**self._steps) / size)


def epoch_of(lengths: Rows, settings: Settings, seeds: Sequence[int], epoch: int) -> list[Rows]:
    """The batches of an epoch, from 1, each (R, b) train pairs; one of another size comes last."""
    like, size, parts = settings.order == "length", settings.batch_size, settings.epochs_per_pass
    orders = [
        epoch_batches(lengths, size, seed=seed, epoch=epoch, like_length=like, per_pass=parts)
        for seed in seeds
    ]
    for order in orders:
        order.sort(key=lambda batch: len(batch) != size)
    return [np.stack(batches) for batches in zip(*orders, strict=True)]


def train(
    model: StackedEncoder,
    corpus: Corpus,
    replicas: Sequence[Replica],
    teacher: Tensor | None = None,
) -> Iterator[Weights]:
    """Train, yielding the weights after each epoch; they change when the next begins.

    `teacher` (sentences of the store, any width) are embeddings of length 1.
    """
    settings, pairs, device = model.settings, corpus.train, model.sentences.ids.device
    lengths = model.sentences.lengths[pairs.first] + model.sentences.lengths[pairs.second]
    columns = zip(Replica._fields, zip(*replicas, strict=True), strict=True)
    own = {name: torch.tensor(values, device=device).float() for name, values in columns}
    seeds, switches = [replica.seed for replica in replicas], settings.switch_epochs or ()
    weights: Weights = {}

    def loss_of(picked: Rows) -> Compute:
        """The losses on the train pairs `picked`, (R, b), as a function of the weights."""
        rows = np.concatenate([pairs.first[picked], pairs.second[picked]], 1)
        rectangles, places = model.sentences.cut(rows)
        scores = torch.from_numpy(pairs.scores[picked]).to(device)
        taught = None if teacher is None else teacher[torch.from_numpy(rows).to(device)].float()

        def compute(at: Weights) -> Tensor:
            vectors = model.embed(at, rectangles, training=True)
            vectors = vectors.gather(1, places[..., None].expand(-1, -1, vectors.shape[2]))
            return losses(vectors, scores, own, taught)

        return compute

    steps_an_epoch = len(epoch_of(lengths, settings, seeds, 1))
    for epoch in range(settings.epochs):
        batches = epoch_of(lengths, settings, seeds, epoch + 1)
        if epoch in switches:
            sets = sum(switch <= epoch for switch in switches)
            weights = grow(weights, model.sites, settings.units, seeds, sets)
            optimizer = StackedAdamW(weights, own["lr"], own["weight_decay"])
            later = [e for e in switches if e > epoch and settings.schedule == "phase"]
            step, steps = 0, (min(later, default=settings.epochs) - epoch) * steps_an_epoch
        for picked in batches:
            compute = loss_of(picked)
            sharp = any(replica.sharpness for replica in replicas)
            radius = own["sharpness"] if sharp else None
            found = gradients(compute, weights, radius)
            factor = 1.0 if settings.schedule == "constant" else max(0.0, 1.0 - step / steps)
            optimizer.step(weights, found, factor)
            step += 1
        yield weights
