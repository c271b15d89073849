"""The encoder equals sentence-transformers on the same weights; packing changes nothing."""

import numpy as np
import pytest
import torch

from nexus_engine.data import load_split
from nexus_engine.model.encoder import pack, pad
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.correlation import pearson, spearman
from nexus_engine.scoring.evaluation import TOKENS_PER_FORWARD, embed_all
from nexus_engine.scoring.similarity import evaluate

SENTENCES = [
    "No acute distress.",
    "Pt denies CP, SOB; hx of HTN, on lisinopril 10 mg qd.",
    "a",
    "The lease on unit 4B was terminated on 3 March, effective at the end of the month.",
    "naïve façade — 漢字 🙂",
    "word " * 400,
]


@pytest.fixture(scope="module")
def reference(base_model):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(base_model.folder), device="cpu")


@pytest.fixture(scope="module")
def ours(base_model):
    return SentenceModel(load_encoder(base_model)).eval(), Tokenizer(base_model.folder)


def test_embeddings_equal_sentence_transformers(ours, reference):
    model, tokenizer = ours
    store = TokenStore(tokenizer)
    rows = store.add([SENTENCES])
    vectors = embed_all(lambda r: model.embed(store, r), store, rows)
    embeddings = torch.nn.functional.normalize(vectors).numpy()
    expected = reference.encode(SENTENCES, normalize_embeddings=True)
    assert np.abs(embeddings - expected).max() < 1e-6


@pytest.mark.filterwarnings("ignore:Importing from:DeprecationWarning")
def test_evaluation_equals_the_embedding_similarity_evaluator(reference):
    from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator

    pairs = load_split("demo", "dev").take(np.arange(100))
    evaluator = EmbeddingSimilarityEvaluator(
        pairs.first.to_pylist(),
        pairs.second.to_pylist(),
        pairs.scores.tolist(),
        main_similarity="cosine",
    )
    theirs = evaluator(reference)
    ours = evaluate(load_model("base"), pairs)
    assert ours.spearman == pytest.approx(theirs["spearman_cosine"], abs=1e-6)
    assert ours.pearson == pytest.approx(theirs["pearson_cosine"], abs=1e-6)


def test_a_sentence_alone_and_in_a_batch_have_one_embedding(ours):
    model, tokenizer = ours
    store = TokenStore(tokenizer)
    rows = store.add([SENTENCES])
    with torch.inference_mode():
        together = model.embed(store, rows)
        for row in rows:
            alone = model.embed(store, rows[row : row + 1])[0]
            assert torch.allclose(alone, together[row], atol=1e-5)


def test_dropout_acts_in_training_and_not_in_inference(ours):
    model, tokenizer = ours
    store = TokenStore(tokenizer)
    rows = store.add([SENTENCES[:3]])
    with torch.no_grad():
        model.train()
        assert not torch.equal(model.embed(store, rows), model.embed(store, rows))
        model.eval()
        assert torch.equal(model.embed(store, rows), model.embed(store, rows))


def test_packing_lays_sentences_end_to_end():
    batch = pack(torch.tensor([5, 6, 7, 8, 9, 10]), torch.tensor([1, 3, 2]))
    assert batch.positions.tolist() == [0, 0, 1, 2, 0, 1]
    assert batch.slots.tolist() == [0, 3, 4, 5, 6, 7]
    assert (batch.sentences, batch.longest, batch.dense) == (3, 3, False)
    assert torch.isinf(batch.mask[0, 0, 0]).tolist() == [False, True, True]
    assert pack(torch.tensor([1, 2]), torch.tensor([1, 1])).dense


def test_a_store_keeps_each_sentence_once_and_gives_back_its_tokens(base_model):
    tokenizer = Tokenizer(base_model.folder)
    store = TokenStore(tokenizer)
    first = store.add([SENTENCES[:3], SENTENCES[:2]])
    second = store.add([[SENTENCES[3], SENTENCES[0]]])
    assert first.tolist() == [0, 1, 2, 0, 1]
    assert second.tolist() == [3, 0]
    assert len(store) == 4
    expected = [i for ids in tokenizer([SENTENCES[3], SENTENCES[1]]) for i in ids]
    assert store.batch(np.array([3, 1])).ids.tolist() == expected


def test_long_sentences_are_cut_at_256_tokens(base_model):
    assert [len(ids) for ids in Tokenizer(base_model.folder)(["word " * 1000])] == [256]


def test_correlations_of_a_constant_are_not_a_number():
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(pearson(np.arange(5.0), np.ones(5)))
    assert spearman(np.arange(5.0), np.arange(5.0) ** 3) == pytest.approx(1.0)


def test_a_padded_layout_gives_the_same_embeddings(ours):
    model, tokenizer = ours
    store = TokenStore(tokenizer)
    rows = store.add([SENTENCES[:5]])
    ids, lengths = store.tokens(rows)
    batch = pad(torch.from_numpy(ids), torch.from_numpy(lengths), 48)
    with torch.inference_mode():
        assert torch.allclose(model.encoder(batch), model.embed(store, rows), atol=1e-5)


def test_long_sentences_do_not_pad_a_batch_of_short_ones():
    class Lengths:
        all = np.random.default_rng(0).integers(4, 60, 3000)

        def lengths_of(self, rows):
            return self.all[rows]

    lengths, batches = Lengths(), []
    lengths.all[::75] = 250

    def embed(rows):
        batches.append(lengths.all[rows])
        return torch.from_numpy(rows[:, None].astype(np.float32))

    vectors = embed_all(embed, lengths, np.arange(3000))
    assert vectors[:, 0].tolist() == list(range(3000))
    assert max(len(batch) * batch.max() for batch in batches) < 5 * TOKENS_PER_FORWARD
    assert max(batch.sum() for batch in batches) < TOKENS_PER_FORWARD + 250
