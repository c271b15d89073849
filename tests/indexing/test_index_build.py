"""Build, add and search on the real base model."""

from __future__ import annotations

import os
import stat

import pytest
from index_support import SMALL, contents, write_guides, write_lines

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.indexing import building
from nexus_engine.indexing.building import add, build, building_folder
from nexus_engine.indexing.filters import Filter
from nexus_engine.indexing.index_model import embedder_of, load_copy
from nexus_engine.indexing.intake import Intake
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import index_status


def built(corpus, out, **settings):
    for _ in build(str(corpus), "base", out, blocks=SMALL, **settings):
        pass
    return out


def added(index, corpus):
    *_, intake = add(index, str(corpus), blocks=SMALL)
    assert isinstance(intake, Intake)
    return intake


def hits(index, query, top=10, *, hybrid=True, **within):
    with OpenIndex(index) as opened:
        embedder = embedder_of(load_copy(index, opened.card.model))
        vector = embedder.embed([query])[0]
        return opened.search(vector, query, top, hybrid=hybrid, within=Filter(**within))


@pytest.fixture
def guides(tmp_path):
    return built(write_guides(tmp_path / "corpus"), tmp_path / "index")


def test_hits_know_their_file_place_and_heading(guides, tmp_path):
    first = hits(guides, "how long may parents stay at home?")[0]
    assert first.text == "Leave\nParental leave lasts for forty days."
    assert (first.file, first.heading) == ("guides/leave.md", "Leave")
    assert first.folder == str(tmp_path / "corpus")
    text = (tmp_path / "corpus/guides/leave.md").read_text()
    assert text[first.start :].startswith("Parental leave")
    assert first.vector_rank == 1
    assert len(hits(guides, "x", 2)) == 2


def test_files_and_folders_filter(guides, tmp_path):
    def names(**options):
        return {hit.file for hit in hits(guides, "trains and gifts", **options)}

    assert names() == {"guides/leave.md", "guides/travel.md", "rules/gifts.txt"}
    assert names(file="*.txt") == {"rules/gifts.txt"}
    assert names(file="guides/t*") == {"guides/travel.md"}
    assert names(folder="guides") == {"guides/leave.md", "guides/travel.md"}
    assert names(folder=str(tmp_path / "corpus")) == names(folder="corpus") == names()
    assert names(file="*.md", folder="guides", hybrid=False) == names(folder="guides")
    with pytest.raises(DataError, match="no file of the index fits"):
        names(file="*.pdf")


@pytest.mark.parametrize(
    "query",
    ['"', "AND", "a* NEAR(b, 3)", "text:x", "(((", "''; DROP TABLE passages", "-", "{a b}^2",
     "\ud800", "日本語", "a" * 5000, "\0"],
)  # fmt: skip
def test_any_text_is_a_query(guides, query):
    assert len(hits(guides, query, hybrid=True)) == 4


def test_words_find_what_vectors_do_not_rank_first(tmp_path):
    lines = write_lines(tmp_path / "lines.txt", 60)
    with lines.open("a") as file:
        file.write("Error code QX7731 was reported by the second pump.\n")
    index = built(lines, tmp_path / "index")
    found = hits(index, "qx7731", 1, hybrid=True)[0]
    assert "QX7731" in found.text
    assert found.word_rank == 1
    assert found.start == 61


def test_an_index_is_private_and_keeps_no_leftovers(guides):
    assert stat.S_IMODE(guides.stat().st_mode) == 0o700
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in guides.iterdir()}
    assert names == dict.fromkeys(("index.json", "lock", "texts.db", "vectors-0001"), 0o600)
    assert not building_folder(guides).exists()


def test_add_leaves_what_is_there_and_replaces_what_changed(guides, tmp_path):
    corpus = tmp_path / "corpus"
    before = contents(guides)
    assert added(guides, corpus) == Intake(unchanged=4)
    assert contents(guides) == before
    (corpus / "guides/travel.md").write_text("# Travel\n\nPlanes are preferred to trains.\n")
    (corpus / "new.md").write_text("# Parking\n\nCars are parked behind the hall.\n")
    assert added(guides, corpus) == Intake(passages=2, added=2, replaced=1, unchanged=3)
    texts = {hit.text for hit in hits(guides, "travel by train")}
    assert "Travel\nPlanes are preferred to trains." in texts
    assert "Travel\nTrains are preferred to planes." not in texts
    assert "Parking\nCars are parked behind the hall." in texts
    among = {hit.text for hit in hits(guides, "travel by train", file="travel.md")}
    assert among == {"Travel\nPlanes are preferred to trains."}
    status = index_status(guides)
    assert status.live_passages == 5
    assert sorted(each.name for each in status.documents) == [
        "guides/leave.md", "guides/travel.md", "new.md", "rules/gifts.txt",
    ]  # fmt: skip


def test_an_addition_equals_a_build_of_both(tmp_path):
    lines = write_lines(tmp_path / "lines.txt", 40)
    guides = write_guides(tmp_path / "corpus")
    index = built(guides, tmp_path / "index")
    added(index, lines)
    query = "a man is playing a guitar"
    alone = built(lines, tmp_path / "alone")
    both = {hit.text: hit.cosine for hit in hits(index, query, 60, hybrid=False)}
    for hit in hits(alone, query, 60, hybrid=False):
        assert both[hit.text] == pytest.approx(hit.cosine, abs=0.02)
    assert len(both) == 44


