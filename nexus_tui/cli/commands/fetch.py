"""`nexus fetch`: the only command that opens a socket."""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Download the base model or the STS Benchmark; no other command uses a network.",
    add_completion=False,
)


@app.callback()
def prepare() -> None:
    """Download the base model or the STS Benchmark; no other command uses a network."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@app.command("model")
def model() -> None:
    """Fetch all-MiniLM-L6-v2 into the Hugging Face cache and check its SHA-256."""
    from nexus_engine.data.files.fetching import fetch_model
    from nexus_tui.terminal import streams

    folder = fetch_model()
    from nexus_engine.model.base_model import find_base_model

    checked = find_base_model()
    streams.say(f"SHA-256 as published: {checked.sha256}")
    streams.put(str(folder))


@app.command("stsb")
def stsb() -> None:
    """Fetch the STS Benchmark into the Hugging Face cache."""
    from nexus_engine.data.files.fetching import fetch_stsb
    from nexus_tui.terminal import streams

    streams.put(str(fetch_stsb()))
