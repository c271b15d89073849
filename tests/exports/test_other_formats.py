"""ONNX, int8 and GGUF through `nexus export`: written, read back and judged."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from export_runs import CANARY, contents, make_run, write_pairs

from nexus_engine.exports import exporting
from nexus_tui.cli import main as cli

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


def exported(capfd, run, out, *options):
    code = cli.main(["export", str(run.path), "--out", str(out), "--json", *options])
    written, messages = capfd.readouterr()
    assert code == 0, messages
    assert not any(CANARY.encode() in content for content in contents(out).values())
    return json.loads(written), messages


@pytest.fixture(scope="module")
def runs(tmp_path_factory, base_model, tiny_model):
    """A run with linear units, one with gelu units, and one with gelu units and an adapter.

    The last one has the tiny base model.
    """
    folder = tmp_path_factory.mktemp("runs")
    data = write_pairs(folder / "data")
    return {
        "linear": make_run(folder / "linear", base_model, data, batch_size=4),
        "gelu": make_run(folder / "gelu", base_model, data, nonlinearity="gelu", batch_size=4),
        "both": make_run(
            folder / "both", tiny_model, data, tune="full", nonlinearity="gelu",
            sites=("0.v", "2.up", "adapter"), batch_size=4,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["gelu", "both"])
def test_onnx_equals_nexus(capfd, runs, tmp_path, name):
    result, messages = exported(capfd, runs[name], tmp_path / "out", "--format", "onnx")
    assert result["read_by"].startswith("onnxruntime ")
    assert result["max_difference"] < 2e-6
    assert result["exported_dev_score"] == pytest.approx(result["dev_score"], abs=1e-4)
    assert ("mean of the first output" in messages) == (name == "both")
    assert {"onnx/model.onnx", "onnx/tokenizer.json", "tokenizer.json"} <= set(result["files"])


@pytest.mark.parametrize(("name", "dense"), [("gelu", 0), ("both", 5)])
def test_st_with_nonlinear_units_has_onnx_inside_and_names_the_recipe(
    capfd, runs, tmp_path, name, dense
):
    result, messages = exported(capfd, runs[name], tmp_path / "out")
    assert result["max_difference"] < 2e-6
    assert "onnx/model.onnx" in result["files"]
    assert "model.safetensors" not in result["files"]
    assert "--recipe best" in messages.replace("\n", " ")
    assert len(list((tmp_path / "out").glob("*_Dense"))) == dense


def test_int8_is_a_quarter_and_tells_its_loss(capfd, runs, tmp_path):
    options = ("--format", "onnx-int8", "--max-loss", "1")
    result, _ = exported(capfd, runs["linear"], tmp_path / "out", *options)
    assert "onnx/model_quantized.onnx" in result["files"]
    assert result["size_bytes"] < 26_000_000
    assert 0.98 < result["mean_cosine"] < 0.9999
    assert result["max_difference"] > 1e-4
    card = (tmp_path / "out/README.md").read_text()
    assert f"{result['exported_dev_score']:.4f}, NEXUS {result['dev_score']:.4f}" in card


def test_int8_that_costs_too_much_is_refused(capfd, runs, tmp_path, monkeypatch):
    real = exporting.check_vectors
    monkeypatch.setattr(
        exporting, "check_vectors", lambda *a: real(*a)._replace(score=0.3, own_score=0.31)
    )
    arguments = [str(runs["both"].path), "--format", "onnx-int8", "--out", str(tmp_path / "out")]
    assert cli.main(["export", *arguments]) == 1
    _, messages = capfd.readouterr()
    assert "loses 0.0100 Spearman on 12 dev pairs (0.3100 to 0.3000)" in messages
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_gguf_holds_the_folded_weights(capfd, runs, tmp_path):
    gguf = pytest.importorskip("gguf")
    result, _ = exported(capfd, runs["linear"], tmp_path / "out", "--format", "gguf")
    reader = gguf.GGUFReader(tmp_path / "out/model.gguf")
    from nexus_engine.exports.plain_model import plain_model
    from nexus_engine.runs.saved_model import load_saved

    plain = plain_model(load_saved(runs["linear"].best, "x"))
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    folded = plain.weights["encoder.layer.0.attention.self.value.weight"]
    assert np.array_equal(tensors["blk.0.attn_v.weight"], folded)
    assert result["read_by"].startswith(("gguf", "llama-cpp-python"))


def test_gguf_refuses_nonlinear_units_in_one_line(capfd, runs, tmp_path):
    out = str(tmp_path / "out")
    code = cli.main(["export", str(runs["gelu"].path), "--format", "gguf", "--out", out])
    _, messages = capfd.readouterr()
    lines = [line for line in messages.splitlines() if line.startswith("nexus: ")]
    assert (code, len(lines)) == (3, 1)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]
