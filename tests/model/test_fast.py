"""The written-out encoder equals the plain one: outputs, gradients; its bins and dropout pool."""

import numpy as np
import pytest
import torch

from nexus_engine.data import load_split
from nexus_engine.model.cpu import FastEncoder, lay_out, products
from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.cpu.products import linear, linear_back, outer
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.tokens import Tokenizer, TokenStore

SITES = {"frozen": ("q", "k", "v", "o", "up", "down"), "default": ("v", "up"), "up of 1": ("1.up",)}


@pytest.fixture(scope="module")
def store(base_model):
    store = TokenStore(Tokenizer(base_model.folder))
    store.add([load_split("demo", "dev").first.to_pylist()[:40]])
    return store


@pytest.fixture
def encoder(base_model):
    encoder = load_encoder(base_model, dropout=0.0)
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    return encoder


def grown(encoder, names, units=(2, 1)):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    sites = {n: s for n, s in encoder.sites().items() if n in names or n[2:] in names}
    for site in sites.values():
        for count in units:
            site.grow(count, generator)
        for parameter in site.dendrite_parameters():
            parameter.data.add_(torch.randn(parameter.shape) * 0.02)
    return {f"{n}/{i}": p for n, s in sites.items() for i, p in enumerate(s.dendrite_parameters())}


def sorted_rows(store):
    return np.argsort(store.lengths, kind="stable")


def both(encoder, store, parameters, dtype, weights):
    """Outputs and gradients of the plain and the written-out encoder, for one weighted sum."""
    rows = sorted_rows(store)
    fast, layout = FastEncoder(encoder, dtype), lay_out(*store.tokens(rows))
    assert any(bins.mask is not None for bins in layout.bins)
    results = []
    for output in (encoder(store.batch(rows)), fast(layout)):
        for parameter in parameters.values():
            parameter.grad = None
        (output * weights).sum().backward()
        gradients = {n: p.grad.clone() for n, p in parameters.items()}
        results.append((output.detach(), gradients))
    return results


def max_error(plain, fast):
    """The largest relative error over parameters, by norm."""
    return max(
        float((plain[n] - fast[n]).norm() / plain[n].norm()) for n in plain if plain[n].norm() > 0
    )


def median_error(plain, fast):
    return float(np.median([float((plain[n] - fast[n]).norm() / plain[n].norm()) for n in plain]))


@pytest.mark.parametrize("case", SITES)
def test_outputs_and_gradients_of_units_equal_the_plain_path(encoder, store, case):
    parameters = grown(encoder, SITES[case])
    weights = torch.randn(len(store), 384)
    (plain, expected), (fast, gradients) = both(encoder, store, parameters, torch.float32, weights)
    assert float((plain - fast).abs().max()) < 1e-5
    assert max_error(expected, gradients) < 1e-4


def test_gradients_of_weights_equal_the_plain_path(encoder, store):
    parameters = {**dict(encoder.named_parameters()), **grown(encoder, ("0.q", "5.down"))}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    weights = torch.randn(len(store), 384)
    (plain, expected), (fast, gradients) = both(encoder, store, parameters, torch.float32, weights)
    assert float((plain - fast).abs().max()) < 1e-5
    keys = {n for n in expected if n.endswith("k.bias")}  # in exact arithmetic these are zero
    assert all(float(gradients[n].abs().max()) < 1e-3 for n in keys)
    rest = {n: g for n, g in expected.items() if n not in keys}
    assert max_error(rest, gradients) < 1e-4


def test_bfloat16_is_as_near_to_float32_as_autocast_is(encoder, store):
    parameters = grown(encoder, ("v", "up"))
    weights = torch.randn(len(store), 384)
    (plain, expected), (fast, gradients) = both(encoder, store, parameters, torch.bfloat16, weights)
    assert float(torch.cosine_similarity(plain, fast).min()) > 0.9998
    for parameter in parameters.values():
        parameter.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = encoder(store.batch(sorted_rows(store)))
    (cast * weights).sum().backward()
    by_autocast = {n: p.grad for n, p in parameters.items()}
    assert median_error(expected, gradients) < 1.5 * median_error(expected, by_autocast) < 0.05


def test_copies_follow_the_parameters(encoder, store):
    rows = sorted_rows(store)
    layout = lay_out(*store.tokens(rows))
    fast = FastEncoder(encoder)
    parameters = grown(encoder, ("v",))
    with torch.inference_mode():
        before = fast(layout)
    with torch.no_grad():
        parameters["2.v/3"].add_(0.1)
        encoder.sites()["3.q"].weight.mul_(1.1)
        encoder.sites()["4.v"].load_units({})
        after = fast(layout)
        assert not torch.allclose(before, after, atol=1e-3)
        assert torch.allclose(after, encoder(store.batch(rows)), atol=1e-5)


