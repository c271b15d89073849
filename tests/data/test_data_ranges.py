"""The range of the scores is inferred, noted, and the same for all splits."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_cases import delimited_text

from nexus_engine.data import load_data, load_split
from nexus_engine.errors import DataError


def write(path: Path, scores: list[float], name: str = "score") -> None:
    rows = [(f"a{i} {path.name}", f"b{i} {path.name}", score) for i, score in enumerate(scores)]
    path.write_text(delimited_text(rows, header=("s1", "s2", name)))


@pytest.mark.parametrize(
    ("scores", "name", "expected"),
    [
        ([0, 1, 0.5], "score", (0, 1)),
        ([0, 1, 1], "label", (0, 1)),
        ([-1, 1, 0], "score", (-1, 1)),
        ([-0.2, 0.9, 0], "score", (-1, 1)),
        ([0, 5, 2.5], "score", (0, 5)),
        ([1, 5, 2], "score", (0, 5)),
        ([1, 5, 2], "relatedness_score", (1, 5)),
        ([0, 5, 2], "relatedness_score", (0, 5)),
        ([0, 4, 2], "score", (0, 5)),
        ([0, 10, 7], "score", (0, 10)),
        ([0, 100, 7], "score", (0, 100)),
    ],
)
def test_the_usual_ranges_are_found(
    tmp_path: Path, scores: list[float], name: str, expected: tuple[float, float]
) -> None:
    path = tmp_path / "pairs.csv"
    write(path, scores * 10, name)
    data = load_data(str(path))
    assert data.score_range == expected
    low, high = expected
    mapped = load_split(str(path), "all").scores
    assert mapped is not None
    assert mapped.dtype == "float32"
    assert mapped.tolist() == pytest.approx([(s - low) / (high - low) for s in scores] * 10)
    range_note = next(note for note in data.notes if "range" in note)
    assert f"{low}..{high}" in range_note
    reached = (min(scores), max(scores)) == expected
    assert ("--score-range" in range_note) is not reached


@pytest.mark.parametrize("scores", [[-2, 5], [0, 101], [-5, 5], [1e300, -1e300]])
def test_other_ranges_must_be_given(tmp_path: Path, scores: list[float]) -> None:
    path = tmp_path / "pairs.csv"
    write(path, scores * 10)
    with pytest.raises(DataError, match="give it with --score-range LOW,HIGH"):
        load_data(str(path))
    low, high = min(scores), max(scores)
    data = load_data(str(path), score_range=(low, high))
    assert data.score_range == (low, high)
    assert data.train.scores is not None
    assert {data.train.scores.min(), data.train.scores.max()} <= {0.0, 1.0}


def test_all_splits_are_mapped_from_one_range(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [0, 5, 3])
    write(tmp_path / "dev.csv", [0, 1, 0.5])
    write(tmp_path / "test.csv", [0, 1, 0.5])
    data = load_data(str(tmp_path))
    assert data.score_range == (0, 5)
    assert data.dev.scores is not None
    assert data.dev.scores.tolist() == pytest.approx([0, 0.2, 0.1])
    alone = load_split(str(tmp_path), "test").scores
    assert alone is not None
    assert alone.tolist() == pytest.approx([0, 0.2, 0.1])


def test_a_range_is_refused_where_a_score_lies_outside(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write(path, [0, 5, 3])
    with pytest.raises(DataError, match=r"pairs\.csv:3: the score 5 is outside 0\.\.4"):
        load_data(str(path), score_range=(0, 4))
