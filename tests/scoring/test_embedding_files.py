"""Texts to files of vectors: order, equality with evaluation, formats, kill and resume."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from saved_models import save_grown_model

from nexus_engine.errors import ConfigError, DataError, NexusError, ResourceError
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.model_fingerprint import model_fingerprint
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring import embedding_files, embedding_partial, vector_files
from nexus_engine.scoring.embedding_files import embed_file
from nexus_engine.scoring.embedding_texts import EmbeddingTexts
from nexus_engine.scoring.evaluation import embed_all

WORDS = ["fever", "wound", "heart", "dose", "child", "pain", "liver", "mild", "kidney", "lung"]
TEXTS = [" ".join(WORDS[: 1 + n % 9]) + f" {n % 17}" for n in range(40)] + ["fever " * 300]


@pytest.fixture(scope="module")
def model(tmp_path_factory, base_model):
    folder = save_grown_model(tmp_path_factory.mktemp("model") / "best", 1, 0.4, base_model)
    return load_model(str(folder))


@pytest.fixture(scope="module")
def expected(model):
    """The vectors of TEXTS as an evaluation computes them, at length 1."""
    store = TokenStore(model.tokenizer)
    vectors = embed_all(lambda rows: model.model.embed(store, rows), store, store.add([TEXTS]))
    return torch.nn.functional.normalize(vectors).numpy()


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr(embedding_files, "WINDOW_TEXTS", 16)


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n\n")
    return EmbeddingTexts(str(tmp_path / "texts.txt"))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def kept(path, name):
    """The vectors of a file, as its own library reads them."""
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".safetensors":
        return load_file(path)["vectors"]
    table = pq.read_table(path)
    assert table.column("row").to_pylist() == list(range(1, len(TEXTS) + 1))
    column = table.column("vector").combine_chunks()
    return column.flatten().to_numpy().reshape(len(TEXTS), -1)


def facts_of(path):
    if path.suffix == ".npy":
        return json.loads(path.with_name(f"{path.name}.json").read_text())
    if path.suffix == ".safetensors":
        with safe_open(path, "np") as file:
            return file.metadata()
    stored = pq.read_schema(path).metadata.items()
    return {key.decode(): value.decode() for key, value in stored}


def test_rows_come_in_order_and_equal_those_of_an_evaluation(model, texts, tmp_path, expected):
    counted = []
    out = tmp_path / "v.npy"
    result = embed_file(model, texts, out, progress=counted.append)
    vectors = np.load(out)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - expected).max() < 1e-6
    assert (result.rows, result.resumed, result.cut) == (len(TEXTS), 0, 1)
    assert sum(counted) == len(TEXTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt", "v.npy", "v.npy.json"]
    for path in (out, tmp_path / "v.npy.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet"])
@pytest.mark.parametrize("dtype", ["f32", "f16", "int8", "binary"])
def test_each_type_and_format_is_read_back(suffix, dtype, model, texts, tmp_path, expected):
    out = tmp_path / f"v{suffix}"
    result = embed_file(model, texts, out, dtype=dtype, dims=50)
    vectors, facts = kept(out, dtype), facts_of(out)
    cut = unit(expected[:, :50])
    if dtype == "binary":
        assert vectors.dtype == np.uint8
        assert vectors.shape == (len(TEXTS), 7)
        assert (np.unpackbits(vectors, axis=1)[:, :50] == (cut > 0)).all()
    elif dtype == "int8":
        assert vectors.dtype == np.int8
        assert np.abs(vectors).max() == 127
        assert float(facts["scale"]) == result.scale == pytest.approx(127 / np.abs(cut).max())
        assert np.abs(vectors / result.scale - cut).max() <= 0.5001 / result.scale
    else:
        assert vectors.dtype == {"f32": np.float32, "f16": np.float16}[dtype]
        assert np.abs(vectors.astype(np.float32) - cut).max() < {"f32": 1e-6, "f16": 3e-4}[dtype]
    assert facts["model_fingerprint"] == model_fingerprint(model)
    assert (facts["rows"], facts["dims"], facts["dtype"]) == (str(len(TEXTS)), "50", dtype)
    assert result.size_bytes == out.stat().st_size


@pytest.mark.parametrize(("dtype", "bytes_each"), [("int8", 1), ("binary", 1), ("f16", 2)])
def test_parquet_stores_small_numbers_in_few_bytes(dtype, bytes_each, tmp_path):
    form = vector_files.VectorFormat(".parquet", dtype, 64)
    unit = np.random.default_rng(1).standard_normal((9000, 64)).astype(np.float32) / 8
    kept_file, out = tmp_path / "kept", tmp_path / "v.parquet"
    kept_file.write_bytes(form.rows(list(range(1, 9001)), unit).tobytes())
    vector_files.write_file(out, form, kept_file, 9000, {}, 100.0)
    assert out.stat().st_size < 9000 * (form.columns * bytes_each * 1.05 + 12)
    assert pq.read_table(out).column("row").to_pylist() == list(range(1, 9001))


class Killed(BaseException):
    pass


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] == "v"}


@pytest.mark.parametrize(
    ("name", "dtype", "at"),
    [("v.npy", "f32", n) for n in range(1, 8)]
    + [("v.parquet", "int8", n) for n in (2, 5, 6, 7)]
    + [("v.safetensors", "f16", n) for n in (4, 6)],
)
def test_a_kill_at_any_write_and_the_same_command_give_the_same_bytes(
    name, dtype, at, model, texts, tmp_path, monkeypatch
):
    """The writes of a command: journals, vectors, sidecar; the `at`-th is not done."""
    (tmp_path / "once").mkdir()
    embed_file(model, texts, tmp_path / "once" / name, dtype=dtype, dims=24)
    out, calls = tmp_path / name, []

    def killing(function):
        def call(*arguments):
            calls.append(function)
            if len(calls) == at:
                raise Killed
            return function(*arguments)

        return call

    with monkeypatch.context() as patches:
        for write in ("replace_json", "write_all", "replace_file"):
            patches.setattr(embedding_partial, write, killing(getattr(embedding_partial, write)))
        with pytest.raises(Killed):
            embed_file(model, texts, out, dtype=dtype, dims=24)
    assert not out.exists()
    result = embed_file(model, texts, out, dtype=dtype, dims=24)
    assert result.resumed == {1: 0, 2: 0, 3: 0, 4: 16, 5: 16}.get(at, min(41, 16 * (at // 2 - 1)))
    assert files_of(tmp_path) == files_of(tmp_path / "once")


CHILD = """
import os, signal, sys
from pathlib import Path
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring import embedding_files, embedding_partial
from nexus_engine.scoring.embedding_texts import EmbeddingTexts
embedding_files.WINDOW_TEXTS = 16
write = embedding_partial.write_all
def half(handle, content):
    if os.fstat(handle).st_size > 128:
        write(handle, content[: len(content) // 2 + 1])
        os.kill(os.getpid(), signal.SIGKILL)
    write(handle, content)
embedding_partial.write_all = half
embedding_files.embed_file(load_model(sys.argv[1]), EmbeddingTexts(sys.argv[2]), Path(sys.argv[3]))
"""


def test_sigkill_in_the_middle_of_a_write(texts, tmp_path, base_model):
    folder = save_grown_model(tmp_path / "best", 1, 0.4, base_model)
    model, out = load_model(str(folder)), tmp_path / "v.npy"
    spec = str(tmp_path / "texts.txt")
    child = subprocess.run([sys.executable, "-c", CHILD, folder, spec, out], timeout=300)
    assert child.returncode == -signal.SIGKILL
    assert (tmp_path / "v.npy.partial").stat().st_size > 128 + 16 * 1536
    assert embed_file(model, texts, out).resumed == 16
    embed_file(model, texts, tmp_path / "w.npy")
    assert out.read_bytes() == (tmp_path / "w.npy").read_bytes()


@pytest.fixture
def begun(model, texts, tmp_path, monkeypatch):
    """A command that ended after its first window."""
    out, seen = tmp_path / "v.npy", []

    def check():
        seen.append(1)
        if len(seen) == 2:
            raise Killed

    with pytest.raises(Killed):
        embed_file(model, texts, out, check=check)
    return out


def test_the_partial_of_another_command_is_refused(begun, model, texts):
    with pytest.raises(ConfigError, match=r"another command \(dims\)"):
        embed_file(model, texts, begun, dims=48)
    with pytest.raises(ConfigError, match=r"another command \(dtype\)"):
        embed_file(model, texts, begun, dtype="f16")
    assert embed_file(model, texts, begun, dims=48, fresh=True).resumed == 0


def test_other_texts_and_fewer_texts_are_refused(begun, model, tmp_path):
    for lines in (["other", *TEXTS[1:]], TEXTS[:10]):
        (tmp_path / "texts.txt").write_text("\n".join(lines))
        with pytest.raises(ConfigError, match="first 16 texts differ"):
            embed_file(model, EmbeddingTexts(str(tmp_path / "texts.txt")), begun)


def test_a_second_process_and_a_foreign_file_are_refused(begun, model, texts, tmp_path):
    request = json.loads((tmp_path / "v.npy.partial.json").read_text())["request"]
    form = embedding_files.format_of(begun, "f32", 384)
    with (
        embedding_partial.PartialFile(begun, form, request, fresh=False),
        pytest.raises(NexusError, match="another process"),
    ):
        embed_file(model, texts, begun)
    (tmp_path / "x.npy.partial").write_text("mine")
    with pytest.raises(ConfigError, match="not of nexus embed"):
        embed_file(model, texts, tmp_path / "x.npy")
    assert (tmp_path / "x.npy.partial").read_text() == "mine"


def test_a_full_disk_says_so_and_the_command_continues(model, texts, tmp_path, monkeypatch):
    out, write = tmp_path / "v.npy", embedding_partial.write_all

    def full(handle, content):
        if os.fstat(handle).st_size > 128:
            raise OSError(28, "No space left on device")
        write(handle, content)

    with monkeypatch.context() as patches:
        patches.setattr(embedding_partial, "write_all", full)
        with pytest.raises(ResourceError, match="make room"):
            embed_file(model, texts, out)
    assert embed_file(model, texts, out).resumed == 16


@pytest.mark.parametrize("name", ["v.csv", "v", "v.npy.gz"])
def test_an_unknown_format_is_refused(name, model, texts, tmp_path):
    with pytest.raises(ConfigError, match="must end in"):
        embed_file(model, texts, tmp_path / name)


def test_no_text_leaves_no_file(model, tmp_path):
    (tmp_path / "texts.txt").write_text("\n\n")
    with pytest.raises(DataError, match="holds no text"):
        embed_file(model, EmbeddingTexts(str(tmp_path / "texts.txt")), tmp_path / "v.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]
