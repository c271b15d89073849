"""`nexus index build`, killed at random times and continued, and what the index then holds.

`index_million.py --kills N` uses it. A kill is a SIGKILL of the build's process group. The kills
are spread over the time that reading and embedding take; the last quarter, one of three at least,
meets the last stage.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nexus_engine.disk.lock import is_held
from nexus_engine.errors import NexusError
from nexus_engine.indexing.embedding import BLOCK_TEXTS, read_job
from nexus_engine.indexing.index_card import JOB_FILE, TEXTS_FILE, building_folder, read_card
from nexus_engine.indexing.index_model import embedder_of
from nexus_engine.indexing.text_store import TextStore
from nexus_engine.indexing.vector_file import Codec
from nexus_engine.indexing.words import distinct_words, words_of
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.ranking import unit_rows

SAMPLE_BLOCKS = 8
SOUGHT = 300
"""Passages, about, that are sought by their words."""
READ_PER_SECOND, FINISHED_PER_SECOND = 8_000, 150_000
"""Passages that a build reads, about, on two cores; and that its last stage counts and packs on the
fastest machine seen, so that a kill meets it."""
LOOK_SECONDS = 0.02
USAGE = 2
"""Exit code of a build whose index is there."""


class Build(NamedTuple):
    """What is built: `nexus index build CORPUS` with these options."""

    corpus: Path
    index: Path
    model: str
    dims: int
    dtype: str
    passages: int
    precision: str = "fp32"
    device: str = "cpu"


class Sample(NamedTuple):
    """Vectors of whole blocks by an embedding without a stop, as an index stores them."""

    scale: float | None
    blocks: dict[int, bytes]
    """By the id of the block's first passage."""
    per_second: float


def lines_of(corpus: Path) -> Iterator[str]:
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            yield line.strip()


def embed_sample(build: Build) -> Sample:
    """The first block, the last, and others at random, embedded in this process."""
    starts = list(range(0, build.passages, BLOCK_TEXTS))
    middle = starts[1:-1]
    chosen = {0, starts[-1], *random.Random(4).sample(middle, min(len(middle), SAMPLE_BLOCKS - 2))}
    texts: dict[int, list[str]] = {start: [] for start in sorted(chosen)}
    for number, line in enumerate(lines_of(build.corpus)):
        block = number - number % BLOCK_TEXTS
        if block in texts:
            texts[block].append(line)
    loaded = load_model(build.model, bf16=build.precision == "bf16")
    loaded.model.to(build.device)
    embedder = embedder_of(loaded)
    codec, blocks, seconds = Codec(build.dims, build.dtype), {}, 0.0
    for start, block in texts.items():
        begun = time.monotonic()
        unit = unit_rows(embedder.embed(block, remember=False)[:, : build.dims])
        seconds += time.monotonic() - begun
        codec = codec.fitted(unit)
        blocks[start] = codec.encode(unit)
    return Sample(codec.scale, blocks, sum(map(len, texts.values())) / seconds)


