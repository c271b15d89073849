"""Folders that the datasets library saved are read, and damaged or foreign ones refused."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pytest
from data_cases import CANARY, HEADER, Row, delimited_text, pair_rows, parquet_bytes

from nexus_engine.data import PairData, load_data, load_split, load_unscored
from nexus_engine.data.files.glance import glance
from nexus_engine.errors import DataError

Splits = dict[str, list[Row]]


def rows_of(mark: str, count: int = 20) -> list[Row]:
    return [
        (f"{mark} {first}", f"{second} {mark}", score) for first, second, score in pair_rows(count)
    ]


def stream_of(rows: list[Row], names: tuple[str, ...] = HEADER, batch: int = 8) -> bytes:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    table = pa.Table.from_arrays(columns, names=list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)
    return bytes(sink.getvalue())


def save(folder: Path, *parts: list[Row], **state: object) -> Path:
    """A saved dataset of one Arrow file for each of `parts`."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{len(parts):05d}.arrow" for i in range(len(parts))]
    for name, rows in zip(names, parts, strict=True):
        (folder / name).write_bytes(stream_of(rows))
    files = [{"filename": name} for name in names]
    (folder / "state.json").write_text(json.dumps({"_data_files": files} | state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))
    return folder


def save_splits(folder: Path, splits: Splits) -> Path:
    for name, rows in splits.items():
        save(folder / name, rows[:12], rows[12:])
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return folder


def three(*names: str) -> Splits:
    return {name: rows_of(name, 20 + 4 * place) for place, name in enumerate(names)}


SPLITS = ("train", "validation", "test")


def sizes(data: PairData) -> list[int]:
    return [len(data.train), len(data.dev), len(data.test)]


def save_by_library(folder: Path, splits: Splits) -> None:
    import datasets

    parts = {}
    for name, rows in splits.items():
        columns = dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))
        parts[name] = datasets.Dataset.from_dict({"idx": list(range(len(rows))), **columns})
    shards = {name: 1 + (name == "train") for name in parts}
    datasets.DatasetDict(parts).save_to_disk(folder, num_shards=shards)


def test_what_the_library_saves_is_the_data_that_it_was_given(tmp_path: Path) -> None:
    splits = three(*SPLITS)
    save_by_library(tmp_path / "saved", splits)
    (tmp_path / "csv").mkdir()
    for name, rows in splits.items():
        (tmp_path / "csv" / f"{name}.csv").write_text(delimited_text(rows))
    data = load_data(str(tmp_path / "saved"))
    assert data.fingerprint == load_data(str(tmp_path / "csv")).fingerprint
    assert sizes(data) == [20, 24, 28]
    assert data.name == "saved"
    assert glance(str(tmp_path / "saved")).files == 4
    # The folder of a split is a dataset without splits, which is cut like a file.
    assert len(load_split(str(tmp_path / "saved" / "train"), "all")) == 20
    assert sum(sizes(load_data(str(tmp_path / "saved" / "train")))) == 20


