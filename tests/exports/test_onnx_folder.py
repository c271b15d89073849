"""The folder around an ONNX file: where each consumer looks, and one maximum length."""

import json

import pytest
from export_models import plain
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.errors import ModelError
from nexus_engine.exports.small_files import tokenizer_files
from nexus_engine.exports.st_folder import onnx_folder
from nexus_engine.model.base_model import find_base_model

TOKENIZER = {"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
             "vocab.txt"}  # fmt: skip


@pytest.mark.parametrize("name", ["model.onnx", "model_quantized.onnx"])
def test_each_consumer_finds_its_files(name):
    files = onnx_folder(plain(), name, b"content")
    assert files[f"onnx/{name}"] == b"content"
    for file in TOKENIZER:  # Transformers.js and fastembed look above, Chroma looks into `onnx`
        assert files[file] == files[f"onnx/{file}"]


@pytest.mark.parametrize("length", [64, 256])
def test_every_file_states_the_same_length(length):
    files = onnx_folder(plain(max_tokens=length), "model.onnx", b"")
    assert json.loads(files["tokenizer_config.json"])["model_max_length"] == length
    assert json.loads(files["sentence_bert_config.json"])["max_seq_length"] == length
    fast = FastTokenizer.from_buffer(files["tokenizer.json"])
    assert fast.truncation["max_length"] == length
    assert len(fast.encode("word " * 600).ids) == length
    first, second = fast.encode_batch(["one two three", "one"])
    assert len(first.ids) == len(second.ids) == 5  # padded to the longest text of a batch
    assert second.attention_mask == [1, 1, 1, 0, 0]


def test_the_vocabulary_is_the_published_one():
    base = find_base_model().folder
    files = tokenizer_files(base, 256)
    assert files["vocab.txt"] == (base / "vocab.txt").read_bytes()
    published = json.loads((base / "special_tokens_map.json").read_text())
    assert json.loads(files["special_tokens_map.json"]) == published


@pytest.mark.parametrize("content", ["{}", "[1]", "not json", '{"model": null}'])
def test_another_tokenizer_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"^[^\n]*not a WordPiece tokenizer[^\n]*$"):
        tokenizer_files(tmp_path, 256)
