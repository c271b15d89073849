"""Numbers that are no graded similarities are refused or questioned, and the advice works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from data_cases import delimited_text, table_bytes

from nexus_engine.data import (
    PairData,
    load_data,
    load_split,
    load_split_with_questions,
    load_unscored,
)
from nexus_engine.errors import DataError

Table = list[tuple[str, str, object]]


def rows_of(scores: list[float] | list[str], mark: str = "") -> Table:
    return [
        (f"Crew {i} paints the hull{mark}.", f"The hull{mark} is painted by crew {i}.", score)
        for i, score in enumerate(scores)
    ]


def write(
    path: Path,
    scores: list[float] | list[str],
    names: tuple[str, str, str] = ("sentence1", "sentence2", "score"),
    mark: str = "",
) -> str:
    path.write_text(
        delimited_text(rows_of(scores, mark), "," if path.suffix == ".csv" else "\t", names)
    )
    return str(path)


def spread(low: float, high: float, count: int = 40) -> list[float]:
    """`count` scores from `low` to `high` in mixed order, not all distinct."""
    steps = count // 2
    return [round(low + (high - low) * (i * 7 % steps) / (steps - 1), 4) for i in range(count)]


COLUMNS = {
    # name: (scores, inferred range, words of the questions)
    "0 and 1": ([0, 1] * 20, (0, 1), []),
    "0..5": (spread(0, 5), (0, 5), []),
    "grades 0..5": ([0, 1, 2, 3, 4, 5] * 6, (0, 5), []),
    "1..5": ([1, 2, 3, 4, 5] * 8, (0, 5), []),
    "0..4": ([0, 1, 2, 3, 4] * 8, (0, 5), []),
    "every mark once": (list(range(11)), (0, 10), []),
    "0..10": (spread(0, 10), (0, 10), []),
    "0..100": (spread(0, 100), (0, 100), []),
    "-1..1": (spread(-1, 1), (-1, 1), []),
    "0..1": (spread(0, 1), (0, 1), []),
    "cosines, most of them positive": (spread(-0.25, 0.97), (-1, 1), []),
    "cosines, a few below zero": (spread(-0.04, 0.97), (-1, 1), ["fill 50%"]),
    "0.80..0.99": (spread(0.8, 0.99), (0, 1), ["fill 19%", "--score-range 0.8,0.99"]),
    "grades 0..3": ([0, 1, 2, 3] * 10, (0, 5), ["fill 60%", "--score-range 0,3"]),
    "classes": ([0, 1, 2] * 13, (0, 5), ["fill 40%", "if they are classes", "--score-range 0,2"]),
    "classes 1 and 2": ([1, 2] * 20, (0, 5), ["fill 20%"]),
    "short distances": (spread(0.1, 1.4), (0, 5), ["fill 26%"]),
    "-1 for no label": ([-1, 0, 1, 1] * 10, (-1, 1), ["10 of 40 scores are -1"]),
    "shuffled ids": ([i * 7 % 41 for i in range(41)], (0, 100), ["fill 40%", "ids or ranks"]),
}


@pytest.mark.parametrize(("scores", "score_range", "words"), COLUMNS.values(), ids=COLUMNS)
def test_score_columns_are_taken_or_asked_about(
    tmp_path: Path, scores: list[float], score_range: tuple[float, float], words: list[str]
) -> None:
    path = write(tmp_path / "pairs.csv", scores)
    pairs, questions = load_split_with_questions(path, "all")
    assert len(pairs) == len(scores)
    assert load_data(path).score_range == score_range
    assert load_data(path).questions == questions
    assert all(any(word in question for question in questions) for word in words), questions
    assert bool(words) is bool(questions), questions
    # The answer that a question proposes settles it.
    for question in questions:
        option = re.search(r"--score-range (\S+),(\S+)", question)
        if option:
            score_range = float(option[1]), float(option[2])
            assert load_split_with_questions(path, "all", score_range=score_range)[1] == ()


REFUSED = {
    "scores with -1 for no label": (
        [*spread(0, 5), -1, -1],
        r"pairs\.csv:42: the score is -1, as in 2 of 42 pairs.*Remove these rows, or give "
        r"--score-range -1,5",
    ),
    "years": ([1990 + i % 30 for i in range(40)], r"scores from 1990 \(row 2\) to 2019 \(row 31\)"),
    "distances": (spread(0, 410), r"scores from 0 \(row \d+\) to 410 \(row \d+\) fit no usual"),
    "row numbers": ([float(i) for i in range(40)], r"are 0, 1, 2 and so on.*--score-range 0,39"),
    "ranks": ([float(i) for i in range(40, 0, -1)], "are 40, 39, 38 and so on"),
    "long row numbers": ([float(i) for i in range(7, 300)], "are 7, 8, 9 and so on"),
    "one score": ([3] * 40, "all 40 scores are equal"),
    "no label at all": ([-1] * 40, r"pairs\.csv: all 40 scores are -1: no labels"),
}


@pytest.mark.parametrize(("scores", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_similarity_is_refused_and_a_range_that_is_named_is_believed(
    tmp_path: Path, scores: list[float], message: str
) -> None:
    path = write(tmp_path / "pairs.csv", scores)
    with pytest.raises(DataError, match=message) as refusal:
        load_data(path)
    if "--score-range" in str(refusal.value):
        low, high = min(scores), max(scores)
        assert load_data(path, score_range=(low, high)).questions == ()
    assert len(load_unscored(path)) == len(scores)  # a table of similarities needs no score


def test_graded_data_raises_no_question(stsb: Path) -> None:
    assert load_data("demo").questions == ()
    assert load_data(str(stsb)).questions == ()


def test_rows_that_a_message_says_to_remove_are_the_only_ones(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write(path, [*spread(0, 5), -1, -1])
    lines = [line for line in path.read_text().splitlines() if not line.endswith(",-1")]
    path.write_text("\n".join(lines))
    assert len(load_split(str(path), "all")) == 40


def test_a_file_whose_first_column_counts_its_rows(tmp_path: Path) -> None:
    rows = [(i, first, second) for i, (first, second, _) in enumerate(rows_of(spread(0, 5)))]
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(rows, header=None))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"row numbers or ranks.*name the columns sentence1"):
        load_data(str(path))
    scored = [(*row, score) for row, score in zip(rows, spread(0, 5), strict=True)]
    path.write_text(delimited_text(scored, header=("id", "sentence1", "sentence2", "score")))  # type: ignore[arg-type]
    assert load_data(str(path)).score_range == (0, 5)


@pytest.mark.parametrize("classes", [[0, 1, 2], [-1, 0, 1, 2], [0, 2], [1, 2]])
@pytest.mark.parametrize("name", ["label", "score", "gold"])
def test_classes_of_premise_and_hypothesis_are_refused(
    tmp_path: Path, classes: list[float], name: str
) -> None:
    path = tmp_path / "pairs.csv"
    write(path, classes * 12, ("Premise", "hypothesis", name))
    shown = ", ".join(map(str, classes))
    with pytest.raises(DataError, match=f"the classes {shown}, which are not scores; map them"):
        load_data(str(path))
    with pytest.raises(DataError, match="which are not scores"):
        load_data(str(path), score_range=(-1, 2))
    # The first advice: the scores that the message names.
    scores = {0: 1.0, 1: 0.5, 2: 0.0, -1: 0.5}
    write(path, [scores[int(c)] for c in classes * 12], ("premise", "hypothesis", name))
    assert load_data(str(path)).score_range == (0, 1)
    # The second: other names, if the numbers are grades after all.
    write(path, classes * 12)
    assert load_data(str(path), score_range=(min(classes), 2)).questions == ()


@pytest.mark.parametrize("scores", [[0, 1], [0, 1, 2, 3, 4, 5], [0, 0.5, 1], [0, 0.5, 2]])
def test_scores_of_premise_and_hypothesis_are_read(tmp_path: Path, scores: list[float]) -> None:
    path = write(tmp_path / "pairs.csv", scores * 12, ("premise", "hypothesis", "label"))
    assert len(load_split(path, "all")) == 12 * len(scores)


def test_labels_0_and_1_are_scores_and_that_is_said(tmp_path: Path) -> None:
    data = load_data(write(tmp_path / "pairs.csv", [0, 1] * 20, ("text1", "text2", "label")))
    assert any("0 is read as not alike, 1 as alike" in note for note in data.notes)
    assert data.questions == ()


WORDS = {
    "entailment": (["entailment", "neutral", "contradiction"], ["1", "0.5", "0"]),
    "not_entailment": (["not_entailment", "entailment"], ["0", "1"]),
    "duplicate": (["duplicate", "not_duplicate"], ["1", "0"]),
    "True": (["True", "False"], ["1", "0"]),
}


@pytest.mark.parametrize(("words", "scores"), WORDS.values(), ids=WORDS)
def test_words_for_labels_are_named_with_what_to_write(
    tmp_path: Path, words: list[str], scores: list[str]
) -> None:
    path = tmp_path / "pairs.csv"
    write(path, words * 12)
    with pytest.raises(
        DataError, match=rf"csv:2: the score is the (class|word) {words[0].lower()};"
    ):
        load_data(str(path))
    lines = [{"s1": a, "s2": b, "label": word} for a, b, word in rows_of(words * 12)]
    as_json = tmp_path / "pairs.jsonl"
    as_json.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataError, match=rf"jsonl:1: the score is the .* {words[0].lower()}; write"):
        load_data(str(as_json))
    write(path, scores * 12)
    assert load_data(str(path)).score_range == (0, 1)


def test_a_word_of_the_data_is_not_repeated(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", ["secret", "neutral"] * 12)
    with pytest.raises(DataError, match="not a number") as refusal:
        load_data(path)
    assert "secret" not in str(refusal.value)


def test_a_parquet_column_of_classes_is_refused_by_their_names(tmp_path: Path) -> None:
    label = {"names": ["sports", "science", "trade"], "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": label}}})}
    first, second, scores = zip(*rows_of([0, 1, 2] * 12), strict=True)
    table = pa.table(
        [pa.array(first), pa.array(second), pa.array(scores, pa.int64())],
        names=["sentence1", "sentence2", "label"],
    )
    path = tmp_path / "pairs.parquet"
    path.write_bytes(table_bytes(table.replace_schema_metadata(metadata)))
    with pytest.raises(DataError, match="holds the classes sports, science, trade, which are no"):
        load_data(str(path))
    # A column named score takes precedence over one named label.
    table = table.append_column("score", pa.array([c / 2 for c in scores]))
    path.write_bytes(table_bytes(table.replace_schema_metadata(metadata)))
    assert load_data(str(path)).score_range == (0, 1)
    assert len(load_unscored(path)) == 36


GLUE = ("sentence1", "sentence2", "label")


def unlabelled(folder: Path, *splits: str, train: str = "train.tsv") -> str:
    write(folder / train, spread(0, 5), GLUE)
    write(folder / "validation.tsv", spread(1, 5, 20), GLUE, " again")
    write(folder / "test.tsv", spread(0, 5, 20), GLUE, " at last")
    for split in splits:
        write(folder / f"{split}.tsv", [-1.0] * 6, GLUE, f" {split}")
    return str(folder)


def sizes(data: PairData) -> list[int]:
    return [len(data.train), len(data.dev), len(data.test)]


@pytest.mark.parametrize("score_range", [None, (0.0, 5.0)])
def test_a_test_split_without_labels_is_left_out_and_another_is_cut(
    tmp_path: Path, score_range: tuple[float, float] | None
) -> None:
    folder = unlabelled(tmp_path, "test")
    data = load_data(folder, score_range=score_range)
    assert data.score_range == (0, 5)
    assert sizes(data) == [36, 20, 4]
    (question,) = data.questions
    assert re.search(
        r"test\.tsv: all 6 scores are -1: no labels, so it is left out; a test", question
    )
    # Every pair of the folder is accounted for: 40 + 20 are in splits, 6 are reported as left out.
    pairs, questions = load_split_with_questions(folder, "test", score_range=score_range)
    assert pairs.first.to_pylist() == data.test.first.to_pylist()
    assert questions == data.questions
    assert len(load_split(folder, "all", score_range=score_range)) == 60


def test_dev_and_test_may_both_be_without_labels(tmp_path: Path) -> None:
    data = load_data(unlabelled(tmp_path, "validation", "test"))
    assert sizes(data) == [32, 4, 4]
    assert len(data.questions) == 2


def test_a_train_split_without_labels_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = unlabelled(tmp_path, "train")
    with pytest.raises(DataError, match=r"train\.tsv: all 6 scores are -1: no labels; give"):
        load_data(folder)
    (tmp_path / "train.tsv").unlink()
    unlabelled(tmp_path, "test", train="training.tsv")
    with pytest.raises(DataError, match=r"test\.tsv: all 6 scores are -1"):
        load_split(folder, "test")


def test_a_score_of_no_range_is_named_in_the_file_that_holds_it(tmp_path: Path) -> None:
    folder = unlabelled(tmp_path)
    write(tmp_path / "test.tsv", [1.0, 2.0, -2.0, 3.0], GLUE)
    with pytest.raises(DataError, match=r"test\.tsv:4: the score -2 is outside 0\.\.5, the range"):
        load_data(folder)
    assert load_data(folder, score_range=(-2, 5)).score_range == (-2, 5)


def test_train_scores_of_another_range_than_all_are_asked_about(tmp_path: Path) -> None:
    folder = unlabelled(tmp_path)
    write(tmp_path / "train.tsv", spread(0, 1), GLUE)
    data = load_data(folder)
    assert data.score_range == (0, 5)
    assert any("train scores alone" in question for question in data.questions)
    assert load_data(folder, score_range=(0, 5)).questions == ()
