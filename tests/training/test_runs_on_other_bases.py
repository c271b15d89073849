"""Runs on other base models from training to every export, a search, and a resumed end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import published_l3
import pytest
import torch
from conftest import write_small
from export_runs import export_to
from small_models import TINY, make_model, unigram, write

from nexus_engine.config import TrainConfig
from nexus_engine.errors import ConfigError, ModelError
from nexus_engine.events import RunFailed, RunFinished, RunStopped
from nexus_engine.indexing.building import build
from nexus_engine.indexing.index_model import embedder_of, load_copy, named_identity
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.model.shape import Prompts
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import load_model, load_models
from nexus_engine.scoring.embedding_files import embed_file
from nexus_engine.scoring.embedding_texts import EmbeddingTexts
from nexus_engine.training.run import train
from nexus_engine.training.steering import Steering

PROMPTS = {"query": "query: ", "passage": "passage: "}
MODELS: dict[str, dict[str, Any]] = {
    "12 layers": {"shape": TINY._replace(layers=12)},
    "cls": {"shape": TINY._replace(layers=3, pooling="cls"), "prompts": PROMPTS},
    "xlm-r": {"tokenizer": lambda: unigram(70_000), "prompts": PROMPTS, "normalise": False},
}
SMALL = {
    "recipe": "best", "batch_size": 16, "epochs": 2, "keep_general": "off", "threads": 2,
    "units": 2, "lr": 3e-2,
}  # fmt: skip


class Trained(NamedTuple):
    """A finished run, its base model's folder, and its events."""

    run: RunFolder
    base: str
    events: list[Any]


def settings_for(base, data, **changes):
    config = {"data": str(data), "base": str(base), **SMALL, **changes}
    return resolve_for_base(TrainConfig(**config))


@pytest.fixture(scope="module", params=list(MODELS))
def trained(request, tmp_path_factory) -> Trained:
    root = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    how = dict(MODELS[request.param])
    tokenizer = how.pop("tokenizer", lambda: None)()
    base = make_model(root / "base", how.pop("shape", TINY), tokenizer=tokenizer, **how)
    run = RunFolder.create(root / "run", "x")
    settings = settings_for(base, write_small(root / "data"))
    events = list(train(settings, run, guard_pairs=6))
    return Trained(run, str(base), events)


def test_a_run_grows_on_every_layer_and_is_loaded_again(trained):
    last = trained.events[-1]
    assert isinstance(last, RunFinished)
    facts = trained.run.read_run()
    layers = facts["settings"]["layers"]
    [base, tuned] = load_models(["base", str(trained.run.path)])
    assert list(layers) == list(range(base.model.encoder.shape.layers))
    assert facts["base"]["layers"] == len(layers)
    assert base.base == tuned.base
    assert tuned.tokenizer.prompts == base.base.shape.prompts
    assert tuned.card is not None
    assert tuned.card.base_folder == trained.base
    grown = [site for site in tuned.model.sites().values() if site.units]
    assert tuned.card.params_added == sum(p.numel() for s in grown for p in s.dendrite_parameters())


