"""The table consumer × format: exports of a run, read by each consumer, and NEXUS's vectors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from consumer_programs import (
    CONSUMERS,
    ROOT,
    embed,
    for_many_texts,
    interpreter,
    many_in_javascript,
    program,
)

from nexus_engine.exports.checking import embedded
from nexus_engine.exports.dev_texts import CheckTexts, SampleSizes, check_texts, run_data
from nexus_engine.exports.st_folder import WEIGHTS_FILE
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import load_saved

FORMATS = {
    "st": "exported-st",
    "onnx": "exported-onnx",
    "onnx-int8": "exported-int8",
    "gguf": "exported-gguf",
    "delta": "exported-delta",
}
"""Folders by format, with the names of docs/consumers.md."""
SCRIPT = "Transformers.js"
READER = "delta's reader"
NOT_LOADED = "not loaded: "


class Entry(NamedTuple):
    """A cell of the table. `words` says what came of it, "loads" or a line.

    `difference` is the largest of a number of a normalised embedding among texts that the model
    reads whole, `cut_difference` among longer ones; `cosine` is the smallest. `score` is the
    deciding metric by the consumer, `own_score` by NEXUS. None where nothing was computed.
    """

    format: str
    consumer: str
    words: str
    difference: float | None = None
    cut_difference: float | None = None
    cosine: float | None = None
    mean_cosine: float | None = None
    score: float | None = None
    own_score: float | None = None
    seconds: float = 0.0

    @property
    def loads(self) -> bool:
        return self.words == "loads"


class Judged(NamedTuple):
    """The texts of a split with NEXUS's own vectors (n, 384) of length 1.

    `whole` (n,) says which texts the model reads to their end.
    """

    texts: CheckTexts
    own: np.ndarray
    whole: np.ndarray

    def entry(self, format_: str, consumer: str, result: np.ndarray | str, seconds: float) -> Entry:
        """What a consumer's `result` means: vectors (n, 384), or why there are none."""
        if isinstance(result, str):
            return Entry(format_, consumer, NOT_LOADED + result, seconds=seconds)
        if result.shape != self.own.shape or not np.isfinite(result).all():
            return Entry(format_, consumer, f"{NOT_LOADED}vectors of {result.shape}")
        wide = result.astype(np.float64)
        wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
        apart = np.abs(wide - self.own).max(1)
        cosines = (wide * self.own).sum(1)
        score = self.texts.score
        return Entry(
            format_,
            consumer,
            "loads",
            float(apart[self.whole].max()),
            float(apart[~self.whole].max()),
            float(cosines[self.whole].min()),
            float(cosines[self.whole].mean()),
            None if score is None else score(result),
            None if score is None else score(self.own),
            seconds,
        )


def judged(
    run: Path, split: Literal["dev", "test"] = "dev", sizes: SampleSizes | None = None
) -> Judged:
    """The texts of the run's data, which has to be where the run found it.

    Raises:
        NexusError: the run has no intact best weights.
        AssertionError: its data cannot be read.
    """
    folder = RunFolder(run.absolute())
    loaded = load_saved(folder.best, folder.name)
    assert loaded.card is not None
    data = run_data(folder, loaded.base)
    texts = check_texts(data, loaded.card.metric, split, sizes or SampleSizes())
    assert texts.score is not None, texts.missing
    order = sorted(range(len(texts.texts)), key=lambda place: len(texts.texts[place]))
    own = embedded(loaded, [texts.texts[place] for place in order])
    own = own[np.argsort(order)]
    store = TokenStore(loaded.tokenizer)
    rows = store.add([texts.texts])
    whole = ~np.isin(rows, store.cut_among(rows))
    return Judged(texts, own, whole)


