"""One question by the short way: the same embedding as a batch, whatever has grown."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.cpu.question_encoder import ROW_COUNTS, QuestionEncoder, folded
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel, identity_adapter
from nexus_engine.model.tokens import Tokenizer, TokenStore

TEXTS = ["hi", "a broken wrist heals in six weeks", "word " * 33, "long " * 400, ""]


def grown_model(nonlinearity, sets=2, adapter=False):
    base = find_base_model()
    model = SentenceModel(load_encoder(base), identity_adapter(384) if adapter else None)
    generator = torch.Generator().manual_seed(3)
    for name, site in model.sites().items():
        if name == "adapter" or name.split(".")[1] in ("v", "up", "down", "q"):
            site.nonlinearity = nonlinearity
            for _ in range(sets):
                site.grow(4, generator)
            with torch.no_grad():
                for parameter in site.dendrite_parameters():
                    parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval(), Tokenizer(base.folder)


@pytest.mark.parametrize("nonlinearity", ["linear", "gelu", "tanh"])
def test_short_way_equals_the_batch(nonlinearity):
    model, tokenizer = grown_model(nonlinearity, adapter=nonlinearity == "gelu")
    store = TokenStore(tokenizer)
    rows = store.add([TEXTS])
    base = SentenceModel(load_encoder(find_base_model())).eval()
    with torch.inference_mode():
        batch = normalize(model.embed(store, rows))
        alone = torch.cat([model.embed_single(ids) for ids in tokenizer(TEXTS)])
        plain = normalize(model.embed(store, rows, plain=True))
        ungrown = base.embed(store, rows)
    assert float((normalize(alone) - batch).abs().max()) < 1e-6
    assert float((normalize(alone) - plain).abs().max()) < 1e-6
    assert float((normalize(ungrown) - batch).abs().max()) > 1e-3  # the units count


def test_every_row_count_is_exact():
    model, _ = grown_model("gelu", sets=0)
    encoder = QuestionEncoder(model.encoder)
    generator = np.random.default_rng(5)
    for count in (1, 3, 4, 5, 12, 13, 31, 33, 63, 65, 129, 256):
        assert count <= ROW_COUNTS[-1]
        ids = generator.integers(999, 30000, count)
        store = TokenStore(lambda batch, ids=ids: [ids.tolist()])
        rows = store.add_distinct([["x"]])
        with torch.inference_mode():
            expected = normalize(model.embed(store, rows))
        assert float((normalize(encoder(ids.tolist())) - expected).abs().max()) < 1e-6, count


def test_folding_linear_units_is_exact_in_float64():
    generator = torch.Generator().manual_seed(0)
    site = DendriteLinear(12, 7, "linear")
    with torch.no_grad():
        site.weight.copy_(torch.randn(7, 12, generator=generator))
        site.bias.copy_(torch.randn(7, generator=generator))
    site.grow(5, generator)
    with torch.no_grad():
        for parameter in site.dendrite_parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    rows = torch.randn(9, 12, generator=generator)
    weight, bias = folded(site)
    assert torch.allclose(rows @ weight.t() + bias, site(rows), atol=1e-4)
    exact = site.double()(rows.double())
    assert torch.allclose((rows.double() @ weight.double().t() + bias), exact, atol=2e-5)


def test_a_model_that_trains_or_rounds_takes_the_long_way():
    model, _ = grown_model("gelu", sets=0)
    assert model.embeds_single
    model.dtype = torch.bfloat16
    assert not model.embeds_single
    model.dtype = torch.float32
    assert not model.train().embeds_single
