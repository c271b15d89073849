"""The check of an export: a fresh process reads it, and its embeddings are compared."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from nexus_engine.errors import ExportError, one_line
from nexus_engine.exports import fresh_reading
from nexus_engine.exports.dev_texts import CheckTexts
from nexus_engine.exports.formats import Written
from nexus_engine.exports.plain_model import Floats
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import LoadedModel, check_finite
from nexus_engine.scoring.evaluation import embed_all

__all__ = ["Checked", "check_sums", "check_vectors", "embedded", "read_fresh"]


class Checked(NamedTuple):
    """How an export compares with NEXUS.

    `library` read it. `difference` is the largest of a number of a normalised embedding, `cosine`
    the mean cosine to NEXUS's; None if no embedding was computed. `score` is the deciding metric on
    dev by the export, `own_score` by NEXUS, None if there was no data.
    """

    library: str
    difference: float | None = None
    cosine: float | None = None
    score: float | None = None
    own_score: float | None = None

    @property
    def loss(self) -> float | None:
        """What the export loses of the deciding metric."""
        if self.score is None or self.own_score is None:
            return None
        return self.own_score - self.score


def embedded(
    loaded: LoadedModel, texts: list[str], check: Callable[[], None] = lambda: None
) -> Floats:
    """NEXUS's own embeddings of `texts` in float32, of length 1: (n, width)."""
    store = TokenStore(loaded.tokenizer)
    rows = store.add([texts])
    vectors = embed_all(
        lambda some: check_finite(loaded.model.embed(store, some), loaded.name), store, rows, check
    )
    unit: Floats = torch.nn.functional.normalize(vectors).numpy()
    return unit


def read_fresh(
    readings: tuple[str, ...], folder: Path, base_folder: Path, file: str, texts: list[str]
) -> tuple[dict[str, Any], Floats | None]:
    """Facts and embeddings (n, width) by the first of `readings` whose library is installed.

    Raises:
        ExportError: none is installed, or the export cannot be read.
    """
    for reading in readings:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", str(fresh_reading.__file__), reading),
                *(str(folder), str(base_folder), file),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **_offline()},
        )
        try:
            output, messages = process.communicate(json.dumps(texts).encode())
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        if process.returncode == fresh_reading.NO_LIBRARY:
            continue
        if process.returncode:
            lines = messages.decode("utf-8", "replace").strip().splitlines()
            reason = one_line(lines[-1], 60) if lines else f"exit code {process.returncode}"
            raise ExportError(f"the export cannot be read by {reading} ({reason}); it was removed")
        line, _, body = output.partition(b"\n")
        facts: dict[str, Any] = json.loads(line)
        shape = facts["shape"]
        return facts, np.frombuffer(body, "<f4").reshape(shape).copy() if shape else None
    raise ExportError(
        f"no library that reads the export is installed ({', '.join(readings)}); it was removed"
    )


def _offline() -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
    }


def check_vectors(
    facts: Mapping[str, Any], vectors: Floats, own: Floats, texts: CheckTexts, written: Written
) -> Checked:
    """Compare `vectors` (n, width) of an export with NEXUS's `own`, within the bounds of `written`.

    Raises:
        ExportError: they are further apart.
    """
    library = one_line(facts["library"], 80)
    if vectors.shape != own.shape or not np.isfinite(vectors).all():
        raise ExportError(f"{library} reads no embeddings of NEXUS's shape; the folder was removed")
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    differences = {"its embeddings by " + library: float(np.abs(vectors - own).max())}
    if "pooled_difference" in facts:
        differences["the mean of its token states"] = float(facts["pooled_difference"])
    for what, difference in differences.items():
        if not difference <= written.tolerance:
            raise ExportError(
                f"{what} differ by {difference:.1e} from NEXUS's embeddings, above the tolerance "
                f"of {written.tolerance:.0e}; the folder was removed"
            )
    cosine = float(((vectors * own).sum(1) / lengths).mean())
    if not cosine >= written.min_cosine:
        raise ExportError(
            f"the mean cosine of its embeddings by {library} to NEXUS's is {cosine:.4f}, below "
            f"{written.min_cosine}; the folder was removed"
        )
    checked = Checked(library, differences["its embeddings by " + library], cosine)
    if texts.score is None:
        return checked
    return checked._replace(score=texts.score(vectors), own_score=texts.score(own))


def check_sums(facts: Mapping[str, Any], expected: Mapping[str, Any]) -> Checked:
    """Compare the weights that a fresh process read with `expected` arrays, bit by bit.

    Raises:
        ExportError: one is missing or differs.
    """
    library = one_line(facts["library"], 80)
    sums = facts["sha256"]
    for name, array in expected.items():
        if sums.get(name) != hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest():
            raise ExportError(
                f"weight {one_line(name, 60)} as read by {library} differs from NEXUS's; the "
                "folder was removed"
            )
    return Checked(library)