def exported(run: Path, at: Path, format_: str, *more: str) -> str:
    """Export `run` as `at`/exported-FORMAT by the command line; "" or its line of refusal."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "nexus_tui", "export", str(run)),
            *("--format", format_, "--out", str(at / FORMATS[format_]), *more),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if not done.returncode:
        return ""
    return done.stderr.strip().splitlines()[-1].removeprefix("nexus: error: ")


def table(
    run: Path,
    at: Path,
    judged: Judged,
    pythons: Sequence[str],
    node_modules: Path | None = None,
    formats: Sequence[str] = tuple(FORMATS),
    consumers: Sequence[str] | None = None,
) -> Iterator[Entry]:
    """Export `run` into the folder `at` in each of `formats`, and read it by each consumer.

    An export that is in `at` already is read as it is. One that loses too much is an entry with
    the line of its refusal; then it is written with a higher --max-loss, and read.
    """
    at.mkdir(exist_ok=True)
    for format_ in formats:
        folder = at / FORMATS[format_]
        if not folder.is_dir():
            refused = exported(run, at, format_)
            if refused:
                yield Entry(format_, "nexus export", refused)
            if "--max-loss" in refused:
                exported(run, at, format_, "--max-loss", "1")
            if not folder.is_dir():
                continue
        if format_ == "delta":
            yield _read_delta(at, pythons)
            continue
        order = sorted(range(len(judged.texts.texts)), key=lambda p: len(judged.texts.texts[p]))
        texts = [judged.texts.texts[place] for place in order]
        for consumer, command in _commands(at, format_, pythons, node_modules):
            if consumers is not None and consumer not in consumers:
                continue
            if isinstance(command, str):
                yield Entry(format_, consumer, command)
                continue
            begun = time.perf_counter()
            result = embed(command, at, texts)
            if not isinstance(result, str) and len(result) == len(order):
                result = result[np.argsort(order)]
            yield judged.entry(format_, consumer, result, time.perf_counter() - begun)


def _commands(
    at: Path, format_: str, pythons: Sequence[str], node_modules: Path | None
) -> Iterator[tuple[str, list[str] | str]]:
    """The consumers of a format, each with its command, or why there is none."""
    has_onnx = format_ == "st" and not (at / FORMATS["st"] / WEIGHTS_FILE).exists()
    for title, consumer in CONSUMERS.items():
        reads_onnx = title == "sentence-transformers with ONNX" and has_onnx
        if consumer.reads != format_.removesuffix("-int8") and not reads_onnx:
            continue
        python, missing = interpreter(consumer.modules, pythons)
        if python is None:
            yield title, f"not installed: {missing}"
            continue
        code = program(title, "python")
        if consumer.reads == "onnx":
            code = code.replace("exported-onnx", FORMATS[format_])
        if format_ == "onnx-int8":
            if title.startswith("Chroma"):  # it reads no other name
                _copy_as_model(at / FORMATS[format_] / "onnx")
            code = code.replace("onnx/model.onnx", "onnx/model_quantized.onnx")
        yield title, [python, "-c", for_many_texts(code, consumer.at_once)]
    if format_.startswith("onnx"):
        yield SCRIPT, _script(at, format_, node_modules)


def _copy_as_model(folder: Path) -> None:
    if not (folder / "model.onnx").exists():
        shutil.copyfile(folder / "model_quantized.onnx", folder / "model.onnx")


def _script(at: Path, format_: str, node_modules: Path | None) -> list[str] | str:
    node = shutil.which("node")
    if node is None:
        return "not installed: node"
    if node_modules is None or not (node_modules / "@huggingface" / "transformers").is_dir():
        return "not installed: @huggingface/transformers"
    link = at / "node_modules"
    if not link.exists():
        link.symlink_to(node_modules)
    code = many_in_javascript(program(SCRIPT, "javascript"))
    if format_ == "onnx-int8":
        code = code.replace("exported-onnx", FORMATS[format_]).replace('"fp32"', '"q8"')
    (at / "program.mjs").write_text(code)
    return [node, "program.mjs"]


def _read_delta(at: Path, pythons: Sequence[str]) -> Entry:
    """The reader of docs/export.md on a delta: its weights are those of the st folder, or not."""
    from nexus_engine.model.base_model import find_base_model

    weights = at / FORMATS["st"] / WEIGHTS_FILE
    facts = json.loads((at / FORMATS["delta"] / "delta.json").read_text())
    if not weights.exists() or (at / FORMATS["st"] / "2_Dense").exists():
        return Entry("delta", READER, f"units of {facts['nonlinearity']} or an adapter stay units")
    python, missing = interpreter(("safetensors", "numpy"), pythons)
    if python is None:
        return Entry("delta", READER, f"not installed: {missing}")
    page = (ROOT / "docs" / "export.md").read_text()
    code = program("delta: kilobytes", "python", page)
    code = code.replace("BASE/", f"{find_base_model().folder}/").replace("DIR/", "exported-delta/")
    compare = (
        f"\nours, theirs = load_file('rebuilt.safetensors'), load_file({str(weights)!r})\n"
        "assert set(ours) >= set(theirs)\n"
        "assert all((ours[name] == theirs[name]).all() for name in theirs), 'other weights'\n"
    )
    done = subprocess.run([python, "-c", code + compare], cwd=at, capture_output=True, text=True)
    if done.returncode:
        return Entry("delta", READER, NOT_LOADED + done.stderr.strip().splitlines()[-1])
    return Entry("delta", READER, "loads", difference=0.0)
