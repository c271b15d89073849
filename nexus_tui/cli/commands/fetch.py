"""`nexus fetch`: the only command that opens a socket."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Download a base model or the STS Benchmark; no other command uses a network.",
    add_completion=False,
)


@app.callback()
def prepare() -> None:
    """Download a base model or the STS Benchmark; no other command uses a network."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@app.command("model")
def model(
    name: Annotated[
        str,
        typer.Argument(help="A name of `nexus models`.", metavar="[NAME]"),
    ] = "all-MiniLM-L6-v2",
) -> None:
    """Fetch a base model into the Hugging Face cache and check its SHA-256.

    Where NEXUS does not know the published SHA-256, it records what came first.
    """
    from nexus_engine.data.files.fetching import PACKAGE_ADVICE, fetch_model
    from nexus_engine.errors import ConfigError, one_line
    from nexus_engine.model.known_models import KNOWN
    from nexus_tui.terminal import streams

    known = KNOWN.get(name)
    if known is None:
        raise ConfigError(
            f"fetch model {one_line(name, 60)}: unknown; known are {', '.join(KNOWN)}"
        )
    advice = PACKAGE_ADVICE
    if known.weights_sha256 is None:
        advice = "copy a folder with its files here and name that instead: --base DIR"
    folder = fetch_model(known.repository, known.revision, advice)
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.model.fetched_model import record_first

    if known.weights_sha256 is None and record_first(known, folder):
        streams.say(
            f"the published SHA-256 of {known.name} is not known here; what came is recorded and "
            "from now on expected"
        )
    checked = find_base_model(known.name)
    words = "as published" if known.weights_sha256 else "as recorded at the first fetch"
    streams.say(f"SHA-256 {words}: {checked.sha256}")
    streams.put(str(folder))


@app.command("stsb")
def stsb() -> None:
    """Fetch the STS Benchmark into the Hugging Face cache."""
    from nexus_engine.data.files.fetching import fetch_stsb
    from nexus_tui.terminal import streams

    streams.put(str(fetch_stsb()))
