"""The delta, and the reader in the docs that puts it on the base model."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from export_runs import export_to, make_run, write_pairs
from safetensors.numpy import load_file

from nexus_engine.exports.plain_model import plain_model
from nexus_engine.runs.saved_model import load_saved


def reader_in_the_docs() -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    [reader] = [block for block in blocks if "delta.safetensors" in block]
    return reader


def test_the_reader_has_ten_lines_or_so():
    lines = [line for line in reader_in_the_docs().splitlines() if line.strip()]
    assert len(lines) <= 12


@pytest.mark.parametrize("tune", ["dendrites", "adapter", "full"])
def test_the_reader_in_the_docs_rebuilds_the_folded_weights(tmp_path, base_model, tune):
    sites = ("adapter",) if tune == "adapter" else ("0.v", "2.up", "4.down")
    run = make_run(
        tmp_path / "run", base_model, write_pairs(tmp_path / "d"), tune=tune, sites=sites,
        batch_size=4,
    )  # fmt: skip
    exported = export_to(run, "delta", tmp_path / "out")
    assert exported.checked.library.startswith("numpy ")
    reader = reader_in_the_docs().replace("BASE/", f"{base_model.folder}/")
    reader = reader.replace("DIR/", f"{tmp_path / 'out'}/")
    process = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            reader + "import sys\nassert 'nexus_engine' not in sys.modules",
        ],
        cwd=tmp_path,
        capture_output=True,
    )
    assert process.returncode == 0, process.stderr.decode()[-1000:]
    rebuilt = load_file(tmp_path / "rebuilt.safetensors")
    plain = plain_model(load_saved(run.best, run.name))
    for name, weight in plain.weights.items():
        assert np.array_equal(rebuilt[name], weight), name
    if tune != "dendrites":
        assert np.array_equal(rebuilt["adapter.weight"], plain.adapter.weight)
    base = load_file(base_model.folder / "model.safetensors")
    changed = [name for name in plain.weights if not np.array_equal(rebuilt[name], base[name])]
    assert len(changed) == (0 if tune == "adapter" else 6)  # weight and bias of three layers


def test_nonlinear_units_are_stored_as_trained(tmp_path, base_model):
    run = make_run(
        tmp_path / "run", base_model, write_pairs(tmp_path / "d"), nonlinearity="gelu",
        batch_size=4,
    )  # fmt: skip
    export_to(run, "delta", tmp_path / "out")
    facts = json.loads((tmp_path / "out/delta.json").read_text())
    assert (facts["nonlinearity"], facts["base_sha256"]) == ("gelu", base_model.sha256)
    delta = load_file(tmp_path / "out/delta.safetensors")
    saved = load_saved(run.best, run.name).model.sites()["2.up"]
    layer = "encoder.layer.2.intermediate.dense"
    assert np.array_equal(delta[f"{layer}.incoming"], saved.incoming.detach().numpy())
    assert delta[f"{layer}.cascade"][3, 2] == saved.cascade[5].item()
