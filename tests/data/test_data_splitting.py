"""A cut leaks no sentence, loses no pair needlessly, and is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_cases import delimited_text, pair_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus_engine.data import PairData, Pairs, load_data, load_split
from nexus_engine.data.sentence_ids import NumberedPairs
from nexus_engine.data.splitting import cut_splits
from nexus_engine.errors import DataError


def normalised(pairs: Pairs) -> set[str]:
    return {" ".join(s.casefold().split()) for batch in pairs.sentences() for s in batch}


def splits(data: PairData) -> list[Pairs]:
    return [data.train, data.dev, data.test]


def assert_no_leak(data: PairData) -> None:
    train, dev, test = map(normalised, splits(data))
    assert not train & dev
    assert not train & test
    assert not dev & test


def write(path: Path, pairs: list[tuple[str, str]]) -> None:
    rows = [(first, second, i % 6) for i, (first, second) in enumerate(pairs)]
    path.write_text(delimited_text(rows))


pair_lists = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=30, max_size=400
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(links=pair_lists, seed=st.integers(0, 2**64), count=st.sampled_from([1, 2]))
def test_no_sentence_is_cut_into_two_splits(
    links: list[tuple[int, int]], seed: int, count: int
) -> None:
    first, second = np.array(links).T
    pairs = NumberedPairs(first, second, 401)
    barred = np.zeros(401, np.bool_)
    barred[:5] = True

    def usable(split: np.ndarray) -> bool:
        return all((split == number).sum() >= 2 for number in range(count + 1))

    cut = cut_splits(pairs, count=count, seed=seed, usable=usable, barred=barred)
    if cut is None:
        return
    sentences = {}
    for number in range(count + 1):
        rows = cut.split == number
        sentences[number] = set(first[rows]) | set(second[rows])
        assert rows.sum() >= 2
    for number, own in sentences.items():
        assert not any(own & sentences[other] for other in sentences if other != number)
        assert number == 0 or not own & set(range(5))
    again = cut_splits(pairs, count=count, seed=seed, usable=usable, barred=barred)
    assert again is not None
    assert (again.split == cut.split).all()


@settings(max_examples=15, deadline=None)
@given(
    links=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 150)), min_size=60, max_size=150),
    seed=st.integers(0, 1000),
)
def test_no_sentence_of_a_file_stands_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, int]], seed: int
) -> None:
    # Case and spaces vary, which must not hide that sentences are equal.
    path = tmp_path_factory.mktemp("cut") / "pairs.csv"
    forms = ("Satz {}", "SATZ  {}", " satz\t{} ", "satz\u00a0{}")
    write(path, [(forms[a % 4].format(a), forms[(a + b) % 4].format(b)) for a, b in links])
    try:
        data = load_data(str(path), seed=seed)
    except DataError as refusal:
        if "share no sentence" not in str(refusal):
            raise
        return
    assert_no_leak(data)
    dropped = len(links) - sum(map(len, splits(data)))
    notes = [note for note in data.notes if "dropped" in note]
    assert bool(notes) is (dropped > 0)
    assert not dropped or f"{dropped} pair" in notes[0]


def test_pairs_that_share_nothing_are_cut_into_tenths(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows(1000)))
    data = load_data(str(path))
    assert [len(split) for split in splits(data)] == [800, 100, 100]
    assert_no_leak(data)
    assert any("800 train, 100 dev, 100 test" in note for note in data.notes)


def test_a_cut_depends_on_the_seed_and_on_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows(200)))
    (tmp_path / "pairs.tsv").write_text(delimited_text(pair_rows(200), "\t"))
    fingerprints = [load_data(str(path), seed=seed).fingerprint for seed in (0, 1, 0)]
    assert fingerprints[0] == fingerprints[2] != fingerprints[1]
    assert load_data(str(tmp_path / "pairs.tsv")).fingerprint == fingerprints[0]


def test_this_cut_is_the_same_in_every_version(tmp_path: Path) -> None:
    # Runs are compared and resumed across versions: a change here needs a new fingerprint version.
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows(50)))
    data = load_data(str(path), seed=7)
    assert [int(s.split()[1]) for s in data.dev.first.to_pylist()] == [2, 12, 20, 32, 35]
    assert data.fingerprint == ("35bd500ec41ad50320015e0363aa13daf4a497b6663a1805abf38a65b975c12b")


def test_a_chain_loses_few_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write(path, [(f"s{i}", f"s{i + 1}") for i in range(1000)])
    data = load_data(str(path))
    assert_no_leak(data)
    assert sum(map(len, splits(data))) >= 980
    assert len(data.dev) >= 80
    assert len(data.test) >= 80


def test_every_sentence_with_every_other_can_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write(path, [(f"s{a}", f"s{b}") for a in range(60) for b in range(a)])
    data = load_data(str(path))
    assert_no_leak(data)
    assert min(map(len, splits(data))) >= 5


def test_small_components_stay_whole_beside_a_giant(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    giant = [(f"g{i}", f"g{i + 1}") for i in range(970)]
    write(path, giant + [(f"x{i}", f"y{i}") for i in range(30)])
    data = load_data(str(path))
    assert_no_leak(data)
    sentences = set().union(*map(normalised, splits(data)))
    assert {f"x{i}" for i in range(30)} <= sentences


def test_a_sentence_in_every_pair_cannot_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write(path, [("everywhere", f"s{i}") for i in range(100)])
    with pytest.raises(DataError, match="share no sentence with train; give more pairs, or a fold"):
        load_data(str(path))
    assert len(load_split(str(path), "all")) == 100


def test_256_equal_pairs_hold_together(tmp_path: Path) -> None:
    # In 8 bits, 256 links sum to 0, and must still count as a link.
    path = tmp_path / "pairs.csv"
    loose = [(f"x{i}", f"y{i}") for i in range(3000)]
    write(path, [("a", "b")] * 256 + [("b", "c"), ("a", "d")] + loose)
    for seed in range(4):
        assert_no_leak(load_data(str(path), seed=seed))


def test_a_small_file_gets_splits_that_can_be_measured(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    rows = [(a, b, float(i % 2)) for i, (a, b, _) in enumerate(pair_rows(12))]
    path.write_text(delimited_text(rows))
    for seed in range(20):
        data = load_data(str(path), seed=seed)
        assert sum(map(len, splits(data))) == 12
        for split in splits(data):
            assert split.scores is not None
            assert len(np.unique(split.scores)) == 2


def folder_with(tmp_path: Path, **files: list[tuple[str, str]]) -> str:
    for name, pairs in files.items():
        write(tmp_path / f"{name}.csv", pairs)
    return str(tmp_path)


LOOSE = [(f"x{i}", f"y{i}") for i in range(100)]


def test_train_alone_is_cut(tmp_path: Path) -> None:
    data = load_data(folder_with(tmp_path, train=LOOSE))
    assert [len(split) for split in splits(data)] == [80, 10, 10]
    assert_no_leak(data)


@pytest.mark.parametrize(("given_split", "cut_split"), [("dev", "test"), ("test", "dev")])
def test_a_split_cut_beside_a_given_one_shares_nothing_with_either(
    tmp_path: Path, given_split: str, cut_split: str
) -> None:
    held_out = [(f"x{i}", f"z{i}") for i in range(0, 100, 2)]
    folder = folder_with(tmp_path, train=LOOSE, **{given_split: held_out})
    for seed in range(5):
        data = load_data(folder, seed=seed)
        by_name = {"train": data.train, "dev": data.dev, "test": data.test}
        cut = normalised(by_name[cut_split])
        assert len(by_name["train"]) == 90
        assert len(by_name[given_split]) == 50
        assert not cut & normalised(by_name["train"])
        assert not cut & normalised(by_name[given_split])
        assert any(
            f"{given_split}: 50 of its 100 sentences also occur in train" in n for n in data.notes
        )
        assert load_split(folder, cut_split, seed=seed).first == by_name[cut_split].first  # type: ignore[arg-type]


def test_sentences_shared_by_given_splits_are_counted(tmp_path: Path) -> None:
    test = [("X1 ", "new"), ("x2", "x3"), ("other", "more")]
    data = load_data(folder_with(tmp_path, train=LOOSE, dev=LOOSE[:2], test=test))
    assert "dev: 4 of its 4 sentences also occur in train" in data.notes
    assert "test: 3 of its 6 sentences also occur in train" in data.notes


def test_the_same_pair_with_two_scores_is_kept_and_counted(tmp_path: Path) -> None:
    rows = pair_rows(40)
    for extra in ((*rows[0][:2], 4.0), (rows[1][1].upper(), rows[1][0], 4.0), rows[2]):
        rows.append(extra)
    rows += [(*rows[0][:2], 4.5)]
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(rows))
    data = load_data(str(path))
    assert sum(map(len, splits(data))) == 44
    assert any(note.startswith("2 pairs given more than once") for note in data.notes)


def test_a_split_column_in_the_files_of_a_folder_is_ignored_with_a_note(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        rows = "".join(f"{split} a {i},{split} b {i},{i % 6},test\n" for i in range(12))
        (tmp_path / f"{split}.csv").write_text(f"sentence1,sentence2,score,split\n{rows}")
    data = load_data(str(tmp_path))
    assert [len(data.train), len(data.dev), len(data.test)] == [12, 12, 12]
    assert "the column split is ignored: the files are the splits" in data.notes
