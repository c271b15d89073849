"""The base models that NEXUS knows by name: where they come from, and what their folders omit.

Any other folder of BERT's shape is named by its path.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nexus_engine.model.shape import Prompts

__all__ = [
    "BASE_NAME",
    "KNOWN",
    "TOKENIZER_SHA256",
    "WEIGHTS_SHA256",
    "KnownModel",
    "cache_folder",
    "known_of_folder",
]

BASE_NAME = "all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published `model.safetensors` of all-MiniLM-L6-v2."""
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""SHA-256 of the published `tokenizer.json` of all-MiniLM-L6-v2."""

_E5 = Prompts("query: ", "passage: ")


class KnownModel(NamedTuple):
    """A published model.

    `prompts` are those of its authors where its folder names none. `revision` is the commit of its
    repository. Where it or the SHA-256 of `model.safetensors` and `tokenizer.json` are None, the
    first fetch records what came (see `fetched_model`).
    """

    name: str
    repository: str
    prompts: Prompts | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    tokenizer_sha256: str | None = None


KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            BASE_NAME,
            f"sentence-transformers/{BASE_NAME}",
            weights_sha256=WEIGHTS_SHA256,
            tokenizer_sha256=TOKENIZER_SHA256,
        ),
        KnownModel("all-MiniLM-L12-v2", "sentence-transformers/all-MiniLM-L12-v2"),
        KnownModel("paraphrase-MiniLM-L3-v2", "sentence-transformers/paraphrase-MiniLM-L3-v2"),
        KnownModel("bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
        # https://huggingface.co/intfloat/e5-small-v2: both prompts, and "query: " for texts that
        # are compared with each other.
        KnownModel("e5-small-v2", "intfloat/e5-small-v2", _E5),
        KnownModel("gte-small", "thenlper/gte-small"),
        KnownModel("snowflake-arctic-embed-xs", "Snowflake/snowflake-arctic-embed-xs"),
        KnownModel("snowflake-arctic-embed-s", "Snowflake/snowflake-arctic-embed-s"),
        KnownModel("multilingual-e5-small", "intfloat/multilingual-e5-small", _E5),
        KnownModel(
            "paraphrase-multilingual-MiniLM-L12-v2",
            "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        ),
    )
}


def cache_folder(repository: str) -> str:
    """The name of a repository's folder in the Hugging Face cache."""
    return "models--" + repository.replace("/", "--")


def known_of_folder(folder: Path) -> KnownModel | None:
    """The known model that `folder` holds, by its name or by its place in the cache."""
    by_cache = {cache_folder(model.repository): model for model in KNOWN.values()}
    try:
        parts = folder.absolute().parts
    except OSError:
        return None
    if parts and parts[-1] in KNOWN:
        return KNOWN[parts[-1]]
    return next((by_cache[part] for part in reversed(parts) if part in by_cache), None)
