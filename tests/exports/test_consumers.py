"""Every program of docs/consumers.md, as it stands there, against NEXUS's own embeddings.

A program runs in the first interpreter that has its packages: this one, then those in the variable
NEXUS_CONSUMERS (separated by `:`). NEXUS_NODE_MODULES names a folder of npm packages. A program
that looks up the name of another machine fails.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from consumer_programs import (
    CONSUMERS,
    GUARD,
    PAGE,
    ROOT,
    TELL,
    interpreter,
    program,
    run,
)
from export_models import grown, largest_difference, own_embeddings

from nexus_engine.exports import fresh_reading
from nexus_engine.exports.dev_texts import ODD
from nexus_engine.exports.gguf_file import write_gguf
from nexus_engine.exports.onnx_graph import onnx_bytes
from nexus_engine.exports.onnx_int8 import int8_bytes
from nexus_engine.exports.plain_model import plain_model
from nexus_engine.exports.st_folder import onnx_folder, st_folder

SLOW = {"llama.cpp"}
"""Packages that have to be compiled."""
INSTALL = ROOT / "docs" / "install.md"
QUERY_ONLY = """
import sys
trains = {"nexus_engine", "nexus_tui", "torch", "transformers", "sentence_transformers", "datasets"}
assert not trains.intersection(sys.modules), trains.intersection(sys.modules)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder with exports of a model, made at its first use."""

    @functools.cache
    def exports(name):
        at = tmp_path_factory.mktemp("exports")
        model = plain_model(grown(name))
        content = onnx_bytes(model)
        write(at / "exported-onnx", onnx_folder(model, "model.onnx", content))
        int8 = int8_bytes(content, at)
        write(at / "exported-int8", onnx_folder(model, "model_quantized.onnx", int8))
        if not model.units:
            write(at / "exported-st", st_folder(model))
        if not model.units and model.adapter is None:
            (at / "exported-gguf").mkdir()
            write_gguf(model, at / "exported-gguf" / "model.gguf")
        return at

    return exports


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def cases():
    for title, consumer in CONSUMERS.items():
        for place, name in enumerate(consumer.models):
            slow = [pytest.mark.slow] if place or title in SLOW else []
            yield pytest.param(title, name, marks=slow, id=f"{title}-{name}")


@pytest.mark.parametrize(("title", "name"), list(cases()))
def test_the_program_gives_the_vectors_of_nexus(exported, title, name):
    consumer = CONSUMERS[title]
    python, missing = interpreter(consumer.modules)
    if python is None:
        pytest.skip(f"not installed: {missing}")
    code = program(title, "python")
    texts, vectors = run([python, "-c", GUARD + code + TELL], exported(name))
    own = own_embeddings(grown(name), texts)
    assert vectors.shape == (2, 384)
    assert largest_difference(vectors, own) < consumer.tolerance
    # The tolerance tells the tuned model from the base model.
    assert largest_difference(own, own_embeddings(grown("base"), texts)) > 10 * consumer.tolerance


@pytest.mark.parametrize(("folder", "dtype"), [("exported-onnx", "fp32"), ("exported-int8", "q8")])
def test_the_program_in_javascript(exported, folder, dtype):
    node, modules = shutil.which("node"), os.environ.get("NEXUS_NODE_MODULES")
    if node is None:
        pytest.skip("not installed: node")
    if not modules or not (Path(modules) / "@huggingface" / "transformers").is_dir():
        pytest.skip("not installed: @huggingface/transformers (NEXUS_NODE_MODULES)")
    at = exported("gelu")
    link = at / "node_modules"
    if not link.exists():
        link.symlink_to(modules)
    code = program("Transformers.js", "javascript")
    if dtype == "q8":
        code = code.replace(
            '"exported-onnx", { dtype: "fp32" }', '"exported-int8", { dtype: "q8" }'
        )
        assert '"q8"' in code
    tell = (
        'import { writeFileSync } from "node:fs";\n'
        'writeFileSync("result.json", JSON.stringify({ texts, vectors }));\n'
    )
    (at / "program.mjs").write_text(code + tell)
    texts, vectors = run([node, "program.mjs"], at)
    own = own_embeddings(grown("gelu"), texts)
    if dtype == "fp32":
        assert largest_difference(vectors, own) < 2e-6
    else:
        assert (vectors * own).sum(1).min() > 0.97
        assert largest_difference(vectors, own) > 1e-4  # the quantised file was read


def test_int8_runs_by_the_same_program(exported):
    code = program("onnxruntime alone", "python")
    other = code.replace("exported-onnx/onnx/model.onnx", "exported-int8/onnx/model_quantized.onnx")
    assert other != code
    texts, vectors = run([sys.executable, "-c", GUARD + other + TELL], exported("gelu"))
    cosines = (vectors * own_embeddings(grown("gelu"), texts)).sum(1)
    assert 0.97 < cosines.min() < 0.99999


def test_a_box_for_queries_needs_no_package_of_the_training_stack(exported):
    code = program("onnxruntime alone", "python")
    program_and_check = GUARD + code + QUERY_ONLY + TELL
    texts, vectors = run([sys.executable, "-c", program_and_check], exported("linear"))
    assert largest_difference(vectors, own_embeddings(grown("linear"), texts)) < 2e-6
    # What the page on installation has such a box install is what the program imports.
    line = re.search(r"pip install (numpy onnxruntime tokenizers)$", INSTALL.read_text(), re.M)
    assert line
    assert set(line[1].split()) == set(re.findall(r"^(?:import|from) (\w+)", code, re.M))


@pytest.mark.slow
def test_llama_cpp_reads_texts_of_every_kind(exported):
    python, missing = interpreter(("llama_cpp",))
    if python is None:
        pytest.skip(f"not installed: {missing}")
    texts = [
        "a",
        "Prices rose by 3.5 %, although wages did not; économie générale, naïve Übung.",
        "東京の天気 is fine today.",
        "unbelievably mis-spelt wrods & e-mail@addresses.example (twice)!",
        "Which layers of a frozen encoder gain most from a few added units? " * 15,
    ]
    code = re.sub(r"^texts = .*$", lambda _: f"texts = {texts!r}", program("llama.cpp", "python"),
                  flags=re.M)  # fmt: skip
    told, vectors = run([python, "-c", GUARD + code + TELL], exported("linear"))
    assert told == texts
    assert largest_difference(vectors, own_embeddings(grown("linear"), texts)) < 5e-4


@pytest.mark.slow
def test_the_check_of_an_export_embeds_by_llama_cpp(exported):
    python, missing = interpreter(("llama_cpp",))
    if python is None:
        pytest.skip(f"not installed: {missing}")
    folder = exported("linear") / "exported-gguf"
    done = subprocess.run(
        [python, "-P", fresh_reading.__file__, "llama", str(folder), "", "model.gguf"],
        input=json.dumps(ODD).encode(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    vectors = np.frombuffer(done.stdout.partition(b"\n")[2], "<f4").reshape(len(ODD), -1)
    own = own_embeddings(grown("linear"), list(ODD))
    assert largest_difference(vectors[:-1], own[:-1]) < 5e-4
    assert (vectors[-1] * own[-1]).sum() > 0.99  # a text that is cut loses its [SEP]


def test_a_name_look_up_fails_a_program(exported):
    code = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass\n"
    with pytest.raises(AssertionError, match=r"example\.org"):
        run([sys.executable, "-c", GUARD + code + "texts, vectors = [], []\n" + TELL],
            exported("gelu"))  # fmt: skip


def test_every_section_with_a_program_is_run():
    sections = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).*\n)*?^```python", PAGE, re.M)
    assert set(sections) == set(CONSUMERS)
