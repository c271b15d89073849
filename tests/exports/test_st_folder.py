"""The sentence-transformers folder, read by sentence-transformers in a process without NEXUS."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
from export_runs import CANARY, contents, embeddings, export_to, make_run, write_pairs

from nexus_engine.errors import ModelError
from nexus_engine.exports import exporting
from nexus_engine.exports.adapter_modules import dense_modules
from nexus_engine.exports.plain_model import Adapter, PlainModel, SiteUnits
from nexus_engine.indexing.index_model import named_identity
from nexus_engine.runs.saved_model import load_model
from nexus_tui.cli import main as cli

TEXTS = ["The pump leaks.", "Replace the gasket at once", "ÉCOLE 漢字 naïve", "word " * 400]
READER = """
import json, sys
sys.modules["torchvision"] = None
from sentence_transformers import SentenceTransformer
texts = json.load(sys.stdin)
model = SentenceTransformer(sys.argv[1], device="cpu")
vectors = model.encode(texts)
assert not any(name.split(".")[0] in ("nexus_engine", "nexus_tui") for name in sys.modules)
print(json.dumps({"max": model.max_seq_length, "vectors": vectors.tolist()}))
"""


def read_by_sentence_transformers(folder, texts=TEXTS):
    pytest.importorskip("sentence_transformers")
    process = subprocess.run(
        [sys.executable, "-P", "-c", READER, str(folder)],
        input=json.dumps(texts).encode(),
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert process.returncode == 0, process.stderr.decode()[-2000:]
    found = json.loads(process.stdout.splitlines()[-1])
    return found["max"], np.array(found["vectors"], np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory, base_model):
    """A folder with graded pairs, a run with linear units on them, and its export."""
    folder = tmp_path_factory.mktemp("st")
    data = write_pairs(folder / "data")
    run = make_run(folder / "run", base_model, data, batch_size=4)
    exported = export_to(run, "st", folder / "out")
    return folder, run, exported


def test_it_embeds_as_nexus_does(place):
    folder, run, _ = place
    max_tokens, vectors = read_by_sentence_transformers(folder / "out")
    own = embeddings(run, TEXTS)
    assert max_tokens == 96
    assert np.abs(vectors - own).max() < 1e-6
    base = embeddings_of_base(TEXTS)
    assert np.abs(base - own).max() > 0.01  # the units matter


def embeddings_of_base(texts):
    from nexus_engine.exports.checking import embedded

    return embedded(load_model("base"), texts)


def test_the_check_names_its_reader_and_the_metric_on_dev(place):
    _, _, exported = place
    assert exported.checked.library.startswith("sentence-transformers ")
    assert exported.checked.difference < 1e-6
    assert exported.checked.score == pytest.approx(exported.checked.own_score, abs=1e-6)
    assert "12 dev pairs" in exported.checks[1]


def test_every_file_states_the_same_length_and_the_old_names(place):
    folder = place[0] / "out"

    def read(name):
        return json.loads((folder / name).read_text())

    assert read("sentence_bert_config.json")["max_seq_length"] == 96
    assert read("tokenizer_config.json")["model_max_length"] == 96
    tokenizer = read("tokenizer.json")
    assert tokenizer["truncation"]["max_length"] == 96
    assert tokenizer["padding"]["strategy"] == "BatchLongest"
    assert [entry["type"] for entry in read("modules.json")] == [
        f"sentence_transformers.models.{kind}" for kind in ("Transformer", "Pooling", "Normalize")
    ]
    pooling = read("1_Pooling/config.json")
    assert pooling.pop("word_embedding_dimension") == 384
    assert len(pooling) == 6
    assert [name for name, on in pooling.items() if on] == ["pooling_mode_mean_tokens"]


def test_the_vocabulary_is_the_base_models(place, base_model):
    vocabulary = (place[0] / "out" / "vocab.txt").read_bytes()
    assert vocabulary == (base_model.folder / "vocab.txt").read_bytes()


def test_only_the_owner_reads_it_and_nothing_is_left_beside_it(place):
    folder, _, exported = place
    for path in exported.path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "out", "run"]
    assert exported.files == tuple(contents(folder / "out"))
    assert exported.size_bytes == sum(map(len, contents(folder / "out").values()))


def test_it_holds_no_sentence_of_the_data_and_no_path(place):
    folder = place[0]
    for name, content in contents(folder / "out").items():
        assert CANARY.encode() not in content, name
        assert str(folder).encode() not in content, name


def test_exporting_twice_gives_the_same_bytes(place, monkeypatch):
    folder, run, exported = place
    monkeypatch.setattr(exporting, "_check", lambda *_: exported.checked)  # takes most of the time
    export_to(run, "st", folder / "again")
    first, again = contents(folder / "out"), contents(folder / "again")
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_nexus_reads_it_as_a_model(place):
    folder, run, _ = place
    loaded = load_model(str(folder / "out"))
    assert loaded.card.params_added == 99
    assert loaded.tokenizer.max_tokens == 96
    from nexus_engine.exports.checking import embedded

    assert np.abs(embedded(loaded, TEXTS) - embeddings(run, TEXTS)).max() < 1e-6


def test_an_index_names_the_run_instead(place):
    folder, *_ = place
    with pytest.raises(ModelError, match="name the run that it was exported from"):
        named_identity(str(folder / "out"))


def test_weights_that_changed_since_are_refused(place, tmp_path):
    copied = tmp_path / "copy"
    copied.mkdir()
    for name, content in contents(place[0] / "out").items():
        (copied / name).parent.mkdir(exist_ok=True)
        (copied / name).write_bytes(content)
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="changed since its export"):
        load_model(str(copied))


def cut_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def widen(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 10**9}))


DAMAGES = {
    "half the weights": (cut_weights, "model.safetensors: changed since its export"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: "),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json: missing"),
    "half a tokenizer": (lambda f: (f / "tokenizer.json").write_text('{"a":'), "tokenizer.json: "),
    "a list": (lambda f: (f / "config.json").write_text("[]"), "config.json: unreadable"),
    "a huge width": (widen, "hidden_size is 1000000000"),
    "another card": (lambda f: (f / "nexus_model.json").write_text("{}"), "not a model card"),
}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_export_is_refused_in_a_line(place, tmp_path, capfd, monkeypatch, damage):
    damaged = shutil.copytree(place[0] / "out", tmp_path / "copy", copy_function=copied)
    spoil, words = DAMAGES[damage]
    spoil(damaged)
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):  # the commands set them
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    pairs = str(place[0] / "data" / "test.csv")
    for command in (
        ("similarity", str(damaged), CANARY, "b"),
        ("eval", str(damaged), "--data", str(place[0] / "data")),
        ("embed", str(damaged), pairs, "--column", "sentence1", "--out", str(tmp_path / "v.npy")),
    ):
        code = cli.main(list(command))
        out, err = capfd.readouterr()
        errors = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert (code, out, len(errors)) == (3, "", 1), err
        assert words in err
        assert CANARY not in err
    assert not list(tmp_path.glob("*v.npy*"))


def copied(source, target):
    """Link what no damage writes to in place, and copy the rest."""
    (os.link if source.endswith("model.safetensors") else shutil.copy2)(source, target)


@pytest.mark.parametrize(
    ("nonlinearity", "dense"), [pytest.param("linear", 1, marks=pytest.mark.slow), ("gelu", 5)]
)
def test_an_adapter_becomes_dense_modules(tmp_path, tiny_model, nonlinearity, dense):
    data = write_pairs(tmp_path / "data")
    run = make_run(
        tmp_path / "run", tiny_model, data, tune="adapter", nonlinearity=nonlinearity,
        sites=("adapter",), batch_size=4,
    )  # fmt: skip
    exported = export_to(run, "st", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*_Dense"))) == dense
    assert any("Ollama" in note for note in exported.notes)
    # The check itself is tested with `place`, where another process reads the folder again.
    assert exported.checked.library.startswith("sentence-transformers ")
    assert exported.checked.difference < 2e-6
    base = str(tiny_model.folder)
    if dense == 1:
        from nexus_engine.exports.checking import embedded

        own = embedded(load_model(str(tmp_path / "out"), base=base), TEXTS)
        assert np.abs(own - embeddings(run, TEXTS)).max() < 2e-6
    else:
        with pytest.raises(ModelError, match="chain of Dense modules"):
            load_model(str(tmp_path / "out"), base=base)


@pytest.mark.parametrize("nonlinearity", ["gelu", "relu"])
def test_a_chain_of_modules_computes_units_with_their_cascade(nonlinearity, tmp_path):
    import torch

    functions = {"gelu": torch.nn.functional.gelu, "relu": torch.relu}
    function = functions[nonlinearity]
    rng = np.random.default_rng(1)
    u, beta, gain = rng.normal(size=(3, 8)), rng.normal(size=3), rng.normal(size=(3, 6))
    cascade = np.tril(rng.normal(size=(3, 3)), -1)
    weight, bias = rng.normal(size=(6, 8)), rng.normal(size=6)
    arrays = [a.astype(np.float32) for a in (u, beta, cascade, gain)]
    units = SiteUnits("adapter", nonlinearity, *arrays)
    adapter = Adapter(weight.astype(np.float32), bias.astype(np.float32))
    modules = dense_modules(PlainModel({}, (units,), adapter, 96, tmp_path))
    assert len(modules) == 4
    rows = torch.from_numpy(rng.normal(size=(5, 8)))
    d = []
    for k in range(3):
        drive = rows @ torch.tensor(u[k]) + beta[k] + sum(cascade[k, j] * d[j] for j in range(k))
        d.append(function(drive))
    want = (
        rows @ torch.tensor(weight).T + torch.tensor(bias) + torch.stack(d, 1) @ torch.tensor(gain)
    )
    got = rows
    for module in modules:
        got = got @ torch.tensor(module.weight).double().T + torch.tensor(module.bias).double()
        got = got if module.activation.endswith("Identity") else function(got)
    assert (got - want).abs().max() < 1e-5


def test_an_adapter_behind_tanh_is_refused_with_a_way_out(tmp_path, tiny_model):
    run = make_run(
        tmp_path / "run", tiny_model, write_pairs(tmp_path / "data"), tune="adapter",
        nonlinearity="tanh", sites=("adapter",), batch_size=4,
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"tanh.*--format onnx"):
        export_to(run, "st", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "run"]
