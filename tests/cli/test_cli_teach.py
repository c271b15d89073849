"""`nexus teach`: what is refused before a screen opens, in one line and with its exit code."""

from __future__ import annotations

import pytest

from nexus_engine.labels.label_file import LabelFile
from nexus_tui.cli.commands import teach
from nexus_tui.cli.main import main
from nexus_tui.work.teach_data import read_texts

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def opened(monkeypatch):
    """What the app was opened with."""
    seen = []
    monkeypatch.setattr(teach, "has_terminal", lambda: True)
    monkeypatch.setattr(
        "nexus_tui.app.opening.open_app",
        lambda settings, **given: seen.append(given["teach"]) or 0,
    )
    return seen


def test_without_a_terminal_it_says_what_to_use(capsys):
    assert main(["teach"]) == 2
    assert "teach needs a terminal" in capsys.readouterr().err


def test_data_labels_and_rater_reach_the_app(opened, tmp_path):
    texts, path = tmp_path / "texts.txt", tmp_path / "mine.jsonl"
    texts.write_text("one sentence\nanother one\n")
    LabelFile.open(path, "x").close()
    assert main(["teach", "--data", str(texts), "--labels", str(path), "--rater", "Ann"]) == 0
    assert main(["teach"]) == 0
    assert opened == [(str(texts), path, "Ann"), (None, None, None)]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--data", "no/such/file"], 3, "no/such/file"),
        (["--labels", "FILE"], 3, "is no label file"),
        (["--rater", "\x1b"], 2, "a rater needs a name"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, code, words, opened, tmp_path, capsys):
    other = tmp_path / "other.jsonl"
    other.write_text('{"text": "not a label"}\n')
    arguments = [str(other) if argument == "FILE" else argument for argument in arguments]
    assert main(["teach", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert not opened


def test_a_clash_of_keys_is_refused_in_one_line(opened, tmp_path, capsys):
    config = tmp_path / "config" / "nexus"
    config.mkdir(parents=True)
    (config / "nexus.toml").write_text('[ui.keys]\n"teach.same" = "n"\n')
    assert main(["teach"]) == 2
    assert "share the key n" in capsys.readouterr().err
    assert not opened


def test_texts_of_pairs_of_sentences_and_of_documents_are_read(tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("sentence1,sentence2\na cat,a dog\na cat,two dogs\n")
    texts = read_texts(str(pairs), 256)
    assert list(texts.corpus.sentences) == ["a cat", "a dog", "two dogs"]
    assert texts.pairs.tolist() == [[0, 1], [0, 2]]
    lines = tmp_path / "lines.txt"
    lines.write_text("one sentence\nanother\none sentence\n")
    texts = read_texts(str(lines), 256)
    assert list(texts.corpus.sentences) == ["one sentence", "another"]
    assert texts.pairs is None
