"""Trained runs in every format by every consumer: they load, and give NEXUS's vectors and scores.

The runs are trained here, small. NEXUS_CONSUMERS names interpreters that have no NEXUS, separated
by `:`, NEXUS_NODE_MODULES a folder of npm packages. tests/benchmarks/export_table.py prints the
same of long runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from consumer_programs import CONSUMERS, for_many_texts, interpreter, others, program
from consumer_table import READER, SCRIPT, exported, judged, table

from nexus_engine.exports.dev_texts import SampleSizes
from nexus_engine.exports.onnx_graph import token_states_suffice
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import load_saved

RUNS = {
    "best": ("demo", "--recipe", "best"),
    "default": ("demo",),
    "full": ("demo", "--tune", "full"),
    "adapter": ("demo", "--tune", "adapter"),
    "questions": ("demo-search",),
}
SMALL = ("--epochs", "1", "--device", "cpu", "--precision", "fp32", "--seed", "1")
SIZES = SampleSizes(pairs=200, questions=60, passages=200)
NO_PLACE_FOR_UNITS = {"transformers", "LangChain", "LlamaIndex", "txtai", "sentence-transformers"}
"""They read no ONNX from an st folder, where nonlinear units are."""
POOLS_ITSELF = ("sentence-transformers with ONNX", "fastembed", "Chroma", SCRIPT)
"""They take the mean of the first output of ONNX, before an adapter with nonlinear units."""
TOLERANCE = {"llama.cpp": 5e-4}
INT8_COSINE = 0.95


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of small trained runs, made at their first use."""
    home = tmp_path_factory.mktemp("runs")

    def run(name: str) -> Path:
        folder = home / name
        if not folder.exists():
            command = [sys.executable, "-m", "nexus_tui", "train", "--out", str(folder)]
            data, *options = RUNS[name]
            done = subprocess.run(
                [*command, "--data", data, *options, *SMALL],
                env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(home / "data")},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-2000:]
        return folder

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_each_consumer_gives_the_vectors_and_the_score_of_nexus(trained, tmp_path, name):
    if not others():
        pytest.skip("NEXUS_CONSUMERS names no interpreter without NEXUS")
    modules = os.environ.get("NEXUS_NODE_MODULES")
    run = trained(name)
    texts = judged(run, "dev", SIZES)
    entries = list(table(run, tmp_path, texts, others(), Path(modules) if modules else None))
    by_consumer = {(entry.format, entry.consumer): entry for entry in entries}
    missing = {e.consumer for e in entries if e.words.startswith("not installed")}
    assert any(entry.loads for entry in entries), entries
    linear = name in ("best", "questions")
    loaded = load_saved(RunFolder(run).best, name)
    misses_units = not token_states_suffice(plain_model(loaded))
    # What a run does not allow is refused in a line.
    refused = {entry.format: entry.words for entry in entries if entry.consumer == "nexus export"}
    assert ("gguf" in refused) == (not linear), refused
    assert set(refused) <= {"gguf", "onnx-int8"}
    assert "--max-loss" in refused.get("onnx-int8", "--max-loss")
    expected = {
        (format_, title)
        for title, consumer in CONSUMERS.items()
        for format_ in ("st", "onnx", "onnx-int8", "gguf")
        if consumer.reads == format_.removesuffix("-int8") and (linear or format_ != "gguf")
    }
    expected |= {("onnx", SCRIPT), ("onnx-int8", SCRIPT), ("delta", READER)}
    assert expected <= set(by_consumer)
    for (format_, consumer), entry in by_consumer.items():
        if consumer in missing or consumer in ("nexus export", READER):
            continue
        if name == "default" and format_ == "st" and consumer in NO_PLACE_FOR_UNITS:
            assert not entry.loads
            continue
        assert entry.loads, entry
        leaves_out = loaded.model.adapter is not None and consumer == "transformers"
        if leaves_out or (misses_units and consumer.startswith(POOLS_ITSELF)):
            assert entry.difference > 2e-6, entry  # the page says so
            continue
        if format_ == "onnx-int8":
            assert entry.difference > 1e-4  # the rounded file was read
            assert entry.cosine > INT8_COSINE, entry
            continue
        assert entry.difference < TOLERANCE.get(consumer, 2e-6), entry
        if not consumer.startswith(("Chroma", "llama")):  # these cut texts elsewhere
            assert entry.cut_difference < 2e-6, entry
            assert entry.score == pytest.approx(entry.own_score, abs=1e-5), entry
    if linear:
        assert by_consumer["delta", READER].loads


@pytest.mark.slow
def test_sentence_transformers_scores_the_test_pairs_of_best_as_nexus_does(trained, tmp_path):
    python, missing = interpreter(("sentence_transformers",), others())
    if python is None:
        pytest.skip(f"not installed without NEXUS: {missing}")
    run = trained("best")
    entries = list(
        table(run, tmp_path, judged(run, "test"), [python], formats=["st"],
              consumers=["sentence-transformers"])
    )  # fmt: skip
    (entry,) = entries
    assert entry.loads, entry
    assert abs(entry.score - entry.own_score) < 1e-6, entry


def test_a_program_for_many_texts_loads_its_model_once():
    code = for_many_texts(program("onnxruntime alone", "python"), 32)
    once, _, each = code.partition("\nfor _start in ")
    assert "InferenceSession(" in once
    assert "InferenceSession(" not in each
    assert re.search(r"^    encoded = tokenizer\.encode_batch\(texts\)$", each, re.M)
    assert "How do I reset" not in code


def test_a_refused_export_is_one_line(tmp_path):
    line = exported(tmp_path / "none", tmp_path, "st")
    assert line.endswith("none: no such run; `nexus runs` lists them")
    assert not (tmp_path / "exported-st").exists()
