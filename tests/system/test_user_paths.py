"""Homes that cannot be resolved: `~name` in every option, no home at all, the hub's cache."""

import json
import os
import pwd
import subprocess
import sys

import pytest

from nexus_engine.data.files.hub_cache import datasets_cache, hub_cache
from nexus_tui.cli import main as cli

NOBODY = "~no-such-user-here/x"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["runs", "show", NOBODY], 2),
        (["runs", "rm", "--yes", NOBODY], 2),
        (["attach", NOBODY], 2),
        (["attach", "--once", NOBODY], 2),
        (["stop", NOBODY], 2),
        (["report", NOBODY], 2),
        (["report", "x", "--out", NOBODY], 2),
        (["report", "x", "--tensorboard", NOBODY], 2),
        (["train", "--out", NOBODY], 2),
        (["train", "--out", NOBODY, "--detach"], 2),
        (["train", "--config", NOBODY], 2),
        (["train", "--resume", NOBODY], 2),
        (["train", "--data", NOBODY, "--forecast"], 3),
        (["train", "--base", NOBODY, "--forecast"], 3),
        (["sweep", "--out", NOBODY], 2),
        (["sweep", "--grid", NOBODY], 2),
        (["sweep", "--config", NOBODY], 2),
        (["sweep", "--resume", NOBODY], 2),
        (["config", "show", "--config", NOBODY], 2),
        (["similarity", NOBODY, "a", "b"], 3),
        (["similarity", "base", "--file", NOBODY], 3),
        (["eval", NOBODY], 3),
        (["eval", "base", "--data", NOBODY], 3),
        (["compare", "base", NOBODY], 3),
        (["search", NOBODY, "q", "--corpus", __file__], 3),
        (["search", "base", "q", "--corpus", NOBODY], 3),
    ],
    ids=repr,
)
def test_an_unknown_user_is_told_in_one_line(words, code, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert cli.main(words) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "there is no user 'no-such-user-here'" in err


def test_a_file_whose_own_name_begins_with_a_tilde_is_found(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    (home / "~pairs.csv").write_text("sentence1,sentence2\na cat,the cat\n")
    assert cli.main(["similarity", "base", "--file", "~pairs.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sentence1"] == "a cat"


@pytest.fixture
def no_home(tmp_path, monkeypatch):
    """A process whose user has no passwd entry and whose environment names no home."""

    def unknown(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["runs", "show", "latest"],
        ["attach", "--once"],
        ["report", "latest"],
        ["sweep", "--resume", "latest"],
        ["sweep"],
        ["train"],
        ["train", "--detach"],
    ],
    ids=repr,
)
def test_without_a_home_what_needs_one_says_so(words, no_home, capsys):
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "set HOME" in err


def test_without_a_home_the_app_says_so_before_its_screen(no_home):
    from nexus_engine.errors import ConfigError
    from nexus_tui.cli.commands.attach import open_screen

    with pytest.raises(ConfigError, match="set HOME"):
        open_screen(None, ascii_only=False, low_bandwidth=False)


def test_without_a_home_what_needs_none_works(no_home, capsys):
    from nexus_engine.runs.folder import RunFolder, find_run, remove_run
    from nexus_tui.words.lines import resume_command

    assert cli.main(["similarity", "base", "a cat", "the cat"]) == 0
    assert cli.main(["config", "show"]) == 0
    folder = RunFolder.create(no_home / "run", "x")
    folder.write_run({})
    assert find_run("run").path == no_home / "run"
    assert resume_command("run", str(folder.path)).endswith(str(folder.path))
    assert cli.main(["runs", "show", "run"]) == 0
    remove_run("run")
    assert not folder.path.exists()


def test_without_a_home_the_app_reads_its_settings(no_home):
    from nexus_tui.settings.app import read_ui_settings

    assert read_ui_settings().warnings == ()


CACHES = [
    {},
    {"HF_HOME": "~/x"},
    {"HF_HOME": "$BELOW/x"},
    {"HF_HUB_CACHE": "~/hub"},
    {"HF_HUB_CACHE": "${BELOW}/hub", "HF_HOME": "/elsewhere"},
    {"HUGGINGFACE_HUB_CACHE": "~/older"},
    {"XDG_CACHE_HOME": "~/cache"},
    {"XDG_CACHE_HOME": "$BELOW/cache"},
    {"XDG_CACHE_HOME": "/c", "HF_HOME": "~/x", "HF_HUB_CACHE": "~unknown-user-here/hub"},
]
ASK_THE_LIBRARY = """
import importlib, json, os, sys
import huggingface_hub.constants as constants
for variables in json.loads(sys.argv[1]):
    os.environ.update(variables)
    print(importlib.reload(constants).HF_HUB_CACHE)
    for name in variables:
        del os.environ[name]
"""


def test_the_hub_cache_is_where_huggingface_hub_puts_it(tmp_path, monkeypatch):
    names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    for name in (*names, "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BELOW", str(tmp_path / "below"))
    command = [sys.executable, "-c", ASK_THE_LIBRARY, json.dumps(CACHES)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = []
    for variables in CACHES:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ours.append(os.fspath(hub_cache()))
    assert ours == theirs
    assert datasets_cache() == tmp_path / ".cache" / "huggingface" / "datasets"


def test_model_and_benchmark_are_looked_for_in_one_cache(tmp_path, monkeypatch):
    from nexus_engine.data.files import stsb_cache
    from nexus_engine.errors import DataError
    from nexus_engine.model import base_model

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", "~/x")
    snapshot = tmp_path / "x" / "hub" / base_model.REPOSITORY / "snapshots" / "one"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"")
    assert base_model._cached_folders() == [snapshot]
    with pytest.raises(DataError, match=str(tmp_path / "x" / "hub")):
        stsb_cache.find_stsb()