def test_bins_hold_every_sentence_whole_and_little_else():
    random = np.random.default_rng(0)
    lengths = random.integers(4, 100, 128)
    ids = np.arange(1, lengths.sum() + 1)
    layout = lay_out(ids, lengths)
    assert layout.bins[0].start == 0
    assert [b.start for b in layout.bins[1:]] == [b.stop for b in layout.bins[:-1]]
    assert layout.bins[-1].stop == len(layout.ids) < 1.15 * lengths.sum()
    assert [b.width for b in layout.bins] == [32, 64, 128]
    starts = np.cumsum(lengths) - lengths
    for sentence, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        rows = np.flatnonzero(layout.owners == sentence)
        assert rows.tolist() == list(range(rows[0], rows[0] + length))
        assert layout.ids[rows].tolist() == ids[start : start + length].tolist()
        assert layout.positions[rows].tolist() == list(range(length))
        (inside,) = [b for b in layout.bins if b.start <= rows[0] < b.stop]
        place = (rows - inside.start) // inside.width
        assert len(set(place.tolist())) == 1
        seen = inside.mask[place[0], 0, (rows - inside.start) % inside.width] == 0
        assert seen.sum(1).tolist() == [length] * length
    assert (layout.ids[layout.owners == len(lengths)] == 0).all()


@pytest.mark.parametrize(
    ("low", "high", "widths", "empty"),
    [(33, 40, [48], 0.25), (65, 80, [96], 0.25), (129, 140, [192], 0.31), (33, 64, [48, 64], 0.18)],
)
def test_sentences_just_above_a_width_leave_few_rows_empty(low, high, widths, empty):
    random = np.random.default_rng(0)
    for count in (1, 2, 31, 128):
        lengths = random.integers(low, high + 1, count)
        layout = lay_out(np.ones(lengths.sum(), np.int64), lengths)
        assert len(layout.ids) % max(32, 1 << (int(lengths.sum()).bit_length() - 5)) == 0
        assert sum(bins.number * bins.width for bins in layout.bins) == len(layout.ids)
        real = layout.owners < count
        assert np.bincount(layout.owners[real], minlength=count).tolist() == lengths.tolist()
        for bins in layout.bins:  # no sentence goes on in the next bin
            owners = layout.owners[bins.start : bins.stop].view(bins.number, bins.width)
            assert len(set(owners[:, 0].tolist())) == bins.number or owners[:, 0].max() == count
            first, last = owners[1:, 0], owners[:-1, -1]
            assert ((first != last) | (first == count)).all()
    assert [bins.width for bins in layout.bins if bins.width > 32] == widths
    assert 1 - lengths.sum() / len(layout.ids) < empty


def test_no_sentence_is_no_bin():
    assert lay_out(np.zeros(0, np.int64), np.zeros(0, np.int64)).bins == ()


def test_the_pool_keeps_the_mean_and_depends_on_the_step_alone():
    pool = DropoutPool(0.1, seed=3, dtype=torch.bfloat16)
    pool.begin(7)
    first, second = pool.take(1_000_000), pool.take(1_000_000)
    assert first.float().mean() == pytest.approx(1.0, abs=2e-3)
    assert (first == 0).float().mean() == pytest.approx(0.0986, abs=1e-3)
    assert not torch.equal(first, second)
    other = DropoutPool(0.1, seed=3, dtype=torch.bfloat16)
    other.begin(2)
    other.take(10)
    other.begin(7)
    assert torch.equal(other.take(1_000_000), first)
    pool.begin(32)
    assert not torch.equal(pool.take(1_000_000), first)
    assert pool.take(5_000_000).shape == (5_000_000,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_those_of_torch(dtype):
    x, w, b, y = (torch.randn(s).to(dtype) for s in ((70, 33), (21, 33), (21,), (70, 21)))
    close = {"atol": 1e-4 if dtype == torch.float32 else 0.1, "rtol": 2e-2}
    assert torch.allclose(linear(x, w, b), x @ w.t() + b, **close)
    assert torch.allclose(linear_back(y, w), y @ w, **close)
    assert torch.allclose(linear_back(y[:, 3:9], w[3:9]), y[:, 3:9] @ w[3:9], **close)
    assert torch.allclose(outer(y, x), y.t() @ x, **close)


def test_bfloat16_is_computed_without_an_operator_of_onednn(monkeypatch):
    """As on a processor without AVX-512, where oneDNN cannot create one."""
    operator = torch.ops.mkldnn._linear_pointwise

    def without_bfloat16(rows, *others):
        if rows.dtype == torch.bfloat16:
            raise RuntimeError("could not create a primitive descriptor")
        return operator(rows, *others)

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", without_bfloat16)
    products.has_onednn.cache_clear()
    rows, weight, bias = torch.randn(5, 8), torch.randn(3, 8), torch.randn(3)
    halves = [part.bfloat16() for part in (rows, weight, bias)]
    try:
        got = linear(*halves)
        assert torch.equal(got, torch.nn.functional.linear(*halves))
        assert torch.allclose(linear(rows, weight, bias), rows @ weight.T + bias, atol=1e-5)
    finally:
        monkeypatch.undo()
        products.has_onednn.cache_clear()