def test_every_row_of_every_file_is_a_pair(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", rows_of("a", 9), rows_of("b", 31), rows_of("c", 1))
    pairs = load_split(str(folder), "all")
    assert len(pairs) == 9 + 31 + 1
    assert pairs.first.to_pylist()[9:40] == [first for first, _, _ in rows_of("b", 31)]


def test_splits_by_other_names_are_said_and_one_can_be_given(tmp_path: Path) -> None:
    data = load_data(str(save_splits(tmp_path / "a", three("extra", *SPLITS))))
    assert "splits that are not read: extra" in data.notes
    folder = save_splits(tmp_path / "b", three("pairs", "more"))
    with pytest.raises(
        DataError, match="has the splits pairs, more, none of them train"
    ) as refusal:
        load_data(str(folder))
    example = re.search(r"for example (\S+)$", str(refusal.value))
    assert example is not None
    assert len(load_split(example[1], "all")) == 20
    with pytest.raises(DataError, match="two of its splits could be the dev split"):
        load_data(str(save_splits(tmp_path / "c", three("train", "dev", "validation"))))
    # Remove one of them, as the message says.
    shutil.rmtree(tmp_path / "c" / "dev")
    (tmp_path / "c" / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    assert sizes(load_data(str(tmp_path / "c"))) == [18, 28, 2]


def test_a_part_of_a_saved_dataset_is_answered_with_its_folder(tmp_path: Path) -> None:
    folder = save_splits(tmp_path / "saved", three(*SPLITS))
    for name in ("dataset_dict.json", "train/state.json", "train/data-00000-of-00002.arrow"):
        with pytest.raises(DataError, match="a part of a dataset saved by") as refusal:
            load_data(str(folder / name))
        advised = str(refusal.value).rpartition("give its folder, ")[2]
        assert len(load_split(advised, "train")) in (16, 20)


def test_a_folder_that_holds_the_splits_is_pointed_to(tmp_path: Path) -> None:
    save_splits(tmp_path / "outer" / "saved", three(*SPLITS))
    with pytest.raises(DataError, match="holds no train, dev or test file; give ") as refusal:
        load_data(str(tmp_path / "outer"))
    advised = re.search(r"give (\S+), which does$", str(refusal.value))
    assert advised is not None
    assert len(load_data(advised[1]).train) >= 20


SHARDS = {
    "train-00000-of-00002-0a1b2c3d4e5f6789.parquet": rows_of("a", 20),
    "train-00001-of-00002-9876543210fedcba.parquet": rows_of("b", 20),
    "validation-00000-of-00001-00112233445566aa.parquet": rows_of("c", 12),
    "test-00000-of-00001.parquet": rows_of("d", 12),
}


def clone(folder: Path) -> Path:
    """A repository of the hub as it is cloned."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# pairs")
    (folder / "dataset_infos.json").write_text('{"default": {"features": {}}}')
    for name, rows in SHARDS.items():
        (folder / "data" / name).write_bytes(parquet_bytes(rows))
    return folder


def test_a_cloned_repository_of_the_hub_is_read(tmp_path: Path) -> None:
    folder = clone(tmp_path / "repository")
    data = load_data(str(folder))
    assert sizes(data) == [40, 12, 12]
    assert data.name == "repository"
    assert "the files are in its folder data" in data.notes
    assert load_data(str(folder / "data")).fingerprint == data.fingerprint
    assert glance(str(folder)).files == 4
    shard = folder / "data" / "train-00001-of-00002-9876543210fedcba.parquet"
    content = shard.read_bytes()
    shard.unlink()
    with pytest.raises(DataError, match="1 of the 2 parts are here"):
        load_data(str(folder))
    shard.write_bytes(content)
    (shard.parent / "train-00001-of-00002-ffff543210fedcba.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"parquet: is the same part as train-00001-of-00002-f"):
        load_data(str(folder))
    shard.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (shard.parent / "train-00001-of-00002-ffff543210fedcba.parquet").unlink()
    with pytest.raises(DataError, match="is a pointer of Git LFS in the place of the data"):
        load_data(str(folder))


@pytest.mark.parametrize(
    "content", ['{"splits": ["train"]}', '{"name": "x", "version": 1}', "[1, 2]", "{", ""]
)
def test_nobody_is_sent_to_a_json_file_without_pairs(tmp_path: Path, content: str) -> None:
    (tmp_path / "about.json").write_text(content)
    with pytest.raises(DataError, match=r"holds no train.*give a folder or file of pairs"):
        load_data(str(tmp_path))
    rows = [dict(zip(HEADER, row, strict=True)) for row in rows_of("x", 30)]
    (tmp_path / "pairs.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"its only data file, give \S+pairs\.json") as refusal:
        load_data(str(tmp_path))
    assert len(load_split(str(refusal.value).rpartition("give ")[2], "all")) == 30


def outside(folder: Path) -> None:
    save(folder.parent / "elsewhere", rows_of("y"))
    files = [{"filename": "../../elsewhere/data-00000-of-00001.arrow"}]
    state = {"_data_files": files}
    (folder / "test" / "state.json").write_text(json.dumps(state))


def linked_file(folder: Path) -> None:
    shard = folder / "test" / "data-00000-of-00002.arrow"
    shard.rename(folder.parent / "real.arrow")
    shard.symlink_to(folder.parent / "real.arrow")


def linked_split(folder: Path) -> None:
    (folder / "test").rename(folder.parent / "real")
    (folder / "test").symlink_to(folder.parent / "real")


def linked_state(folder: Path) -> None:
    (folder / "test" / "state.json").rename(folder.parent / "real.json")
    (folder / "test" / "state.json").symlink_to(folder.parent / "real.json")


def pipe(folder: Path) -> None:
    (folder / "test" / "data-00001-of-00002.arrow").unlink()
    os.mkfifo(folder / "test" / "data-00001-of-00002.arrow")


def text_in(name: str, content: str):
    return lambda folder: (folder / name).write_text(content)


SHARD = "test/data-00000-of-00002.arrow"
DAMAGE = {
    "a file missing": (lambda f: (f / SHARD).unlink(), r"00002\.arrow: is missing; copy the whole"),
    "a split missing": (lambda f: shutil.rmtree(f / "test"), "its split test is missing"),
    "no state": (lambda f: (f / "test/state.json").unlink(), r"state\.json: is missing"),
    "a name outside": (outside, "names a file outside its folder"),
    "a file that is a link": (linked_file, "is a symbolic link, which is not followed"),
    "a split that is a link": (linked_split, "the folder of its split test is missing"),
    "a state that is a link": (linked_state, r"state\.json: is a symbolic link"),
    "a pipe": (pipe, "00001-of-00002.arrow: cannot be read"),
    "splits of another kind": (text_in("dataset_dict.json", '{"splits": 3}'), "names no splits"),
    "no splits": (text_in("dataset_dict.json", '{"splits": []}'), "names no splits"),
    "a split above": (text_in("dataset_dict.json", '{"splits": [".."]}'), "names no splits"),
    "no JSON": (text_in("dataset_dict.json", "{"), "is damaged or cut off"),
    "deep JSON": (text_in("test/state.json", "[" * 100_000), "is damaged or cut off"),
    "an array": (text_in("test/state.json", "[]"), "is damaged or cut off"),
    "no files": (text_in("test/state.json", '{"_data_files": []}'), "names no Arrow files"),
    "files of another kind": (text_in("test/state.json", '{"_data_files": [1]}'), "outside its"),
    "no Arrow": (text_in(SHARD, "sentence1,sentence2"), "is damaged or cut off; copy or download"),
    "nothing": (text_in(SHARD, ""), "is damaged or cut off"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_or_foreign_folder_is_refused(tmp_path: Path, damage, message: str) -> None:
    folder = save_splits(tmp_path / "saved", three(*SPLITS))
    damage(folder)
    with pytest.raises(DataError, match=message) as refusal:
        load_data(str(folder))
    assert str(refusal.value).startswith(str(folder))
    assert str(refusal.value).isprintable()


def test_what_cannot_be_read_in_place_is_read_after_it_is_saved_again(tmp_path: Path) -> None:
    import datasets

    folder = tmp_path / "saved"
    save_by_library(folder, three(*SPLITS))
    state = json.loads((folder / "test" / "state.json").read_text())
    (folder / "test" / "data-00000-of-00001.arrow").rename(tmp_path / "far.arrow")
    state["_data_files"] = [{"filename": "../../far.arrow"}]
    (folder / "test" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="load it with the datasets library and save it with to_p"):
        load_data(str(folder))
    (tmp_path / "new").mkdir()
    for name, split in datasets.load_from_disk(str(folder)).items():
        split.to_parquet(tmp_path / "new" / f"{name}.parquet")
    assert sizes(load_data(str(tmp_path / "new"))) == [20, 24, 28]
    save(tmp_path / "old", rows_of("x"), _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(DataError, match="its rows are selected by an index; load it with"):
        load_data(str(tmp_path / "old"))


def test_a_stream_that_lost_rows_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", rows_of("x", 40))
    path = folder / "data-00000-of-00001.arrow"
    stream = path.read_bytes()
    assert len(load_split(str(folder), "all")) == 40
    ends = [*range(0, len(stream), 61), len(stream) - 8]  # the end mark has 8 bytes
    for content in [*(stream[:end] for end in ends), stream + stream, stream + b"\0" * 8]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"\.arrow: is damaged or cut off"):
            load_split(str(folder), "all")


def test_any_damage_of_a_stream_is_loaded_or_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", rows_of("x", 30))
    path = folder / "data-00000-of-00001.arrow"
    stream = path.read_bytes()
    chance = random.Random(5)
    for _ in range(50):
        content = bytearray(stream)
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(len(content))] ^= chance.randint(1, 255)
        path.write_bytes(content)
        try:
            message = repr(load_split(str(folder), "all"))
        except DataError as refusal:
            message = str(refusal)
        assert message.isprintable()
        assert CANARY not in message


def test_a_bad_row_of_a_saved_dataset_is_named(tmp_path: Path) -> None:
    rows = rows_of("x", 30)
    rows[17] = (rows[17][0], " ", 1.0)
    folder = save(tmp_path / "saved", rows_of("y", 5), rows)
    with pytest.raises(DataError, match=r"00001-of-00002\.arrow:18: the second sentence is empty"):
        load_data(str(folder))


def test_other_folders_with_such_files_are_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"window": [1, 2]}')
    (tmp_path / "train.csv").write_text(delimited_text(rows_of("x", 40)))
    assert len(load_data(str(tmp_path)).train) == 32
    (tmp_path / "train.csv").rename(tmp_path / "pairs.csv")
    with pytest.raises(DataError, match=r"to load its only data file, give \S+pairs\.csv"):
        load_data(str(tmp_path))
    with pytest.raises(DataError, match="is a folder"):
        load_unscored(save(tmp_path / "saved", rows_of("x")))