def test_a_run_does_not_outlive_a_change_of_pooling_or_prompts(tmp_path):
    base = make_model(tmp_path / "base", **MODELS["cls"])
    settings = settings_for(base, write_small(tmp_path / "data"))
    run = RunFolder.create(tmp_path / "run", "x")
    steering = Steering()
    for event in train(settings, run, steering, guard_pairs=6):
        if type(event).__name__ == "Evaluated" and event.epoch == 1:
            steering.stop()
    load_model(str(run.path))
    before = named_identity(str(run.path)).fingerprint
    write(base / "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
    with pytest.raises(ModelError, match="another pooling or other prompts"):
        load_model(str(run.path))
    *_, failed = train(settings, RunFolder(run.path), resume=True, guard_pairs=6)
    assert isinstance(failed, RunFailed)
    assert "pooling or prompts" in failed.message
    assert named_identity(str(run.path)).fingerprint == before  # the run's own, not the folder's


@pytest.mark.parametrize("format_", ["onnx", "onnx-int8", "gguf", "delta"])
def test_exports_are_read_with_equal_embeddings(trained, format_, tmp_path):
    if format_ == "onnx-int8" and "cls" not in trained.base:
        return  # the graph is onnx's: once is enough
    exported = export_to(trained.run, format_, tmp_path / "out", max_loss=2.0)
    if format_ == "onnx":
        assert exported.checked.difference < 1e-5
    assert exported.checked.library
    card = (tmp_path / "out/README.md").read_text()
    assert "all-MiniLM-L6-v2" not in card
    assert trained.base not in card
    prompts = load_model(str(trained.run.path)).base.shape.prompts
    assert ("encode_query" in card) == (prompts != Prompts())


def test_sentence_transformers_reads_the_export_with_its_prompts(trained, tmp_path):
    from sentence_transformers import SentenceTransformer

    exported = export_to(trained.run, "st", tmp_path / "out")
    assert exported.checked.difference < 1e-5
    loaded = load_model(str(trained.run.path))
    again = load_model(str(tmp_path / "out"), base=trained.base)
    assert again.base.sha256 == loaded.base.sha256
    assert again.tokenizer.prompts == loaded.tokenizer.prompts
    reference = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    texts = ["The pump fails.", "How long does it take?"]
    for model in (loaded, again):
        for role, encode in (
            ("query", reference.encode_query),
            ("passage", reference.encode_document),
        ):
            own = torch.nn.functional.normalize(embedder_of(model).embed(texts, role=role))
            expected = encode(texts, normalize_embeddings=True)
            assert np.abs(own.numpy() - expected).max() < 1e-5


def test_an_index_and_a_file_of_vectors_hold_passages(trained, tmp_path):
    corpus = tmp_path / "lines.txt"
    corpus.write_text("the pump fails\na valve and a seal\npeople find water\n")
    name, width = str(trained.run.path), TINY.width
    with pytest.raises(ConfigError, match=f"give 1 to {width}"):
        list(build(str(corpus), name, tmp_path / "index", dims=width + 1))
    list(build(str(corpus), name, tmp_path / "index", dtype="f32"))
    loaded = load_model(name)
    embedder = embedder_of(loaded)
    own = torch.nn.functional.normalize(
        embedder.embed(["a valve and a seal"], role="passage"), dim=1
    )[0]
    with OpenIndex(tmp_path / "index") as opened:
        assert opened.card.dims == width  # fewer than the usual 48
        hits = opened.search(own, "valve", 3, hybrid=False)
        copy = load_copy(tmp_path / "index", opened.card.model)
    assert hits[0].text == "a valve and a seal"
    assert hits[0].cosine == pytest.approx(1.0, abs=1e-6)
    assert copy.base == loaded.base
    embed_file(loaded, EmbeddingTexts(str(corpus)), tmp_path / "vectors.npy")
    written = np.load(tmp_path / "vectors.npy")
    assert written.shape == (3, width)
    assert np.abs(written[1] - own.numpy()).max() < 1e-6
    embed_file(loaded, EmbeddingTexts(str(corpus)), tmp_path / "asked.npy", role="query")
    differs = float(np.abs(written - np.load(tmp_path / "asked.npy")).max())
    assert (differs > 1e-3) == (loaded.base.shape.prompts != Prompts())


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path):
    base = make_model(tmp_path / "base", **MODELS["cls"])
    settings = settings_for(base, write_small(tmp_path / "data"))
    whole = RunFolder.create(tmp_path / "whole", "x")
    *_, finished = train(settings, whole, guard_pairs=6)
    stopped = RunFolder.create(tmp_path / "stopped", "x")
    steering = Steering()
    for event in train(settings, stopped, steering, guard_pairs=6):
        if type(event).__name__ == "Evaluated" and event.epoch == 1:
            steering.stop()
    assert isinstance(event, RunStopped)
    *_, resumed = train(settings, RunFolder(stopped.path), resume=True, guard_pairs=6)
    assert isinstance(finished, RunFinished)
    assert isinstance(resumed, RunFinished)
    assert resumed.best_dev == finished.best_dev
    assert resumed.test_score == finished.test_score


@pytest.mark.parametrize("tune", ["adapter", "full"])
def test_the_other_regimes_train_too(tune, tmp_path):
    base = make_model(tmp_path / "base", **MODELS["cls"])
    settings = settings_for(
        base, write_small(tmp_path / "data"), tune=tune, recipe="default", lr=None, layers=(0, 2)
    )
    run = RunFolder.create(tmp_path / "run", "x")
    *_, last = train(settings, run, guard_pairs=6)
    assert isinstance(last, RunFinished)
    assert load_model(str(run.path)).model.encoder.shape.pooling == "cls"


@pytest.mark.slow
def test_the_published_3_layer_model_embeds_as_its_onnx_and_learns(base_model, tmp_path):
    import onnxruntime

    file = published_l3.onnx_file(tmp_path)
    if file is None:
        pytest.skip(f"{published_l3.PACKAGE} is neither installed nor to be downloaded")
    folder = published_l3.write_folder(file, base_model.folder, tmp_path / "l3")
    loaded = load_model(f"base:{folder}")
    texts = ["The pump is running.", "a", "Which of the two valves leaks more, and why is that?"]
    own = embedder_of(loaded).embed(texts).numpy()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for text, vector in zip(texts, own, strict=True):
        ids = np.array(loaded.tokenizer([text]), np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        outputs = [each for each in session.run(None, feeds) if each.shape == (1, 384)]
        assert min(np.abs(each[0] - vector).max() for each in outputs) < 1e-4
    settings = resolve_for_base(TrainConfig(data="demo", base=str(folder), recipe="best"))
    assert settings.layers == (0, 1, 2)
    run = RunFolder.create(tmp_path / "run", "x")
    *_, last = train(settings, run)
    assert isinstance(last, RunFinished)
    assert last.best_dev > last.base_dev + 0.02
    exported = export_to(run, "st", tmp_path / "out")
    assert exported.checked.difference < 1e-5
