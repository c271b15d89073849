"""Vectors on disk: exact search in each dtype, and rows of a killed writer."""

from __future__ import annotations

import stat

import numpy as np
import pytest
import torch

from nexus_engine.errors import DataError
from nexus_engine.indexing.vector_file import Codec, VectorFile, VectorWriter, nearest_rows

ROWS, DIMS = 5000, 44


@pytest.fixture(scope="module")
def unit():
    numbers = torch.randn(ROWS, DIMS, generator=torch.Generator().manual_seed(4))
    return torch.nn.functional.normalize(numbers, dim=1)


def written(path, unit, dtype):
    codec = Codec(DIMS, dtype).fitted(unit[:64])
    with VectorWriter(path, codec, 0) as writer:
        writer.append(codec.encode(unit[:3000]))
        writer.append(codec.encode(unit[3000:]))
    assert path.stat().st_size == ROWS * codec.row_bytes
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return codec


@pytest.mark.parametrize(("dtype", "error"), [("f32", 1e-6), ("f16", 1e-3), ("int8", 0.02)])
def test_scores_are_cosines(tmp_path, unit, dtype, error):
    codec = written(tmp_path / "v", unit, dtype)
    file = VectorFile(tmp_path / "v", codec, ROWS)
    scores = file.scores(unit[17])
    assert torch.allclose(scores, unit @ unit[17], atol=error)
    assert nearest_rows(scores, 1).tolist() == [17]
    rows = np.array([3, 4000])
    assert torch.allclose(file.vectors(rows), unit[torch.from_numpy(rows)], atol=error)


def test_signs_score_by_the_product_with_plus_and_minus_one(tmp_path, unit):
    codec = written(tmp_path / "v", unit, "binary")
    assert codec.row_bytes == 6  # 44 bits
    scores = VectorFile(tmp_path / "v", codec, ROWS).scores(unit[17])
    signs = torch.where(unit > 0, 1.0, -1.0) / DIMS**0.5
    assert torch.allclose(scores, signs @ unit[17], atol=1e-5)


def test_int8_agrees_with_and_without_the_product_of_integers(tmp_path, unit, monkeypatch):
    codec = written(tmp_path / "v", unit, "int8")
    file = VectorFile(tmp_path / "v", codec, ROWS)
    by_integers = file.scores(unit[5]).clone()
    monkeypatch.delattr(torch, "_int_mm")
    assert torch.equal(file.scores(unit[5]), by_integers)


@pytest.mark.parametrize("count", [1, 3, 100, 4999, 5000, 9999])
def test_nearest_rows_are_those_of_a_full_sort(unit, count):
    scores = (unit @ unit[17] * 50).round()  # many equal ones
    scores[::3] = float("-inf")
    finite = int(torch.isfinite(scores).sum())
    expected = torch.argsort(scores, descending=True, stable=True)[: min(count, finite)]
    assert nearest_rows(scores, count).tolist() == expected.tolist()
    assert nearest_rows(scores[:0], count).tolist() == []


def test_a_writer_drops_rows_that_were_not_recorded(tmp_path, unit):
    codec = written(tmp_path / "v", unit, "int8")
    with (tmp_path / "v").open("ab") as file:
        file.write(b"torn")
    with VectorWriter(tmp_path / "v", codec, 10) as writer:
        writer.append(codec.encode(unit[10:12]))
    content = (tmp_path / "v").read_bytes()
    assert content == codec.encode(unit[:12])


def test_a_short_file_is_refused(tmp_path, unit):
    codec = written(tmp_path / "v", unit, "int8")
    with pytest.raises(DataError, match="fewer vectors"):
        VectorFile(tmp_path / "v", codec, ROWS + 1)
    with pytest.raises(DataError, match="fewer vectors"):
        VectorWriter(tmp_path / "v", codec, ROWS + 1)
    with pytest.raises(DataError, match="build the index again"):
        VectorFile(tmp_path / "none", codec, 1)
