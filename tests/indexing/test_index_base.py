"""Vectors by the base model beside those of an index's own model."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from index_support import SMALL, as_first_format, contents, done, write_lines
from saved_models import save_grown_model

from nexus_engine.errors import ConfigError, ModelError
from nexus_engine.indexing.building import add, build
from nexus_engine.indexing.comparing import compare_in_index, index_sides
from nexus_engine.indexing.index_model import embedder_of
from nexus_engine.indexing.refreshing import refresh
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import index_status
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.querying import Querier

QUERY = "a man is playing a guitar"
TEXTS = 40


@pytest.fixture
def index(tmp_path, base_model):
    """By a tuned model, with vectors by the base model."""
    save_grown_model(tmp_path / "run", 1, 0.3, base_model)
    lines = write_lines(tmp_path / "lines.txt", TEXTS)
    run = str(tmp_path / "run")
    done(build(str(lines), run, tmp_path / "index", with_base=True, blocks=SMALL))
    return tmp_path / "index"


def stored(index, side):
    card = json.loads((index / "index.json").read_text())
    name = card["vectors"] if side == "tuned" else card["base"]["vectors"]
    rows = np.frombuffer((index / name).read_bytes(), np.int8).reshape(-1, 48)
    return torch.from_numpy(rows.astype(np.float32))


def nearest_cosine(vectors, texts, model):
    own = torch.nn.functional.normalize(embedder_of(load_model(model)).embed(texts)[:, :48], dim=1)
    return float(torch.nn.functional.cosine_similarity(own, vectors).min())


def test_each_side_stands_by_its_model_and_an_addition_keeps_both(index, tmp_path):
    texts = (tmp_path / "lines.txt").read_text().splitlines()
    (tmp_path / "more.txt").write_text("A zebra crosses the river.\nIt rains in the hills.\n")
    done(add(index, str(tmp_path / "more.txt"), blocks=SMALL))
    texts += (tmp_path / "more.txt").read_text().splitlines()
    run = str(tmp_path / "run")
    assert nearest_cosine(stored(index, "tuned"), texts, run) > 0.995
    assert nearest_cosine(stored(index, "base"), texts, "base") > 0.995
    assert nearest_cosine(stored(index, "base"), texts, run) < 0.99
    status = index_status(index)
    assert status.vector_bytes == 2 * 48 * (TEXTS + 2)
    assert {path.name for path in index.iterdir()} == {
        "index.json", "lock", "texts.db", "vectors-0001", "base-0001", status.card.model.folder,
    }  # fmt: skip


def test_a_refresh_brings_what_a_build_would_have_made_keeps_it_and_drops_it(
    index, tmp_path, base_model
):
    run = str(tmp_path / "run")
    done(build(str(tmp_path / "lines.txt"), run, tmp_path / "later", blocks=SMALL))
    assert index_status(tmp_path / "later").card.base is None
    states = list(refresh(tmp_path / "later", with_base=True, blocks=SMALL))
    assert {state.stage for state in states} == {"embedding by base"}
    assert contents(tmp_path / "later") == contents(index)
    assert list(refresh(index, with_base=True, blocks=SMALL)) == []
    shutil.rmtree(tmp_path / "run")
    save_grown_model(tmp_path / "run", 2, 0.8, base_model)
    before = stored(index, "base")
    states = list(refresh(index, blocks=SMALL))
    assert {state.stage for state in states} == {"embedding"}
    assert torch.equal(stored(index, "base"), before)
    done(refresh(index, with_base=False, blocks=SMALL))
    assert index_status(index).card.base is None
    assert not (index / "base-0001").exists()


def test_the_copy_in_the_index_is_enough_where_the_run_is_gone(index, tmp_path):
    before = stored(index, "base")
    done(refresh(index, with_base=False))
    shutil.rmtree(tmp_path / "run")
    done(refresh(index, with_base=True, blocks=SMALL))
    assert torch.equal(stored(index, "base"), before)


def test_the_base_model_itself_has_no_second_side(index, tmp_path):
    lines = str(tmp_path / "lines.txt")
    with pytest.raises(ConfigError, match="by the base model already"):
        done(build(lines, "base", tmp_path / "b", with_base=True))
    assert not list(tmp_path.glob(".b*"))
    with pytest.raises(ConfigError, match="by the base model already"):
        done(refresh(index, "base", with_base=True))
    done(refresh(index, "base", blocks=SMALL))
    assert index_status(index).card.base is None


def test_an_unfinished_addition_begins_its_base_part_anew_after_that_was_replaced(index, tmp_path):
    lines = write_lines(tmp_path / "more.txt", 90)
    work = add(index, str(lines), blocks=SMALL)
    for state in work:
        if state.stage == "embedding by base" and state.done > TEXTS:
            break
    work.close()  # as a kill
    done(refresh(index, with_base=False))
    done(refresh(index, with_base=True, blocks=SMALL))
    done(add(index, str(lines), blocks=SMALL))
    assert len(stored(index, "base")) == len(stored(index, "tuned")) == TEXTS + 90


def test_models_that_the_index_has_no_vectors_by_are_refused(index, tmp_path, base_model):
    save_grown_model(tmp_path / "other", 1, 0.8, base_model)
    done(build(str(tmp_path / "lines.txt"), "base", tmp_path / "b", blocks=SMALL))
    done(build(str(tmp_path / "lines.txt"), str(tmp_path / "run"), tmp_path / "t", blocks=SMALL))
    tuned = Querier().models(tmp_path / "run")
    other = Querier().models(tmp_path / "other")
    alone = Querier().models(None)
    with OpenIndex(index) as both, OpenIndex(tmp_path / "b") as b, OpenIndex(tmp_path / "t") as t:
        assert [side is not None for side in index_sides(both, tuned, "run")] == [True, True]
        assert [side is not None for side in index_sides(both, alone, "base")] == [True, False]
        assert [side is not None for side in index_sides(t, tuned, "run")] == [False, True]
        assert [side is not None for side in index_sides(b, alone, "base")] == [True, False]
        for opened, models, name in (
            (both, other, "other"), (b, tuned, "run"), (t, alone, "base"), (t, other, "other"),
        ):  # fmt: skip
            command = f"nexus index refresh {opened.folder} --model {name}"
            with pytest.raises(ModelError, match=command):
                index_sides(opened, models, name)
        one_side = compare_in_index(t, index_sides(t, tuned, "run"), QUERY, 5)
        assert one_side.by_base == []
        assert [match.rank for match in one_side.by_tuned] == [1, 2, 3, 4, 5]
        assert one_side.by_tuned[0].base is one_side.by_tuned[0].rise is None


def test_an_index_of_the_first_format_opens_refreshes_and_grows(tmp_path, base_model):
    save_grown_model(tmp_path / "run", 1, 0.3, base_model)
    lines, run = write_lines(tmp_path / "lines.txt", TEXTS), str(tmp_path / "run")
    index = tmp_path / "index"
    done(build(str(lines), run, index, blocks=SMALL))
    new = contents(index)
    as_first_format(index)
    with OpenIndex(index) as opened:
        assert index_sides(opened, Querier().models(tmp_path / "run"), "run").tuned is not None
        assert opened.questions() is None
    assert index_status(index).is_latest is True
    assert list(refresh(index)) == []
    (tmp_path / "more.txt").write_text("A zebra crosses the river.\n")
    done(add(index, str(tmp_path / "more.txt"), blocks=SMALL))
    done(refresh(index, with_base=True, blocks=SMALL))
    after = contents(index)
    assert after["card"]["model"] == new["card"]["model"]
    assert after["vectors"].startswith(new["vectors"])
    assert len(after["base"]) == len(after["vectors"])
