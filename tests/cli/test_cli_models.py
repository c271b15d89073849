"""`nexus models`, `nexus fetch model NAME` and `--base NAME`, with a made Hugging Face cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from small_models import TINY, make_model

from nexus_engine.errors import ModelError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.known_models import KNOWN, cache_folder
from nexus_engine.model.shape import Prompts
from nexus_tui.cli import main as cli

NAME = "bge-small-en-v1.5"
QUERY = "Represent this sentence for searching relevant passages: "


def cached(cache: Path, name: str, revision: str = "c0ffee", **how) -> Path:
    """A small model in the cache, as if it were `name`."""
    folder = cache / cache_folder(KNOWN[name].repository) / "snapshots" / revision
    folder.parent.mkdir(parents=True, exist_ok=True)
    return make_model(folder, **how)


@pytest.fixture
def cache(home, monkeypatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return home / "hub"


def test_the_list_has_every_name_and_what_is_here(cache, capsys):
    cls = TINY._replace(pooling="cls")
    folder = cached(cache, "snowflake-arctic-embed-s", shape=cls, prompts={"query": QUERY})
    assert cli.main(["models", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {model["name"] for model in listed} == set(KNOWN)
    here = [model["name"] for model in listed if model["path"] is not None]
    assert here == ["all-MiniLM-L6-v2", "snowflake-arctic-embed-s"]
    assert [model["name"] for model in listed[:2]] == here
    arctic = listed[1]
    assert (arctic["layers"], arctic["width"], arctic["pooling"]) == (2, 24, "cls")
    assert (arctic["query_prompt"], arctic["passage_prompt"]) == (QUERY, "")
    assert (arctic["max_tokens"], arctic["tokenizer"]) == (48, "WordPiece")
    assert arctic["path"] == str(folder)
    assert arctic["size_bytes"] > 10_000
    assert arctic["hashes_known"] is False
    assert cli.main(["models", "--here"]) == 0
    out = capsys.readouterr().out
    assert "all-MiniLM-L6-v2" in out
    assert "gte-small" not in out


def test_a_damaged_folder_is_told_and_ends_nothing(cache, capsys):
    folder = cached(cache, "gte-small")
    (folder / "config.json").write_text("{")
    assert cli.main(["models"]) == 0
    streams = capsys.readouterr()
    assert "cannot be used" in streams.out
    assert "config.json: unreadable" in streams.err


def test_the_list_imports_no_torch():
    code = (
        "import sys; from nexus_tui.cli.main import main; code = main(['models', '--here']);"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_e5_has_its_authors_prompts_by_name(cache):
    cached(cache, "e5-small-v2")
    base = find_base_model("e5-small-v2")
    assert base.shape.prompts == Prompts("query: ", "passage: ")
    assert (base.name, base.origin) == ("e5-small-v2", "Hugging Face cache")
    same = find_base_model(base.folder)
    assert (same.name, same.shape) == (base.name, base.shape)


def test_a_name_that_was_not_fetched_is_refused_with_advice(cache, capsys):
    assert cli.main(["train", "--base", NAME, "--data", "demo", "--forecast"]) == 3
    err = capsys.readouterr().err
    assert f"nexus fetch model {NAME}" in err
    assert len(err.splitlines()) == 1


def test_a_first_fetch_records_and_a_change_is_refused(cache, monkeypatch, capsys):
    asked = []

    def snapshot_download(**arguments):
        asked.append(arguments)
        return str(cached(cache, NAME, f"commit-{len(asked)}", seed=len(asked)))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert cli.main(["fetch", "model", NAME]) == 0
    streams = capsys.readouterr()
    assert asked[0]["repo_id"] == "BAAI/bge-small-en-v1.5"
    assert "is not known here; what came is recorded" in streams.err
    first = find_base_model(NAME)
    assert first.sha256 in streams.err
    record = json.loads((cache.parent / "data/nexus/fetched-models.json").read_text())
    assert record[NAME]["weights_sha256"] == first.sha256
    assert record[NAME]["revision"] == "commit-1"
    assert cli.main(["fetch", "model", NAME]) == 3  # the repository holds other weights by now
    err = capsys.readouterr().err
    assert "differ from those that were fetched first" in err
    with pytest.raises(ModelError, match="fetched first"):
        find_base_model(NAME)


def test_an_unknown_name_is_refused_with_those_that_are_known(cache, capsys):
    assert cli.main(["fetch", "model", "bert-huge"]) == 2
    err = capsys.readouterr().err
    assert NAME in err
    assert len(err.splitlines()) == 1


def test_untrained_models_are_named_by_base_colon(cache, capsys, home):
    cached(cache, "gte-small", normalise=True)
    pairs = home / "pairs.csv"
    pairs.write_text(
        "sentence1,sentence2,score\nthe pump,a pump,5\na door,rain,0\nthe fan,a fan,4\n"
    )
    asked = ["compare", "base", "base:gte-small", "--data", str(pairs), "--split", "all", "--json"]
    assert cli.main(asked) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["model"], second["model"]) == ("base", "base:gte-small")
    assert first["spearman"] != second["spearman"] or first["pearson"] != second["pearson"]
    lines = home / "lines.txt"
    lines.write_text("the pump\na door\n")
    index = str(home / "index")
    made = ["index", "build", str(lines), "--model", "base:gte-small", "--out", index]
    assert cli.main([*made, "--dims", "48"]) == 2
    assert "give 1 to 24" in capsys.readouterr().err
    assert cli.main([*made, "--dims", "24"]) == 0
    assert cli.main(["search", "--index", index, "pump", "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert json.loads(out[-2])["text"] == "the pump"
    assert cli.main(["index", "status", index]) == 0
