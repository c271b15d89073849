"""int8: a quarter of the size, close to float32, and the same bytes each time."""

import hashlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from export_models import grown, plain, tokens_of

from nexus_engine.data import load_guard
from nexus_engine.exports.onnx_graph import onnx_bytes
from nexus_engine.exports.onnx_int8 import agreement, int8_bytes
from nexus_engine.model.tokens import TokenStore


@pytest.fixture(scope="module")
def exact():
    return onnx_bytes(plain("gelu"))


@pytest.fixture(scope="module")
def rounded(exact, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    content = int8_bytes(exact, scratch)
    assert not list(scratch.iterdir())
    return content


def test_a_quarter_of_the_size(exact, rounded):
    assert 90e6 < len(exact) < 91e6
    assert 22.5e6 < len(rounded) < 24e6


def test_weights_of_products_have_a_scale_for_each_output(rounded):
    graph = onnx.load_from_string(rounded).graph
    tables = {t.name: t for t in graph.initializer}
    wide = [t for t in tables.values() if t.data_type == onnx.TensorProto.FLOAT]
    assert max(np.prod(t.dims) for t in wide) <= 30522  # no large weight is left in float32
    scales = [n for n in tables if n.startswith("encoder.layer.0.attention.self.query.weight")]
    assert sorted(tuple(tables[n].dims) for n in scales if "scale" in n) == [(384,)]


def test_embedding_tables_have_a_scale_for_each_row(exact, rounded):
    name = "embeddings.word_embeddings.weight"
    before = {t.name: t for t in onnx.load_from_string(exact).graph.initializer}
    after = {t.name: t for t in onnx.load_from_string(rounded).graph.initializer}
    assert name not in after
    values = onnx.numpy_helper.to_array(before[name])
    numbers = onnx.numpy_helper.to_array(after[f"{name}.int8"])
    scales = onnx.numpy_helper.to_array(after[f"{name}.scales"])
    assert (numbers.dtype, scales.shape) == (np.int8, (30522, 1))
    # Half a step, and what the product rounds.
    assert (np.abs(numbers * scales - values) <= 0.5001 * scales).all()


def test_embeddings_stay_close(exact, rounded):
    loaded = grown("gelu")
    store = TokenStore(loaded.tokenizer)
    guard = load_guard()
    rows = store.add([sorted({*guard.first.to_pylist(), *guard.second.to_pylist()})[::4]])
    batches = [store.tokens(rows[at : at + 64]) for at in range(0, len(rows), 64)]
    measured = agreement(exact, rounded, batches)
    assert measured.texts == len(rows)
    assert measured.mean > 0.98
    assert 0.9 < measured.lowest < measured.mean < 1
    itself = agreement(exact, exact, [tokens_of(loaded)])
    assert itself.lowest == pytest.approx(1, abs=1e-6)


def test_agreement_tells_models_apart(exact):
    other = onnx_bytes(plain("base"))
    assert agreement(exact, other, [tokens_of(grown("base"))]).lowest < 0.99
    with pytest.raises(ValueError, match="no sentence"):
        agreement(exact, other, [])


def test_the_same_file_gives_the_same_bytes_and_no_warning(rounded):
    code = (
        "import hashlib; from export_models import plain; "
        "from nexus_engine.exports.onnx_graph import onnx_bytes; "
        "from nexus_engine.exports.onnx_int8 import int8_bytes; "
        "print(hashlib.sha256(int8_bytes(onnx_bytes(plain('gelu')))).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(rounded).hexdigest()
    assert not done.stderr
