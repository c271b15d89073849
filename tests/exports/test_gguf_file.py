"""The GGUF file, read back by the `gguf` package's reader."""

import json
import stat
import sys

import gguf
import numpy as np
import pytest
from export_models import grown, plain
from gguf import GGUFReader

from nexus_engine.errors import ConfigError, ModelError
from nexus_engine.exports.gguf_file import gguf_tensors, write_gguf
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.model.base_model import find_base_model


@pytest.fixture(scope="module")
def model():
    return plain_model(grown("linear"))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(model, path)
    return path


@pytest.fixture(scope="module")
def reader(path):
    return GGUFReader(path)


def test_every_tensor_is_there_bit_for_bit(model, reader):
    tensors = {t.name: np.asarray(t.data) for t in reader.tensors}
    assert len(tensors) == 101
    assert tensors.keys() == gguf_tensors(model).keys()
    used = set()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, 6)
    for ours, weight in model.weights.items():
        if ours.startswith("pooler."):
            continue
        stem, leaf = ours.rsplit(".", 1)
        theirs = f"{names.get_name(stem)}.{leaf}"  # the package's own table of names
        used.add(theirs)
        expected = weight[: model.max_tokens] if "position" in ours else weight
        assert np.array_equal(tensors[theirs], expected), ours
    assert used == tensors.keys()


EXPECTED = {
    "general.architecture": "bert",
    "general.file_type": 0,
    "bert.block_count": 6,
    "bert.context_length": 256,
    "bert.embedding_length": 384,
    "bert.feed_forward_length": 1536,
    "bert.attention.head_count": 12,
    "bert.attention.layer_norm_epsilon": pytest.approx(1e-12),
    "bert.attention.causal": False,
    "bert.pooling_type": 1,
    "bert.normalize_embeddings": True,
    "tokenizer.ggml.model": "bert",
    "tokenizer.ggml.token_type_count": 2,
    "tokenizer.ggml.bos_token_id": 101,
    "tokenizer.ggml.cls_token_id": 101,
    "tokenizer.ggml.eos_token_id": 102,
    "tokenizer.ggml.seperator_token_id": 102,
    "tokenizer.ggml.unknown_token_id": 100,
    "tokenizer.ggml.padding_token_id": 0,
    "tokenizer.ggml.mask_token_id": 103,
}


@pytest.mark.parametrize("key", EXPECTED)
def test_the_keys(reader, key):
    assert reader.fields[key].contents() == EXPECTED[key]


def test_the_tokens_are_words_with_their_start_marked(reader):
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    tokenizer = json.loads((find_base_model().folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    assert len(tokens) == len(types) == len(vocabulary) == 30522
    assert tokens[vocabulary["hello"]] == "\u2581hello"
    assert tokens[vocabulary["##ing"]] == "ing"
    control = {token for token, kind in zip(tokens, types, strict=True) if kind == 3}
    assert control == {"[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"}
    assert set(types) == {1, 3}
    joined = {
        f"##{token}" if not token.startswith("\u2581") else token.removeprefix("\u2581")
        for token in set(tokens) - control
    }
    assert joined == vocabulary.keys() - control


def test_the_file_is_private_and_the_same_each_time(model, path, tmp_path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_gguf(model, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == path.read_bytes()
    with pytest.raises(FileExistsError):
        write_gguf(model, path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("gelu", "units with gelu cannot be folded"), ("adapter", "without an adapter")],
)
def test_what_is_not_plain_is_refused_in_one_line(tmp_path, name, words):
    with pytest.raises(ModelError) as refused:
        write_gguf(plain(name), tmp_path / "model.gguf")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_if_writing_fails(model, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", fail)
    with pytest.raises(OSError, match="No space"):
        write_gguf(model, tmp_path / "model.gguf")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_one_line(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ConfigError, match=r"needs the package gguf: pip install"):
        write_gguf(model, tmp_path / "model.gguf")
    assert not list(tmp_path.iterdir())