def _started(build: Build) -> subprocess.Popen[bytes]:
    words = ["index", "build", build.corpus, "--model", build.model, "--out", build.index]
    options = [
        "--dims",
        str(build.dims),
        "--dtype",
        build.dtype,
        "--precision",
        build.precision,
        "--device",
        build.device,
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "nexus_tui", *words, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _rows(folder: Path) -> int:
    job = read_job(folder / JOB_FILE)
    return 0 if job is None else job.rows


def _read(folder: Path) -> int:
    try:
        with TextStore(folder / TEXTS_FILE) as store:
            return store.next_id()
    except NexusError:
        return 0


def _wait(build: Build, process: subprocess.Popen[bytes], seconds: float, rows: int) -> bool:
    """Wait until the build works and has `rows` rows, then `seconds`; whether it still lives."""
    folder = building_folder(build.index)
    while process.poll() is None and not (is_held(folder) and _rows(folder) >= rows):
        time.sleep(LOOK_SECONDS)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(min(LOOK_SECONDS, max(0.0, end - time.monotonic())))
    return process.poll() is None


def build_with_kills(build: Build, kills: int, per_second: float) -> int:
    """Build to the end; how many of `kills` met a build at work. Prints a line for each.

    Raises:
        SystemExit: a build ended with another code than it should.
    """
    chance, met, begun = random.Random(kills), 0, time.monotonic()
    folder = building_folder(build.index)
    in_last_stage = max(kills // 4, int(kills > 2))
    while True:
        process = _started(build)
        lives = False
        if met < kills - in_last_stage:
            unread = build.passages - _read(folder)
            rest = (build.passages - _rows(folder)) / per_second + unread / READ_PER_SECOND
            share = 2 * rest / (kills - in_last_stage - met + 1)
            lives = _wait(build, process, chance.uniform(0, share), 0)
        elif met < kills:
            seconds = LOOK_SECONDS + build.passages / FINISHED_PER_SECOND
            lives = _wait(build, process, chance.uniform(0, seconds), build.passages)
        if lives:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            met += 1
            told = f"{_read(folder):,} passages read, {_rows(folder):,} embedded"
            if is_there := build.index.exists():
                told = "the index had its name already"
            print(f"{time.monotonic() - begun:7.1f} s  kill {met}: {told}", flush=True)
            if not is_there:
                continue
            process = _started(build)  # it is refused, and clears what is left
        _, said = process.communicate()
        if process.returncode != (USAGE if lives else 0):
            lines = said.decode("utf-8", "replace").strip().splitlines()
            raise SystemExit(f"the build ended with {process.returncode}: {lines[-1:]}")
        print(f"{time.monotonic() - begun:7.1f} s  built; {met} of {kills} kills met it at work")
        return met


def differences(build: Build, sample: Sample) -> list[str]:
    """What is not as in an index that was built without a stop; a line for each kind."""
    card = read_card(build.index)
    wrong = []
    if card.passages != build.passages:
        wrong.append(f"index.json tells of {card.passages:,} passages, not {build.passages:,}")
    if card.scale != sample.scale:
        wrong.append(f"the scale is {card.scale}, not {sample.scale}")
    names = {each.name for each in build.index.iterdir()}
    if names - {"index.json", "lock", TEXTS_FILE, card.vectors, card.model.folder}:
        wrong.append(f"left behind: {sorted(names)}")
    if building_folder(build.index).exists():
        wrong.append("the folder of the build is still there")
    return wrong + _wrong_vectors(build, sample, card.vectors) + _wrong_texts(build, card.words)


def _wrong_vectors(build: Build, sample: Sample, name: str) -> list[str]:
    path, size = build.index / name, Codec(build.dims, build.dtype).row_bytes
    if path.stat().st_size != build.passages * size:
        return [f"{name} has {path.stat().st_size:,} bytes, not {build.passages * size:,}"]
    stored = np.memmap(path, np.uint8, "r").reshape(build.passages, size)
    wrong = rows = 0
    for start, block in sample.blocks.items():
        wanted = np.frombuffer(block, np.uint8).reshape(-1, size)
        wrong += int((stored[start : start + len(wanted)] != wanted).any(1).sum())
        rows += len(wanted)
    print(f"{rows:,} vectors compared byte by byte, {wrong:,} differ")
    return [f"{wrong:,} of {rows:,} vectors differ"] if wrong else []


def _wrong_texts(build: Build, words: int) -> list[str]:
    """Each text and the words of all, against the corpus."""
    wrong = counted = entries = number = 0
    chance, sought = random.Random(5), []
    with TextStore(build.index / TEXTS_FILE) as store:
        stored: list[str] = []
        for number, line in enumerate(lines_of(build.corpus), start=1):
            at = (number - 1) % BLOCK_TEXTS
            if not at:
                stored = store.texts(number - 1, min(store.next_id(), number - 1 + BLOCK_TEXTS))
            wrong += at >= len(stored) or stored[at] != line
            distinct = distinct_words(line)
            counted += len(words_of(line))
            entries += len(distinct)
            if distinct and chance.random() < SOUGHT / build.passages:
                sought.append((number - 1, distinct))
        missed = sum(id_ not in store.passages_with(distinct, 1 << 40) for id_, distinct in sought)
        (indexed,) = store.database.execute("SELECT sum(doc) FROM vocabulary").fetchone()
        more = store.next_id() - number
    print(f"{number:,} texts compared, {entries:,} entries of words, {len(sought)} texts sought")
    found = {
        f"{wrong:,} of {number:,} texts differ": wrong,
        f"{more:,} texts are too many": more,
        f"{words:,} words are counted, not {counted:,}": words != counted,
        f"the word index has {indexed:,} entries, not {entries:,}": indexed != entries,
        f"{missed} of {len(sought)} texts are not found by their words": missed,
    }
    return [line for line, is_wrong in found.items() if is_wrong]
