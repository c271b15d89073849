"""The ONNX file computes what NEXUS computes.

On a tiny base model: the graph is that of the published one. Exports of the published weights are
read in test_other_formats.py and test_consumers.py.
"""

import hashlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from export_models import MODELS, grown, largest_difference, own_embeddings, tokens_of
from small_models import SIX_LAYERS

from nexus_engine.errors import ConfigError
from nexus_engine.exports import extra
from nexus_engine.exports.onnx_graph import INPUTS, OUTPUTS, onnx_bytes, token_states_suffice
from nexus_engine.exports.onnx_nodes import FUNCTIONS
from nexus_engine.exports.onnx_session import OnnxEncoder
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.model.dendrites import NONLINEARITIES

TOLERANCE = 1e-6
WIDTH = SIX_LAYERS.width


@pytest.fixture(scope="module")
def make(tiny_model):
    """Makes a model of `MODELS` on the tiny base."""
    return lambda name: grown(name, 128, tiny_model)


@pytest.fixture(scope="module")
def base_file(make):
    return onnx_bytes(plain_model(make("base")))


@pytest.mark.parametrize("name", MODELS)
def test_embeddings_equal_those_of_nexus(make, name):
    loaded = make(name)
    own = own_embeddings(loaded)
    vectors = OnnxEncoder(onnx_bytes(plain_model(loaded))).embed(*tokens_of(loaded))
    assert largest_difference(vectors, own) < TOLERANCE
    if name != "base":  # what was grown matters, so a graph without it would differ
        assert largest_difference(own, own_embeddings(make("base"))) > 1e-3


@pytest.mark.parametrize("part", ["threshold", "cascade", "gain", "incoming"])
def test_each_array_of_units_counts(make, part):
    loaded = make("gelu")
    model = plain_model(loaded)
    halved = [units._replace(**{part: getattr(units, part) / 2}) for units in model.units]
    changed = onnx_bytes(model._replace(units=tuple(halved)))
    vectors = OnnxEncoder(changed).embed(*tokens_of(loaded))
    assert largest_difference(vectors, own_embeddings(loaded)) > 100 * TOLERANCE


def test_every_nonlinearity_that_is_not_folded_has_its_function():
    assert FUNCTIONS.keys() == NONLINEARITIES.keys() - {"linear"}


@pytest.mark.parametrize("name", ["gelu", "adapter", "adapter with linear units"])
def test_the_mean_of_the_token_states_is_the_sentence_embedding(make, name):
    """As fastembed, Chroma and Transformers.js compute it."""
    loaded = make(name)
    model = plain_model(loaded)
    assert token_states_suffice(model)
    states, mask = token_states(onnx_bytes(model), loaded)
    pooled = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    assert largest_difference(pooled, own_embeddings(loaded)) < TOLERANCE


def test_an_adapter_with_units_stands_behind_the_pooling(make):
    loaded = make("adapter with gelu units")
    model = plain_model(loaded)
    assert not token_states_suffice(model)
    states, _ = token_states(onnx_bytes(model), loaded)
    bare = make("base")
    unadapted, _ = token_states(onnx_bytes(plain_model(bare)), bare)
    assert np.array_equal(states, unadapted)


def token_states(content, loaded):
    ids, lengths = tokens_of(loaded)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    padded = np.zeros_like(mask)
    padded[mask == 1] = ids
    feeds = dict(zip(INPUTS, (padded, mask, np.zeros_like(mask)), strict=True))
    return session.run([session.get_outputs()[0].name], feeds)[0], mask


def test_names_types_and_sizes(base_file):
    session = onnxruntime.InferenceSession(base_file, providers=["CPUExecutionProvider"])
    inputs = [(i.name, i.type, i.shape) for i in session.get_inputs()]
    assert inputs == [(name, "tensor(int64)", ["batch", "sequence"]) for name in INPUTS]
    outputs = [(o.name, o.shape) for o in session.get_outputs()]
    assert outputs == [(OUTPUTS[0], ["batch", "sequence", WIDTH]), (OUTPUTS[1], ["batch", WIDTH])]
    proto = onnx.load_from_string(base_file)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 17)]
    names = [node.name for node in proto.graph.node]
    assert len(set(names)) == len(names)


def test_segments_and_padding_are_inputs_that_count(base_file):
    session = onnxruntime.InferenceSession(base_file, providers=["CPUExecutionProvider"])
    ids = np.asarray([[2, 100, 120, 3]])
    ones, zeros = np.ones_like(ids), np.zeros_like(ids)

    def run(ids, mask, segments):
        feeds = dict(zip(INPUTS, (ids, mask, segments), strict=True))
        return session.run([OUTPUTS[1]], feeds)[0]

    first = run(ids, ones, zeros)
    assert largest_difference(first, run(ids, ones, ones)) > 1e-3
    wider = [np.pad(values, ((0, 0), (0, 9))) for values in (ids, ones, zeros)]
    assert largest_difference(first, run(*wider)) < TOLERANCE
    assert np.array_equal(run(ids, zeros, zeros).shape, (1, WIDTH))
    assert np.isfinite(run(ids, zeros, zeros)).all()


def test_the_same_model_gives_the_same_bytes(make, base_file, tiny_base):
    code = (
        "import hashlib, pathlib, sys; from export_models import plain; "
        "from nexus_engine.exports.onnx_graph import onnx_bytes; "
        "from nexus_engine.model.base_model import find_base_model; "
        "base = find_base_model(pathlib.Path(sys.argv[1])); "
        "print(hashlib.sha256(onnx_bytes(plain('gelu', 128, base))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(tiny_base)],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {hashlib.sha256(onnx_bytes(plain_model(make("gelu")))).hexdigest()}
    assert onnx_bytes(plain_model(make("base"))) == base_file


def test_a_missing_package_is_one_line(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError) as refused:
        onnx_bytes(plain_model(make("base")))
    assert str(refused.value) == (
        "writing ONNX needs the package onnx: pip install 'nexus-dendrites[export]'"
    )


def test_a_package_that_is_broken_is_not_called_missing(monkeypatch):
    monkeypatch.setattr(extra.importlib, "import_module", lambda _: __import__("no_such_module"))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        extra.required("onnx", "writing ONNX")
