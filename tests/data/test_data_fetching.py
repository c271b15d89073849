"""What `nexus fetch` requests, and what it reports when nothing answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from nexus_engine.data.files.fetching import fetch_model, fetch_stsb
from nexus_engine.errors import DataError, ExitCode

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The arguments of the calls of snapshot_download, which returns a folder."""
    calls: list[dict[str, Any]] = []

    def snapshot_download(**arguments: Any) -> str:
        calls.append(arguments)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return calls


def test_stsb_is_asked_for_as_a_data_set(requests: list[dict[str, Any]], tmp_path: Path) -> None:
    assert fetch_stsb() == tmp_path
    assert requests == [
        {
            "repo_id": "sentence-transformers/stsb",
            "repo_type": "dataset",
            "allow_patterns": None,
            "token": False,
            "revision": None,
        }
    ]


def test_the_model_is_asked_for_without_pickles(
    requests: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert fetch_model() == tmp_path
    [call] = requests
    assert call["repo_id"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert call["repo_type"] == "model"
    assert call["token"] is False
    assert set(call["allow_patterns"]) == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
        "1_Pooling/*",
    }


@pytest.mark.parametrize(
    "error", [ConnectionError("no route"), OSError("disk"), RuntimeError("odd\nlines")]
)
@pytest.mark.parametrize("fetch", [fetch_stsb, fetch_model])
def test_a_failure_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    requests: list[dict[str, Any]],
    error: Exception,
    fetch: Any,
) -> None:
    def snapshot_download(**_: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(
        DataError, match=r"could not be fetched.*check the network.*instead"
    ) as refusal:
        fetch()
    assert requests == []
    assert str(refusal.value).isprintable()
    assert refusal.value.exit_code is ExitCode.DATA


def test_offline_is_honoured(
    monkeypatch: pytest.MonkeyPatch, requests: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        fetch_stsb()
    assert requests == []


def test_no_answer_from_the_network_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    code = (
        "from nexus_engine.data.files.fetching import fetch_stsb\n"
        "from nexus_engine.errors import DataError\n"
        "try:\n    fetch_stsb()\nexcept DataError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={
            "HF_HOME": str(tmp_path),
            "HF_ENDPOINT": "http://127.0.0.1:9",  # nothing listens on the discard port
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "sentence-transformers/stsb: could not be fetched" in done.stdout
    assert len(done.stdout.splitlines()) == 1
