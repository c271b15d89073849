"""The STS Benchmark: the real pairs, and the caches in which `stsb` is found."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from data_cases import Row, delimited_text, json_text, pair_rows, parquet_bytes

from nexus_engine.data import assets_dir, load_data, load_guard, load_split
from nexus_engine.data.files.locating import locate
from nexus_engine.errors import DataError

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "stsb"
SPLITS = ("train", "dev", "test")

real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no STS Benchmark at {REAL}")


@real
def test_the_real_benchmark_is_loaded_whole() -> None:
    data = load_data(str(REAL))
    assert [len(split) for split in (data.train, data.dev, data.test)] == [5749, 1500, 1379]
    for split in (data.train, data.dev, data.test):
        assert split.scores is not None
        assert split.scores.min() == 0
        assert split.scores.max() == 1
    assert data.score_range == (0, 5)
    assert data.fingerprint == "36424d186264b334e2f4d5acd6a590566c435f8e8d9bb5958a691162d5b934a1"
    assert len(load_split(str(REAL), "all")) == 8628


@real
def test_the_real_benchmark_is_what_the_csv_module_reads() -> None:
    with (REAL / "test.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    pairs = load_split(str(REAL), "test")
    assert pairs.first.to_pylist() == [row[0] for row in rows]
    assert pairs.second.to_pylist() == [row[1] for row in rows]
    assert pairs.scores is not None
    assert (pairs.scores * 5).tolist() == pytest.approx([float(row[2]) for row in rows], abs=1e-6)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face home that the environment points to."""
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_DATASETS_CACHE",
        "XDG_CACHE_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf"


def rows_of(split: str, top: float = 5) -> list[Row]:
    return [(f"{split} {a}", b, score / 5 * top) for a, b, score in pair_rows(20)]


def write_snapshot(hub: Path, repository: str, files: dict[str, bytes], commit: str = "c1") -> None:
    """Write blobs and a snapshot of links to them, as huggingface_hub does."""
    root = hub / f"datasets--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    (root / "blobs").mkdir(exist_ok=True)
    for place, content in files.items():
        blob = root / "blobs" / f"{commit}-{place.replace('/', '-')}"
        blob.write_bytes(content)
        link = root / "snapshots" / commit / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


def parquet_files(folder: str, top: float = 5) -> dict[str, bytes]:
    return {
        f"{folder}{name}-00000-of-00001.parquet": parquet_bytes(rows_of(split, top))
        for split, name in (("train", "train"), ("dev", "validation"), ("test", "test"))
    }


