"""What an export refuses, and that it leaves nothing behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys

import numpy as np
import pytest
from export_runs import CANARY, contents, export_to, make_run, write_pairs

from nexus_engine.disk import files
from nexus_engine.errors import ConfigError, ExportError, ModelError, ResourceError, RunError
from nexus_engine.exports import checking, exporting, formats, place
from nexus_engine.exports.checking import Checked, check_vectors
from nexus_engine.exports.dev_texts import CheckTexts, check_texts, run_data
from nexus_engine.exports.hidden_folder import under_construction
from nexus_tui.cli import main as cli


@pytest.fixture(scope="module")
def kept(tmp_path_factory, base_model):
    folder = tmp_path_factory.mktemp("runs")
    return make_run(folder / "run", base_model, write_pairs(folder / "data"), batch_size=4)


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


def refused(capfd, *arguments):
    code = cli.main(["export", *map(str, arguments)])
    out, err = capfd.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("nexus: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert CANARY not in err
    return code, lines[0]


def test_an_existing_folder_is_refused_and_untouched(capfd, kept, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    code, line = refused(capfd, kept.path, "--out", out, "--format", "delta")
    assert (code, "exists; name a new folder" in line) == (2, True)
    assert list(out.iterdir()) == []


def test_a_missing_parent_is_refused(capfd, kept, tmp_path):
    code, line = refused(capfd, kept.path, "--out", tmp_path / "a" / "b", "--format", "delta")
    assert (code, "there is no folder" in line) == (2, True)
    assert not (tmp_path / "a").exists()


def test_a_run_without_best_weights_is_refused(capfd, kept, tmp_path):
    shutil.copytree(kept.path, tmp_path / "run", ignore=shutil.ignore_patterns("best"))
    code, line = refused(capfd, tmp_path / "run", "--out", tmp_path / "out")
    assert (code, "no trained model there yet" in line) == (3, True)
    assert not (tmp_path / "out").exists()


def test_a_foreign_folder_is_refused(capfd, tmp_path):
    (tmp_path / "folder").mkdir()
    code, line = refused(capfd, tmp_path / "folder", "--out", tmp_path / "out")
    assert (code, "no such run (the folder holds no run.json)" in line) == (1, True)


def test_a_full_disk_is_told_before_anything_is_written(kept, tmp_path, monkeypatch):
    class Usage:
        free = 1_000_000

    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(ResourceError, match="1 MB are free"):
        export_to(kept, "delta", tmp_path / "out")


def test_a_disk_that_fills_leaves_nothing(kept, tmp_path, monkeypatch):
    real, calls = files.write_all, []

    def full(handle, content):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle, content)

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(ResourceError, match="nothing was left"):
        export_to(kept, "delta", tmp_path / "out")
    assert len(calls) == 2
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_an_export_that_reads_differently_is_removed(kept, tmp_path, monkeypatch):
    real = formats.delta_files

    def damaged(*arguments):
        files = real(*arguments)
        content = bytearray(files["delta.safetensors"])
        content[-2] ^= 64  # a bit of the last weight
        return files | {"delta.safetensors": bytes(content)}

    monkeypatch.setattr(formats, "delta_files", damaged)
    with pytest.raises(ExportError, match=r"as read by numpy .* differs .* removed"):
        export_to(kept, "delta", tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_what_a_killed_export_left_is_swept(kept, tmp_path):
    left, lock = tmp_path / ".out.export", tmp_path / ".out.export.lock"
    left.mkdir()
    (left / "file").write_text("x")
    lock.write_text(json.dumps({"pid": os.getppid()}))  # it lives, but holds no lock
    export_to(kept, "delta", tmp_path / "out")
    assert "file" not in contents(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_one_that_died_as_it_ended_is_swept_by_the_next(kept, tmp_path):
    export_to(kept, "delta", tmp_path / "out")
    lock = tmp_path / ".out.export.lock"
    lock.touch()
    with pytest.raises(ConfigError, match="exists"):
        export_to(kept, "delta", tmp_path / "out")
    assert not lock.exists()


def test_an_export_that_another_process_writes_is_left_alone(kept, tmp_path):
    with under_construction(tmp_path / "out") as folder:
        (folder / "file").write_text("x")
        with pytest.raises(RunError, match=r"out: is being written by process \d+ .*; wait"):
            export_to(kept, "delta", tmp_path / "out")
        assert (folder / "file").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_a_link_in_the_place_of_the_hidden_folder_is_not_followed(kept, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (tmp_path / ".out.export").symlink_to(tmp_path / "mine")
    export_to(kept, "delta", tmp_path / "out")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_a_delta_is_the_same_each_time_and_holds_no_sentence(kept, tmp_path):
    for name in ("a", "b"):
        export_to(kept, "delta", tmp_path / name)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    assert sorted(first) == ["README.md", "delta.json", "delta.safetensors"]
    assert sum(map(len, first.values())) < 100_000
    assert not any(CANARY.encode() in content for content in first.values())


def test_each_use_of_the_data_is_in_the_audit(kept, tmp_path):
    export_to(kept, "delta", tmp_path / "out")
    last = json.loads((kept.path / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["use"], last["size"]) == ("export delta", 12)


def vectors_near(own, distance):
    noise = np.random.default_rng(0).normal(size=own.shape).astype(np.float32)
    moved = own + distance * noise
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def judged(kept, base_model):
    texts = check_texts(run_data(kept, base_model), "spearman")
    own = np.random.default_rng(1).normal(size=(len(texts.texts), 384)).astype(np.float32)
    return texts, own / np.linalg.norm(own, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("distance", "tolerance", "cosine", "passes"),
    [(1e-7, 1e-5, 0.9999, True), (1e-4, 1e-5, 0.9, False), (1e-2, 9.0, 0.9999, False),
     (1e-2, 9.0, 0.9, True)],
)  # fmt: skip
def test_embeddings_beyond_the_bounds_are_refused(judged, distance, tolerance, cosine, passes):
    texts, own = judged
    parts = formats.Written({}, "", "", (), tolerance=tolerance, min_cosine=cosine)
    facts = {"library": "a reader"}
    if passes:
        checked = check_vectors(facts, vectors_near(own, distance), own, texts, parts)
        assert checked.score == pytest.approx(checked.own_score, abs=0.2)
        return
    with pytest.raises(ExportError, match="removed"):
        check_vectors(facts, vectors_near(own, distance), own, texts, parts)


def test_token_states_that_disagree_are_refused(judged):
    texts, own = judged
    parts = formats.Written({}, "", "", ())
    with pytest.raises(ExportError, match="mean of its token states"):
        check_vectors({"library": "x", "pooled_difference": 1e-3}, own, own, texts, parts)


def test_a_loss_above_the_limit_is_refused_with_the_figures():
    texts = CheckTexts([], "spearman", lambda _: 0.0, "12 dev pairs")
    exporting._refuse_loss(Checked("x", 0.1, 0.99, 0.797, 0.8), 0.005, texts, "onnx-int8")
    with pytest.raises(ExportError, match=r"loses 0\.0100 Spearman on 12 dev pairs.*--max-loss"):
        exporting._refuse_loss(Checked("x", 0.1, 0.99, 0.79, 0.8), 0.005, texts, "onnx-int8")


def test_a_rounded_export_needs_the_runs_data(base_model, tmp_path):
    run = make_run(tmp_path / "run", base_model, write_pairs(tmp_path / "d"), batch_size=4)
    shutil.rmtree(tmp_path / "d")
    texts = check_texts(run_data(run, base_model), "spearman")
    assert texts.score is None
    parts = formats.Written({}, "", "", (), loses=True)
    with pytest.raises(ConfigError, match="judged on the run's dev data"):
        exporting._refuse_unjudged(parts, texts, "onnx-int8")
    exported = export_to(run, "delta", tmp_path / "out")
    assert "was not computed" in exported.checks[-1]


def test_without_a_consumers_library_the_check_says_so(kept, tmp_path, monkeypatch, base_model):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys; sys.modules['sentence_transformers'] = None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    exported = export_to(kept, "st", tmp_path / "out")
    assert exported.checked.library == "NEXUS's own reader"
    assert "NEXUS's own reader" in (tmp_path / "out" / "README.md").read_text()


def test_a_reader_that_fails_is_told_without_its_message(kept, tmp_path, base_model):
    with pytest.raises(ExportError, match=r"cannot be read by delta \(\w+\); it was removed"):
        checking.read_fresh(("delta",), tmp_path, base_model.folder, "gone", [CANARY])


def test_a_units_run_that_no_format_holds_is_refused(tmp_path, base_model, capfd):
    run = make_run(
        tmp_path / "run", base_model, write_pairs(tmp_path / "d"), nonlinearity="gelu",
        batch_size=4,
    )  # fmt: skip
    with pytest.raises((ModelError, ConfigError)):
        export_to(run, "gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_the_packages_of_the_extra_one_line_says_what_to_install(
    capfd, kept, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, line = refused(capfd, kept.path, "--format", "onnx", "--out", tmp_path / "out")
    assert (code, "nexus-dendrites[export]" in line) == (2, True)
    assert not (tmp_path / "out").exists()
