"""Retrieval with smaller vectors: fewer numbers a vector, and fewer bits a number.

Each result is what an index of that format finds, over the whole corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring.ranking import ranks_by_product, score_ranks, unit_rows
from nexus_engine.scoring.vector_types import VectorType

__all__ = [
    "FORMATS",
    "HIGHEST",
    "SmallVectors",
    "as_int8",
    "as_signs",
    "int8_scale",
    "judge_small_vectors",
    "stored_rows",
]

FORMATS = ("float32", "int8", "signs")
HIGHEST = 127
"""The largest number of an int8 vector; -128 is not used, so that both signs reach as far."""
EXACT_NUMBERS = 2**24 // HIGHEST**2
"""Up to this many products of two int8 numbers, 1,040, have a sum that float32 holds exactly. The
encoder's vectors have 384."""


class SmallVectors(NamedTuple):
    """How well vectors of `numbers` numbers in `format` retrieve; means over questions, 0..1."""

    numbers: int
    format: str
    """One of `FORMATS`."""
    bytes_per_passage: int
    ndcg_at_10: float
    recall_at_10: float


def judge_small_vectors(
    questions: Tensor,
    passages: Tensor,
    answers: Answers,
    dims: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> list[SmallVectors]:
    """Each size of `dims` in each of `FORMATS`, in that order.

    `questions` (q, width) and `passages` (p, width) are embeddings, not normalised; the first d
    numbers of each are normalised again for each d of `dims`, 1..width. An index of int8 numbers
    ranks by the product of integers, one of signs by that of the question's floats with ±1.
    Passages of equal similarity rank in corpus order. `check` is called before each block of
    questions and may raise to stop.

    Raises:
        ValueError: one of `dims` lies outside 1..width.
    """
    judged = []
    width = passages.shape[1]
    for size in dims:
        if not 1 <= size <= width:
            raise ValueError(f"a vector size of {size} lies outside 1 to {width}")
        asking = unit_rows(questions[:, :size]).to(passages.device)
        stored = unit_rows(passages[:, :size])
        with torch.inference_mode():
            for name in FORMATS:
                pair = _encoded(name, asking, stored)
                scores = score_ranks(ranks_by_product(*pair, answers, check), answers).mean()
                taken = {"float32": 4 * size, "int8": size, "signs": -(-size // 8)}[name]
                judged.append(
                    SmallVectors(size, name, taken, scores.ndcg_at_10, scores.recall_at_10)
                )
    return judged


def _encoded(name: str, questions: Tensor, passages: Tensor) -> tuple[Tensor, Tensor]:
    """Questions and passages whose products are the similarities in this format."""
    if name == "int8":
        scale = int8_scale(passages)
        return (
            _as_floats(as_int8(questions, scale), questions),
            _as_floats(as_int8(passages, scale), passages),
        )
    if name == "signs":
        return questions, _as_floats(as_signs(passages), passages)
    return questions, passages


def _as_floats(encoded: Tensor, vectors: Tensor) -> Tensor:
    """`encoded` (n, d) as float32; NaN where `vectors` are NaN, so that they get no rank."""
    return encoded.float().masked_fill_(vectors.isnan(), float("nan"))


def int8_scale(passages: Tensor) -> float:
    """What all numbers of an index are multiplied with: its largest, (p, d), becomes 127."""
    largest = float(passages.nan_to_num(0.0).abs().max()) if passages.numel() else 0.0
    return HIGHEST / largest if largest > 0 else 1.0


def as_int8(vectors: Tensor, scale: float) -> Tensor:
    """`vectors` (n, d) times `scale`, rounded to -127..127, as int8. NaN becomes 0."""
    return (vectors * scale).round().clamp(-HIGHEST, HIGHEST).nan_to_num(0.0).to(torch.int8)


def as_signs(vectors: Tensor) -> Tensor:
    """1 where a number of `vectors` (n, d) is above 0, else -1, as int8: one bit in an index."""
    return torch.where(vectors > 0, 1, -1).to(torch.int8)


def stored_rows(unit: Tensor, dtype: VectorType, scale: float | None = None) -> npt.NDArray[Any]:
    """`unit` (n, d), rows of length 1, as files and indexes keep them: (n, d), little-endian.

    int8 needs the `scale`. Of `binary`, a row is ceil(d / 8) bytes; the first number of eight is
    the highest bit of a byte, as `numpy.unpackbits` reads them.
    """
    match dtype:
        case "int8":
            assert scale is not None
            return as_int8(unit, scale).numpy()
        case "f32":
            return unit.float().numpy().astype("<f4", copy=False)
        case "f16":
            return unit.half().numpy().astype("<f2", copy=False)
        case "binary":
            return np.packbits((unit > 0).numpy(), axis=1)
