"""The form of an export without its widgets: its fields, and the request and command they mean."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

from nexus_engine.errors import ConfigError
from nexus_engine.exports.options import MAX_LOSS, Format
from nexus_engine.metric_words import metric_name
from nexus_tui.words.lines import run_reference
from nexus_tui.work.exporting import ExportRequest, Subject

__all__ = ["FIELDS", "Field", "command_of", "notes_of", "request_of"]

FORMAT_WORDS: dict[Format, str] = {
    "st": "sentence-transformers, LangChain, LlamaIndex, txtai",
    "onnx": "onnxruntime, fastembed, Chroma, Transformers.js",
    "onnx-int8": "the same, rounded to 8 bits: 23 MB",
    "gguf": "llama.cpp, Ollama",
    "delta": "what training changed, in kilobytes",
}


class Field(NamedTuple):
    """A row of the form."""

    name: str
    label: str
    flag: str
    help: str
    is_choice: bool = False


FIELDS = (
    Field("format", "format", "--format", "", is_choice=True),
    Field("out", "folder", "--out", "a new folder"),
    Field("max_loss", "max loss", "--max-loss", ""),
    Field("fold", "nonlinear units", "--fold", "", is_choice=True),
)


def notes_of(typed: Mapping[str, str], subject: Subject | None) -> dict[str, str]:
    """The remark on each field, by its name."""
    of = "the deciding metric" if subject is None else metric_name(subject.metric)
    notes = {
        "format": FORMAT_WORDS[cast("Format", typed["format"])],
        "max_loss": f"of {of or 'the deciding metric'} on dev, at most",
        "fold": "as trained; gguf needs approximate",
    }
    if typed["fold"] == "approximate":
        notes["fold"] = "their linear fit: another model"
    return notes


def request_of(run: Path, typed: Mapping[str, str]) -> ExportRequest:
    """The export of `run` that the form means; a blank loss is the default.

    Raises:
        ConfigError: a field cannot be used.
    """
    if not typed["out"].strip():
        raise ConfigError("--out is missing; give the new folder to write")
    try:
        max_loss = float(typed["max_loss"]) if typed["max_loss"].strip() else MAX_LOSS
    except ValueError:
        max_loss = math.nan
    if not 0 <= max_loss <= 1:
        raise ConfigError("--max-loss: give a number from 0 to 1")
    return ExportRequest(
        run,
        cast("Format", typed["format"]),
        typed["out"].strip(),
        max_loss,
        typed["fold"] == "approximate",
    )


def command_of(request: ExportRequest) -> str:
    """The command line that does the same, ready to paste into a shell."""
    run = run_reference(request.run.name, str(request.run))
    words = ["nexus", "export", run, "--format", request.format, "--out", request.out]
    if request.max_loss != MAX_LOSS:
        words += ["--max-loss", f"{request.max_loss:g}"]
    if request.approximate:
        words += ["--fold", "approximate"]
    return shlex.join(words)