LAYOUTS = {
    "sentence-transformers, root": ("sentence-transformers/stsb", parquet_files("", top=1)),
    "sentence-transformers, data": ("sentence-transformers/stsb", parquet_files("data/", top=1)),
    "mteb, jsonl.gz": (
        "mteb/stsbenchmark-sts",
        {
            f"{name}.jsonl.gz": gzip.compress(json_text(rows_of(split)).encode())
            for split, name in (("train", "train"), ("dev", "validation"), ("test", "test"))
        },
    ),
    "mteb, both kinds": (
        "mteb/stsbenchmark-sts",
        parquet_files("data/") | {"train.jsonl.gz": b"", "README.md": b"x"},
    ),
    "PhilipMay, en": ("PhilipMay/stsb_multi_mt", parquet_files("en/") | parquet_files("de/", 1)),
    "PhilipMay, csv": (
        "PhilipMay/stsb_multi_mt",
        {
            f"data/stsb-{language}-{split}.csv": delimited_text(rows, header=None).encode()
            for split in SPLITS
            for language, rows in (("en", rows_of(split)), ("de", pair_rows(3)))
        },
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_snapshot_in_the_hub_cache_is_found(
    cache: Path, layout: tuple[str, dict[str, bytes]]
) -> None:
    write_snapshot(cache / "hub", *layout)
    data = load_data("stsb")
    assert data.name == data.source == "stsb"
    assert data.dev.first.to_pylist() == [first for first, _, _ in rows_of("dev")]
    assert data.test.scores is not None
    assert data.test.scores.tolist() == pytest.approx([s / 5 for _, _, s in rows_of("test")])


@pytest.mark.parametrize(
    "variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HOME"]
)
def test_the_variables_that_move_the_cache_are_honoured(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    hub = tmp_path / {"XDG_CACHE_HOME": "huggingface/hub", "HOME": ".cache/huggingface/hub"}.get(
        variable, ""
    )
    if "HUB" not in variable:
        monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv(variable, str(tmp_path))
    write_snapshot(hub, "sentence-transformers/stsb", parquet_files(""))
    assert len(load_data("stsb").train) == 20
    assert not cache.exists()


def test_the_snapshot_of_main_is_preferred_and_a_cut_off_one_passed_over(cache: Path) -> None:
    repository = "sentence-transformers/stsb"
    write_snapshot(cache / "hub", repository, parquet_files("", top=1), commit="main1")
    other = {name: parquet_bytes(pair_rows(7)) for name in parquet_files("")}
    write_snapshot(cache / "hub", repository, other, commit="newer")
    root = cache / "hub" / "datasets--sentence-transformers--stsb"
    (root / "refs" / "main").write_text("main1")
    assert len(load_data("stsb").train) == 20
    (root / "snapshots" / "main1" / "test-00000-of-00001.parquet").unlink()
    assert len(load_data("stsb").train) == 7


def test_a_snapshot_whose_blob_is_gone_says_so(cache: Path) -> None:
    write_snapshot(cache / "hub", "sentence-transformers/stsb", parquet_files(""))
    for blob in (cache / "hub" / "datasets--sentence-transformers--stsb" / "blobs").iterdir():
        blob.unlink()
    with pytest.raises(DataError, match="symbolic link to something that does not exist"):
        load_data("stsb")


def test_the_arrow_cache_of_the_datasets_library_is_found(cache: Path) -> None:
    import datasets

    for name in ("default", "de"):
        build = cache / "datasets" / "mteb___stsbenchmark-sts" / name / "0.0.0" / "abc"
        build.mkdir(parents=True)
        for split, called in (("train", "train"), ("dev", "validation"), ("test", "test")):
            first, second, scores = zip(*rows_of(split), strict=True)
            table = datasets.Dataset.from_dict(
                {"genre": ["x"] * 20, "score": scores, "sentence1": first, "sentence2": second}
            )
            table.save_to_disk(build / "saved")
            arrow = next((build / "saved").glob("*.arrow"))
            arrow.rename(build / f"stsbenchmark-sts-{called}.arrow")
    data = load_data("stsb")
    assert data.train.first.to_pylist() == [first for first, _, _ in rows_of("train")]
    before = data.fingerprint
    write_snapshot(cache / "hub", "sentence-transformers/stsb", parquet_files(""))
    assert load_data("stsb").fingerprint == before


def test_without_any_cache_the_user_is_told_what_to_do(cache: Path) -> None:
    with pytest.raises(DataError, match=r"nexus fetch stsb.*--data FOLDER") as refusal:
        load_data("stsb")
    assert str(cache / "hub") in str(refusal.value)
    assert not cache.exists()


def test_a_name_wins_over_a_file_of_that_name(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stsb").mkdir()
    Path("stsb/train.csv").write_text(delimited_text(pair_rows()))
    with pytest.raises(DataError, match="nexus fetch"):
        load_data("stsb")
    assert len(load_data("./stsb").train) == 32
    assert not cache.exists()


@pytest.mark.skipif(not (assets_dir() / "demo").is_dir(), reason="the demo pairs are not there yet")
def test_the_demo_is_whole_and_leaks_nothing() -> None:
    data = load_data("demo")
    assert data.name == "demo"
    assert min(len(split) for split in (data.train, data.dev, data.test)) > 50
    assert not any("also occur in train" in note for note in data.notes), data.notes


@pytest.mark.skipif(not (assets_dir() / "guard.csv").is_file(), reason="no guard pairs yet")
def test_the_guard_pairs_are_scored() -> None:
    guard = load_guard()
    assert len(guard) > 50
    assert guard.scores is not None
    assert guard.scores.min() >= 0
    assert guard.scores.max() <= 1


def test_missing_assets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"guard\.csv"):
        load_guard(assets=tmp_path)
    with pytest.raises(DataError, match="demo"):
        locate("demo", assets=tmp_path)
    (tmp_path / "guard.csv").write_text(json.dumps("x"))
    with pytest.raises(DataError, match=r"guard\.csv:1"):
        load_guard(assets=tmp_path)