def test_an_unfinished_addition_is_not_seen_and_is_undone_by_another(guides, tmp_path):
    before = contents(guides)
    lines = write_lines(tmp_path / "lines.txt", 40)
    work = add(guides, str(lines), blocks=SMALL)
    for state in work:
        if state.stage == "embedding" and state.done > 20:
            break
    work.close()
    assert (guides / building.JOB_FILE).exists()
    assert len(hits(guides, "a man plays")) == 4
    other = tmp_path / "other.txt"
    other.write_text("A zebra crosses the river.\n")
    assert added(guides, other).passages == 1
    assert [hit.text for hit in hits(guides, "zebra", 1)] == ["A zebra crosses the river."]
    assert len(hits(guides, "a man plays", 50)) == 5
    after = contents(guides)
    assert after["passages"][:-1] == before["passages"]
    assert after["vectors"].startswith(before["vectors"])


def test_a_file_that_changes_twice_around_a_kill_is_replaced_once(guides, tmp_path):
    corpus = tmp_path / "corpus"
    leave = corpus / "guides/leave.md"
    for text in ("a b", "c d"):
        leave.write_text("\n\n".join(f"# {text} {i}\n\nWords {text} {i}." for i in range(30)))
        work = add(guides, str(corpus), blocks=SMALL)
        next(work)  # a commit inside the document
        work.close()
    (corpus / "zz.txt").write_text("")
    intake = added(guides, corpus)
    assert (intake.added, intake.unchanged) == (2, 3)
    status = index_status(guides)
    assert status.live_passages == sum(each.passages for each in status.documents) == 32
    before = contents(guides)
    (tmp_path / "other.txt").write_text("A zebra crosses the river.\n")
    work = add(guides, str(tmp_path / "other.txt"), blocks=SMALL)
    next(work)
    work.close()
    assert added(guides, corpus) == Intake(unchanged=5)  # an empty last file stays known
    assert contents(guides) == before


def test_a_build_that_ends_while_it_reads_goes_on_within_the_file(tmp_path):
    lines = write_lines(tmp_path / "lines.txt", 40)
    work = build(str(lines), "base", tmp_path / "index", blocks=SMALL)
    next(work)
    work.close()  # as a kill: what was committed stays
    assert contents(built(lines, tmp_path / "index")) == contents(built(lines, tmp_path / "b"))


def test_equal_texts_are_shown_once(tmp_path):
    (tmp_path / "lines.txt").write_text("Water boils.\nIce melts.\nWater boils.\n")
    index = built(tmp_path / "lines.txt", tmp_path / "index")
    assert [hit.text for hit in hits(index, "water")] == ["Water boils.", "Ice melts."]


def test_a_line_is_known_by_its_number(tmp_path):
    (tmp_path / "lines.txt").write_text("Water boils.\n\nIce melts.\nSteam rises.\n")
    index = built(tmp_path / "lines.txt", tmp_path / "index")
    starts = {hit.text: hit.start for hit in hits(index, "water")}
    assert starts == {"Water boils.": 1, "Ice melts.": 3, "Steam rises.": 4}


@pytest.mark.parametrize("dtype", ["f32", "f16", "int8", "binary"])
def test_each_dtype_finds_a_passage_by_its_own_text(tmp_path, dtype):
    lines = write_lines(tmp_path / "lines.txt", 50)
    index = built(lines, tmp_path / "index", dims=64, dtype=dtype)
    for text in lines.read_text().splitlines()[::10]:
        first = hits(index, text, 1, hybrid=False)[0]
        assert first.text == text
        assert first.cosine > (0.6 if dtype == "binary" else 0.98)


def test_bad_input_leaves_nothing(tmp_path):
    out = tmp_path / "index"
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "bad.txt").write_bytes(b"good line\n\0kanarienvogel\n")
    for corpus, reason in (("none", "does not exist"), ("empty.txt", "no passage"),
                           ("bad.txt", "NUL")):  # fmt: skip
        with pytest.raises(DataError, match=reason) as refusal:
            built(tmp_path / corpus, out)
        assert "kanarienvogel" not in str(refusal.value)
        assert not out.exists()
        assert not building_folder(out).exists()
    with pytest.raises(ConfigError, match="--dims 400"):
        built(write_guides(tmp_path / "corpus"), out, dims=400)
    built(tmp_path / "corpus", out)
    with pytest.raises(ConfigError, match="exists; add to an index"):
        built(tmp_path / "corpus", out)
    before = contents(out)
    with pytest.raises(DataError, match="NUL"):
        added(out, tmp_path / "bad.txt")
    assert contents(out) == before


def test_damage_is_a_refusal(guides):
    os.truncate(guides / "vectors-0001", 50)
    with pytest.raises(DataError, match="fewer vectors"):
        OpenIndex(guides)
    (guides / "index.json").write_text('{"format": 1, "vectors": "../x"}')
    with pytest.raises(DataError, match="damaged"):
        OpenIndex(guides)
    (guides / "index.json").write_text('{"format": 3}')
    with pytest.raises(DataError, match="later version"):
        OpenIndex(guides)
