"""The folder around an ONNX file: names, one maximum length, modes."""

import json
import stat

import pytest
from export_models import plain
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.errors import ModelError
from nexus_engine.exports.onnx_folder import INT8_FILE, ONNX_FILE, write_onnx_folder
from nexus_engine.exports.tokenizer_files import TOKENIZER_FILES, tokenizer_files
from nexus_engine.model.base_model import find_base_model

SMALL = {"config.json", *TOKENIZER_FILES}


@pytest.mark.parametrize(("quantized", "file"), [(False, ONNX_FILE), (True, INT8_FILE)])
def test_the_files_and_their_modes(tmp_path, quantized, file):
    folder = tmp_path / "made"
    write_onnx_folder(plain(), b"content", folder, quantized=quantized)
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {file, *SMALL, *(f"onnx/{name}" for name in SMALL)}
    assert (folder / file).read_bytes() == b"content"
    for path in (folder, *folder.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected
    for name in SMALL:
        assert (folder / name).read_bytes() == (folder / "onnx" / name).read_bytes()
    with pytest.raises(FileExistsError):
        write_onnx_folder(plain(), b"other", folder, quantized=quantized)
    assert (folder / file).read_bytes() == b"content"


@pytest.mark.parametrize("length", [64, 256])
def test_every_file_states_the_same_length(length):
    files = tokenizer_files(find_base_model().folder, length)
    assert json.loads(files["tokenizer_config.json"])["model_max_length"] == length
    fast = FastTokenizer.from_buffer(files["tokenizer.json"])
    assert fast.truncation["max_length"] == length
    assert fast.padding["length"] is None  # to the longest text of a batch
    assert len(fast.encode("word " * 600).ids) == length
    first, second = fast.encode_batch(["one two three", "one"])
    assert len(first.ids) == len(second.ids) == 5
    assert second.attention_mask == [1, 1, 1, 0, 0]


def test_the_vocabulary_is_the_published_one():
    base = find_base_model().folder
    files = tokenizer_files(base, 256)
    assert files["vocab.txt"].decode().split() == (base / "vocab.txt").read_text().split()
    published = json.loads((base / "special_tokens_map.json").read_text())
    assert json.loads(files["special_tokens_map.json"]) == published


@pytest.mark.parametrize(
    "content",
    ["{}", "[1]", '{"model": {"vocab": {"[PAD]": 0}}}', "not json", '{"model": null}'],
)
def test_another_tokenizer_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError) as refused:
        tokenizer_files(tmp_path, 256)
    assert "not a WordPiece tokenizer" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_tokenizer_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        tokenizer_files(tmp_path, 256)
