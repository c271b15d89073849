"""An index after its run has trained on: copies, refusals, refresh and its kill."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from index_support import SMALL, contents, write_lines
from saved_models import save_grown_model

from nexus_engine.errors import DataError
from nexus_engine.indexing.building import add, build
from nexus_engine.indexing.index_model import embedder_of, load_copy
from nexus_engine.indexing.refreshing import refresh
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import cosine_to_latest, index_status
from nexus_engine.runs.saved_model import load_model

QUERY = "a man is playing a guitar"


@pytest.fixture
def index(tmp_path, base_model):
    save_grown_model(tmp_path / "run", 1, 0.3, base_model)
    lines = write_lines(tmp_path / "lines.txt", 60)
    for _ in build(str(lines), str(tmp_path / "run"), tmp_path / "index", blocks=SMALL):
        pass
    return tmp_path / "index"


def retrain(index, base_model):
    shutil.rmtree(index.parent / "run")
    save_grown_model(index.parent / "run", 2, 0.8, base_model)


def answer(index):
    with OpenIndex(index) as opened:
        embedder = embedder_of(load_copy(index, opened.card.model))
        hits = opened.search(embedder.embed([QUERY])[0], QUERY, 5, hybrid=False)
    return [(hit.text, hit.cosine) for hit in hits]


def stored_vectors(index):
    card = json.loads((index / "index.json").read_text())
    rows = np.frombuffer((index / card["vectors"]).read_bytes(), np.int8).reshape(60, 48)
    return torch.from_numpy(rows.astype(np.float32))


def test_the_copy_answers_whatever_happens_to_the_run(index, base_model):
    before = answer(index)
    status = index_status(index)
    assert status.is_latest is True
    assert 0 < status.card.cosine_to_base < 0.999
    assert status.model_bytes > 0
    retrain(index, base_model)
    assert answer(index) == before
    status = index_status(index)
    assert status.is_latest is False
    assert -1 <= cosine_to_latest(index, status) < 0.999
    shutil.rmtree(index.parent / "run")
    assert answer(index) == before
    assert index_status(index).is_latest is None


def test_a_refresh_makes_the_vectors_of_a_new_build(index, base_model, tmp_path):
    retrain(index, base_model)
    old = {path.name for path in index.iterdir()}
    for _ in refresh(index, blocks=SMALL):
        assert set(old) <= {path.name for path in index.iterdir()}
    for _ in build(
        str(tmp_path / "lines.txt"), str(tmp_path / "run"), tmp_path / "b", blocks=SMALL
    ):
        pass
    assert torch.equal(stored_vectors(index), stored_vectors(tmp_path / "b"))
    assert answer(index) == answer(tmp_path / "b")
    assert index_status(index).is_latest is True
    assert {path.name for path in index.iterdir()} == {
        "index.json", "lock", "texts.db", "vectors-0002", index_status(index).card.model.folder,
    }  # fmt: skip
    assert list(refresh(index, blocks=SMALL)) == []


def test_vectors_stand_by_the_model_that_the_index_names(index):
    texts = (index.parent / "lines.txt").read_text().splitlines()
    embedder = embedder_of(load_model(str(index.parent / "run")))
    own = torch.nn.functional.normalize(embedder.embed(texts)[:, :48], dim=1)
    cosines = torch.nn.functional.cosine_similarity(own, stored_vectors(index))
    assert cosines.min() > 0.995


def test_the_old_index_answers_while_a_refresh_stands_and_the_refresh_goes_on(index, base_model):
    before = answer(index)
    retrain(index, base_model)
    work = refresh(index, blocks=SMALL)
    for state in work:
        if state.done > 20:
            break
    work.close()  # as a kill: the record and the vectors so far stay
    assert answer(index) == before
    assert index_status(index).unfinished_refresh.rows == 32
    first = next(refresh(index, blocks=SMALL))
    assert (first.done, first.total) == (32, 60)
    # An open search keeps the old vectors.
    with OpenIndex(index) as opened:
        for _ in refresh(index, blocks=SMALL):
            pass
        assert opened.card.model.fingerprint != index_status(index).card.model.fingerprint
        embedder = embedder_of(load_model("base"))
        assert len(opened.search(embedder.embed([QUERY])[0], QUERY, 5)) == 5
    assert answer(index) != before


def test_a_refresh_to_another_model_begins_anew(index, base_model):
    retrain(index, base_model)
    work = refresh(index, blocks=SMALL)
    for state in work:
        if state.done > 20:
            break
    work.close()
    states = list(refresh(index, "base", blocks=SMALL))
    assert states[0].done == 0
    assert index_status(index).card.model.source == "base"
    assert not [path for path in index.iterdir() if path.name.startswith("model-")]


def test_an_addition_and_a_refresh_do_not_lose_each_other(index, base_model):
    retrain(index, base_model)
    work = refresh(index, blocks=SMALL)
    for state in work:
        if state.done > 20:
            break
    work.close()
    other = index.parent / "other.txt"
    other.write_text("A zebra crosses the river.\n")
    for _ in add(index, str(other), blocks=SMALL):
        pass
    first, *_ = states = list(refresh(index, blocks=SMALL))
    assert (first.done, first.total) == (32, 61)
    assert states[-1].done == 61
    assert index_status(index).card.passages == 61
    assert len(contents(index)["vectors"]) == 61 * 48


def test_a_damaged_card_is_a_refusal(index):
    (index / "index.json").unlink()
    with pytest.raises(DataError, match="no index there"):
        next(refresh(index))
