"""Where the texts of `nexus embed` come from, and which rows are refused."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.scoring.embedding_texts import EmbeddingTexts

ROWS = [{"id": 7, "note": "first, one"}, {"id": 8, "note": "kanarienvogel"}]


def write(folder, name):
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif name.endswith(".csv"):
        path.write_text('id,note\n7,"first, one"\n8,kanarienvogel\n')
    else:
        path.write_text("id\tnote\n7\tfirst, one\n8\tkanarienvogel\n")
    return str(path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_a_column_of_each_kind(name, tmp_path):
    spec = write(tmp_path, name)
    texts = [text for _, text in EmbeddingTexts(spec, column="note")]
    assert texts == ["first, one", "kanarienvogel"]
    assert [text for _, text in EmbeddingTexts(spec, column=" NOTE")] == texts
    with pytest.raises(ConfigError, match="--column; the columns are id, note"):
        list(EmbeddingTexts(spec))
    with pytest.raises(DataError, match="column notes is not there; the columns are id, note"):
        list(EmbeddingTexts(spec, column="notes"))


def test_a_cell_that_is_no_text_names_its_row_and_not_its_words(tmp_path):
    spec = write(tmp_path, "a.jsonl")
    with pytest.raises(DataError, match=r"a\.jsonl:1: the value is not text") as refusal:
        list(EmbeddingTexts(spec, column="id"))
    assert "kanarienvogel" not in str(refusal.value)
    texts = EmbeddingTexts(spec, column="id", skip_bad=True)
    assert list(texts) == []
    assert texts.skipped == 2


def test_lines_and_blank_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(" one \n\ntwo\n\n\n")
    with pytest.raises(DataError, match=r"a\.txt:2: the line is blank"):
        list(EmbeddingTexts(str(path)))
    assert list(EmbeddingTexts(str(path), skip_bad=True)) == [(1, "one"), (3, "two")]
    path.write_text("one\ntwo\n\n\n")
    assert list(EmbeddingTexts(str(path))) == [(1, "one"), (2, "two")]
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(EmbeddingTexts(str(packed))) == [(1, "one"), (2, "two")]
    with pytest.raises(ConfigError, match="has no columns"):
        list(EmbeddingTexts(str(path), column="note"))


class Stdin:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


def test_stdin_is_read_line_by_line(monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin("\ufeffeins\r\nzwei ä".encode()))
    assert list(EmbeddingTexts("-")) == [(1, "eins"), (2, "zwei ä")]
    monkeypatch.setattr("sys.stdin", Stdin(b'{"a": "x"}\n\n{"a": "y"}\n'))
    assert list(EmbeddingTexts("-", column="a")) == [(1, "x"), (3, "y")]
    monkeypatch.setattr("sys.stdin", Stdin(b"kanarienvogel"))
    with pytest.raises(DataError, match="stdin:1: not JSON") as refusal:
        list(EmbeddingTexts("-", column="a"))
    assert "kanarienvogel" not in str(refusal.value)
    monkeypatch.setattr("sys.stdin", Stdin(b"one\n\xff\xfe\n"))
    with pytest.raises(DataError, match="not UTF-8"):
        list(EmbeddingTexts("-"))


def test_documents_are_cut_as_in_training(tmp_path):
    from nexus_engine.scoring.corpus_reading import read_corpus

    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.md").write_text("# Wounds\n\n" + "A wound heals. " * 90)
    (tmp_path / "one.txt").write_text("Fever\n\nFever falls after three days.")
    folder = find_base_model().folder
    texts = EmbeddingTexts(str(tmp_path), max_tokens=64, tokenizer_folder=folder)
    passages = list(texts)
    assert [number for number, _ in passages] == list(range(1, len(passages) + 1))
    searched = read_corpus(str(tmp_path), max_tokens=64).sentences
    assert list(dict.fromkeys(text for _, text in passages)) == list(searched)
    assert len(passages) > 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no document"):
        list(EmbeddingTexts(str(tmp_path / "empty"), tokenizer_folder=folder))


@pytest.mark.parametrize("name", ["gone.txt", "a.parquet"])
def test_a_missing_and_a_damaged_file_are_refused(name, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=name):
        list(EmbeddingTexts(str(tmp_path / name), column="note"))
