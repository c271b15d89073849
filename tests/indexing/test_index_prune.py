"""Files that have left their folder leave the index with `add --prune`, and not without."""

from __future__ import annotations

import pytest
from index_support import SMALL, contents, done, write_guides
from question_folders import write_questions

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.indexing.building import JOB_FILE, add, build
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import index_status


@pytest.fixture
def corpus(tmp_path):
    return write_guides(tmp_path / "corpus")


@pytest.fixture
def index(corpus, tmp_path):
    done(build(str(corpus), "base", tmp_path / "index", blocks=SMALL))
    return tmp_path / "index"


def files(index):
    return sorted(each.name for each in index_status(index).documents)


def test_gone_files_are_dropped_and_come_back(corpus, index):
    text = (corpus / "guides/leave.md").read_text()
    (corpus / "guides/leave.md").unlink()
    (corpus / "empty.txt").unlink()
    kept = done(add(index, str(corpus), blocks=SMALL))
    assert (kept.removed, kept.unchanged) == (0, 2)
    assert "guides/leave.md" in files(index)
    dropped = done(add(index, str(corpus), prune=True, blocks=SMALL))
    assert (dropped.removed, dropped.unchanged, dropped.added) == (2, 2, 0)
    assert files(index) == ["guides/travel.md", "rules/gifts.txt"]
    with OpenIndex(index) as opened:
        assert len(opened) == index_status(index).live_passages == 2
    before = contents(index)
    assert done(add(index, str(corpus), prune=True, blocks=SMALL)).removed == 0
    assert contents(index) == before
    (corpus / "guides/leave.md").write_text(text)
    back = done(add(index, str(corpus), prune=True, blocks=SMALL))
    assert (back.added, back.replaced, back.removed) == (1, 0, 0)
    assert files(index) == ["guides/leave.md", "guides/travel.md", "rules/gifts.txt"]


def test_other_folders_stay_and_a_missing_folder_drops_nothing(corpus, index, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("A zebra crosses the river.\n")
    assert done(add(index, str(other), prune=True, blocks=SMALL)).removed == 0
    assert len(files(index)) == 4
    before = contents(index)
    (other / "notes.txt").unlink()
    for folder, error in ((other, DataError), (tmp_path / "none", DataError),
                          (corpus / "rules/gifts.txt", ConfigError)):  # fmt: skip
        with pytest.raises(error):
            done(add(index, str(folder), prune=True, blocks=SMALL))
        assert contents(index) == before
        assert not (index / JOB_FILE).exists()


def test_nothing_is_dropped_before_the_addition_is_complete(corpus, index):
    (corpus / "guides/leave.md").unlink()
    (corpus / "new.md").write_text("# Parking\n\nCars are parked behind the hall.\n")
    work = add(index, str(corpus), prune=True, blocks=SMALL)
    for state in work:
        if state.stage == "embedding":
            break
    work.close()  # as a kill, when the store knows already what is gone
    assert "guides/leave.md" in files(index)
    with OpenIndex(index) as opened:
        assert len(opened) == 4
    before = files(index)
    done(add(index, str(corpus), blocks=SMALL))  # another order: the first is undone
    assert files(index) == [*before[:2], "new.md", before[2]]


def test_the_questions_of_a_folder_go_with_its_files(corpus, tmp_path):
    folder = write_questions(tmp_path / "q")
    index = tmp_path / "ix"
    done(build(str(folder), "base", index, blocks=SMALL))
    with OpenIndex(index) as opened:
        assert len(opened.questions()) == 44
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / name).unlink()
    (folder / "note.md").write_text("# Parking\n\nCars are parked behind the hall.\n")
    for name in ("train", "dev", "test"):
        (folder / "qrels" / f"{name}.tsv").unlink()
    done(add(index, str(folder), prune=True, blocks=SMALL))
    assert files(index) == ["note.md"]
    with OpenIndex(index) as opened:
        assert opened.questions() is None
