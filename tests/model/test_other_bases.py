"""Encoders of BERT's shape other than the default: read, refused, and equal to the originals."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest
import torch
from small_models import TINY, make_model, unigram, word_piece, write

from nexus_engine.errors import ModelError
from nexus_engine.model.base_model import base_shape, find_base_model
from nexus_engine.model.base_sizes import sizes_of
from nexus_engine.model.cpu import FastEncoder, lay_out
from nexus_engine.model.encoder import EncoderShape, pad
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.shape import Prompts
from nexus_engine.model.tokens import Tokenizer, TokenStore

TEXTS = [
    "the pump fails",
    "a",
    "",
    "How long would the wrist of many people be in there, if some seal fails?",
    "valve belt gauge " * 40,
    "Number one: it's 3.14",
    "the pump",
]
ARCTIC = "Represent this sentence for searching relevant passages: "


class Case(NamedTuple):
    """What distinguishes a known model."""

    layers: int
    pooling: str = "mean"
    max_tokens: int = 512
    kind: str = "WordPiece"
    prompts: dict[str, str] | None = None
    expected: Prompts = Prompts()
    normalise: bool = True
    epsilon: float = 1e-12


E5 = Prompts("query: ", "passage: ")
CASES = {
    "all-MiniLM-L12-v2": Case(12, max_tokens=128),
    "paraphrase-MiniLM-L3-v2": Case(3, max_tokens=128, normalise=False),
    "bge-small-en-v1.5": Case(12, "cls"),
    "e5-small-v2": Case(12, expected=E5),
    "gte-small": Case(12),
    "snowflake-arctic-embed-xs": Case(
        6, "cls", prompts={"query": ARCTIC}, expected=Prompts(ARCTIC)
    ),
    "snowflake-arctic-embed-s": Case(
        12, "cls", prompts={"query": ARCTIC}, expected=Prompts(ARCTIC)
    ),
    "multilingual-e5-small": Case(12, kind="Unigram", expected=E5),
    "paraphrase-multilingual-MiniLM-L12-v2": Case(
        12, max_tokens=128, kind="Unigram", normalise=False
    ),
}
"""As published: layers, pooling, length, tokenizer, prompts. The width is 384, and 12 the heads."""


def made(tmp_path, name, shape, *, exact=False, new_layout=False):
    case = CASES[name]
    if case.kind == "Unigram":
        tokenizer = unigram(250_002 if exact else 0)
        vocabulary = 250_037 if exact else tokenizer.get_vocab_size() + 7
    else:
        tokenizer, vocabulary = word_piece(), 30522 if exact else 0
    shape = shape._replace(
        layers=case.layers, pooling=case.pooling, norm_epsilon=case.epsilon, vocabulary=vocabulary
    )
    return make_model(
        tmp_path / name,
        shape,
        tokenizer=tokenizer,
        prompts=case.prompts,
        max_tokens=min(case.max_tokens, shape.positions),
        normalise=case.normalise,
        new_layout=new_layout,
    )


def check_equals_sentence_transformers(folder, prompts):
    """Embeddings of every path, of both roles, cut texts included."""
    from sentence_transformers import SentenceTransformer

    base = find_base_model(folder)
    assert base.shape.prompts == prompts
    model = SentenceModel(load_encoder(base)).eval()
    tokenizer = Tokenizer(base.folder, base.shape.max_tokens, base.shape)
    reference = SentenceTransformer(str(folder), device="cpu")
    longest = base.shape.max_tokens
    assert reference.max_seq_length == longest
    for prompt in dict.fromkeys([prompts.query, prompts.passage]):
        store = TokenStore(tokenizer)
        rows = store.add([TEXTS], prompt=prompt)
        with torch.inference_mode():
            ways = [
                model.embed(store, rows),
                model.embed(store, rows, plain=True),
                torch.cat(
                    [model.embed_single(ids) for ids in tokenizer([prompt + t for t in TEXTS])]
                ),
                model.encoder(
                    pad(*map(torch.from_numpy, store.tokens(rows)), base.shape.max_tokens)
                ),
            ]
        expected = reference.encode(TEXTS, prompt=prompt, normalize_embeddings=True)
        for vectors in ways:
            own = torch.nn.functional.normalize(vectors).numpy()
            assert np.abs(own - expected).max() < 1e-5


@pytest.mark.parametrize("name", list(CASES))
def test_embeddings_equal_sentence_transformers(name, tmp_path):
    # Half of them as sentence-transformers 5.4 and later write their modules.
    folder = made(tmp_path, name, TINY, new_layout=len(name) % 2 == 0)
    check_equals_sentence_transformers(folder, CASES[name].expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_exact_configurations_equal_sentence_transformers(name, tmp_path):
    folder = made(tmp_path, name, EncoderShape(), exact=True)
    check_equals_sentence_transformers(folder, CASES[name].expected)


@pytest.mark.parametrize("name", ["bge-small-en-v1.5", "multilingual-e5-small"])
def test_gradients_equal_transformers(name, tmp_path):
    from transformers import BertModel

    base = find_base_model(made(tmp_path, name, TINY))
    reference = BertModel.from_pretrained(base.folder, add_pooling_layer=False).eval()
    encoder = load_encoder(base, dropout=0.0)
    store = TokenStore(Tokenizer(base.folder, 40, base.shape))
    rows = store.add([TEXTS])
    ids, lengths = store.tokens(rows)
    weights = torch.randn(len(rows), TINY.width, generator=torch.Generator().manual_seed(3))
    mask = torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]
    padded = torch.zeros(mask.shape, dtype=torch.int64)
    padded[mask] = torch.from_numpy(ids)
    states = reference(padded, attention_mask=mask.long()).last_hidden_state
    pooled = states[:, 0]
    if base.shape.encoder.pooling == "mean":
        pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    (pooled * weights).sum().backward()
    expected = {name: p.grad for name, p in reference.named_parameters()}
    names = {
        "layers.0.v.weight": "encoder.layer.0.attention.self.value.weight",
        "layers.11.down.bias": "encoder.layer.11.output.dense.bias",
        "layers.5.q.weight": "encoder.layer.5.attention.self.query.weight",
        "words.weight": "embeddings.word_embeddings.weight",
    }
    for output in (encoder(store.batch(rows)), FastEncoder(encoder)(lay_out(ids, lengths))):
        encoder.zero_grad()
        (output * weights).sum().backward()
        for ours, theirs in names.items():
            # transformers gives the row of its padding token, here 0, no gradient.
            start = int(ours == "words.weight")
            found, wanted = encoder.get_parameter(ours).grad[start:], expected[theirs][start:]
            scale = max(1.0, float(wanted.abs().max()))
            assert float((found - wanted).abs().max()) < 1e-4 * scale, ours


def test_half_weights_and_a_prefix_are_read(tmp_path):
    whole = make_model(tmp_path / "a", dtype=torch.float16)
    prefixed = make_model(tmp_path / "b", dtype=torch.float16, prefix="bert.")
    first, second = (load_encoder(find_base_model(each)) for each in (whole, prefixed))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)


def test_texts_are_lowered_where_the_folder_says_so(tmp_path):
    lowered = make_model(tmp_path / "a", tokenizer=word_piece(lower=False), lower_case=True)
    shape = base_shape(lowered)
    assert shape.lower_case
    tokenizer = Tokenizer(lowered, 20, shape)
    assert tokenizer(["The PUMP"]) == tokenizer(["the pump"])
    kept = Tokenizer(lowered, 20, shape._replace(lower_case=False))
    assert kept(["The PUMP"]) != kept(["the pump"])


def test_ids_beyond_two_bytes_are_kept(tmp_path):
    folder = make_model(tmp_path / "a", tokenizer=unigram(70_000))
    store = TokenStore(Tokenizer(folder, 40, base_shape(folder)))
    rows = store.add([["\u4e0069700 pump"]])
    assert int(store.tokens(rows)[0].max()) > 65_536
    short = TokenStore(Tokenizer(find_base_model().folder))
    assert short.key(short.add([["pump"]])[0]) == np.array([101, 10216, 102], np.uint16).tobytes()


def test_a_sentence_has_a_row_for_each_prompt(tmp_path):
    folder = make_model(tmp_path / "a", prompts={"query": "query: ", "document": "passage: "})
    store = TokenStore(Tokenizer(folder, 40, base_shape(folder)))
    assert store.prompts == E5
    rows = [int(store.add([["pump"]], prompt=prompt)[0]) for prompt in ("", *E5, "query: ")]
    assert rows == [0, 1, 2, 1]
    assert store.tokens(np.array([1]))[0].tolist() == Tokenizer(folder, 40)(["query: pump"])[0]


def test_sizes_follow_the_folder(tmp_path):
    folder = make_model(tmp_path / "a", EncoderShape(0, 40, 24, 3, 2, 36), max_tokens=None)
    sizes = sizes_of(folder)
    assert (sizes.layers, sizes.width, sizes.inner, sizes.positions) == (3, 24, 36, 40)
    assert sizes.max_tokens == 40  # as sentence-transformers: what the positions allow
    assert sizes.parameters == sum(
        p.numel() for p in load_encoder(find_base_model(folder)).parameters()
    )
    assert sizes_of(None).parameters == 22_565_376


def edit(folder, file, **changes):
    path = folder / file
    facts = json.loads(path.read_text())
    write(path, {**facts, **changes})


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config.json", {"model_type": "distilbert"}, "model_type is distilbert"),
        ("config.json", {"model_type": "mpnet"}, "model_type is mpnet"),
        ("config.json", {"model_type": "modernbert"}, "model_type is modernbert"),
        ("config.json", {"model_type": "roberta"}, "model_type is roberta"),
        ("config.json", {"model_type": "xlm-roberta"}, "model_type is xlm-roberta"),
        ("config.json", {"hidden_act": "gelu_new"}, "hidden_act is gelu_new"),
        ("config.json", {"position_embedding_type": "relative_key"}, "is relative_key"),
        ("config.json", {"is_decoder": True}, "is_decoder is True"),
        ("config.json", {"num_attention_heads": 5}, "no multiple of"),
        ("config.json", {"hidden_size": True}, "hidden_size is True"),
        ("config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ("config.json", {"vocab_size": "many"}, "vocab_size is many"),
        ("config.json", {"layer_norm_eps": "x"}, "layer_norm_eps is x"),
        ("config.json", {"auto_map": {}}, "auto_map"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}, "pooling .*cls.*mean"),
        ("1_Pooling/config.json", {"pooling_mode": "max"}, "pooling max"),
        ("1_Pooling/config.json", {"include_prompt": False}, "include_prompt"),
        ("sentence_bert_config.json", {"max_seq_length": 1}, "max_seq_length is 1"),
        ("config_sentence_transformers.json", {"prompts": {"query": 1}}, "prompts are not texts"),
        ("tokenizer.json", {"model": {"type": "BPE"}}, "of the kind BPE"),
    ],
)
def test_other_folders_are_refused_in_one_line(file, change, words, tmp_path):
    folder = make_model(tmp_path / "a", prompts={})
    find_base_model(folder)
    edit(folder, file, **change)
    with pytest.raises(ModelError, match=words) as caught:
        find_base_model(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_other_sizes_are_refused(tmp_path):
    folder = make_model(tmp_path / "a")
    edit(folder, "config.json", num_hidden_layers=3)
    with pytest.raises(ModelError, match=r"encoder.layer.2.* is missing"):
        load_encoder(find_base_model(folder))
    edit(folder, "config.json", num_hidden_layers=1)
    with pytest.raises(ModelError, match="does not belong to an encoder of 1 layers"):
        load_encoder(find_base_model(folder))


@pytest.mark.parametrize("name", ["9" * 300, "9" * 5000, "no/such", "x\0y", "~nobody-here/x"])
def test_a_name_that_no_folder_has_is_refused(name):
    with pytest.raises(ModelError) as caught:
        find_base_model(name)
    assert str(caught.value).isprintable()
    with pytest.raises(ModelError):
        base_shape(name)
