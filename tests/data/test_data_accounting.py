"""Every line of a delimited file is accounted for: as a pair, a header, in a note, or in a refusal.

The tests mix what could make rows vanish silently or make a refusal name the wrong row: quotes
that are text, remarks, separators, split columns.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from pathlib import Path

import pyarrow as pa
import pytest
from data_cases import table_bytes

from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.errors import DataError

PAIRS = [(f"the fan {i} hums says shift {i}", f"fan {i} is humming", i % 6) for i in range(24)]
HEADER = ("sentence1", "sentence2", "score")


def table(separator: str, changed: dict[int, str] | None = None, *, header: bool = True) -> str:
    """The pairs, one per line; `changed` replaces lines by number."""
    rows = [separator.join(HEADER)] if header else []
    rows += [separator.join((a, b, str(score))) for a, b, score in PAIRS]
    for number, line in (changed or {}).items():
        rows[number - 1] = line.replace("\t", separator)
    return "\n".join(rows) + "\n"


def written(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(path: str) -> str:
    with pytest.raises(DataError) as error:
        load_data(path)
    return str(error.value)


OPEN, CLOSED = '"Noise at\tfan 2 hums\t2', 'duct of 5"\ta 5 inch duct\t1'
SWALLOWED = {
    "a blank line between": {4: OPEN, 6: "", 9: CLOSED},
    "a score missing between": {4: OPEN, 6: "one\ttwo\t", 9: CLOSED},
    "no score in the first": {4: '"Noise at\tfan 2 hums\t', 9: CLOSED},
    "closed in the second column": {4: OPEN, 9: 'a duct\tthe duct of 5"\t1'},
    "opened in the second column": {4: 'a duct\t"Noise\t2', 9: CLOSED},
    "a next line between": {4: OPEN, 6: "one\x85more\ttwo\t3", 9: CLOSED},
    "the very next row": {4: OPEN, 5: CLOSED},
    "twice": {4: OPEN, 9: CLOSED, 12: OPEN, 13: CLOSED},
}


@pytest.mark.parametrize("changed", SWALLOWED.values(), ids=SWALLOWED.keys())
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_quote_that_is_text_never_hides_rows(tmp_path, changed, ends, separator):
    content = table(separator, changed).replace("\n", ends)
    path = written(tmp_path, "a.tsv" if separator == "\t" else "a.csv", content)
    lacking = [row for row, line in changed.items() if line.endswith("\t")]
    if separator == "," or lacking:  # commas: quotes are quoting; else the row without a score
        row = lacking[0] if separator == "\t" else 4
        assert f":{row}: " in refusal(path)
        return
    pairs = load_split(path, "all")
    assert len(pairs) == len(PAIRS) - ("" in changed.values())
    assert "quotes are taken as plain characters" in load_data(path).notes


def test_the_refusal_of_such_a_row_names_both_of_its_ends(tmp_path):
    path = written(tmp_path, "a.csv", table(",", SWALLOWED["closed in the second column"]))
    message = refusal(path)
    assert ":4: 2 columns where the first row has 3, and a quote that opens in this row" in message
    assert "closes in row 9; write each quote that is text twice" in message
    corrected = {4: '"""Noise at"\tfan 2 hums\t2', 9: 'a duct\t"the duct of 5"""\t1'}
    pairs = load_split(written(tmp_path, "b.csv", table(",", corrected)), "all")
    assert pairs.first[2].as_py() == '"Noise at'
    assert pairs.second[7].as_py() == 'the duct of 5"'
    assert len(pairs) == len(PAIRS)


def test_lines_of_a_header_are_counted_and_rows_in_it_refused(tmp_path):
    header = 'sentence1,sentence2,score,"added\nlater"\n'
    rows = "".join(f"{a},{b},{score},x\n" for a, b, score in PAIRS)
    path = written(tmp_path, "a.csv", header + rows)
    assert accounted(path, header=True) == len(PAIRS) + 2
    swallowing = header.replace('\nlater"', f'\n{rows[:200]}"')
    assert ":1: a quote opens a cell that takes in" in refusal(
        written(tmp_path, "b.csv", swallowing + "\n" + rows)
    )


def test_text_in_lines_of_a_quoted_cell_stays_a_cell(tmp_path):
    letter = "Sizes:\n10, 20, 30\n40, 50, 60\nend, of it\n"
    poem = "Dear one, and two,\nthree, four"
    for separator, name in ((",", "a.csv"), ("\t", "a.tsv")):
        for order in ((0, 1, 2), (2, 0, 1), (0, 2, 1)):
            text = io.StringIO(newline="")
            writer = csv.writer(text, delimiter=separator)
            rows = [*PAIRS, (letter, poem, 3), (poem, letter, 4)]
            writer.writerows([[row[i] for i in order] for row in [HEADER, *rows]])
            path = written(tmp_path, name, text.getvalue())
            assert load_split(path, "all").first.to_pylist()[-2:] == [letter, poem]
            note = "2 rows span 12 lines: a quoted cell holds line ends"
            assert note in load_data(path).notes


def accounted(path: str, *, header: bool) -> int:
    """The number of lines that the pairs and notes of the file account for."""
    data = load_data(path)
    notes = " / ".join(data.notes)
    blank = re.search(r"([\d,]+) blank lines? (?:is|are) passed over", notes)
    spans = re.search(r"([\d,]+) rows? spans? ([\d,]+) lines", notes)
    lines = len(data.train) + len(data.dev) + len(data.test) + header
    lines += int(blank[1]) if blank else 0
    return lines + (int(spans[2]) - int(spans[1]) if spans else 0)


@pytest.mark.parametrize("separator", ["\t", ","])
def test_pairs_header_and_notes_add_up_to_the_lines_of_any_file(tmp_path, separator):
    """Quotes, line ends in cells and blank lines come at random; whatever is read adds up."""
    chance = random.Random(11)
    read = spanning = 0
    for trial in range(60):
        header = chance.random() < 0.5
        damaged, broken = chance.random() < 0.5, chance.random() < 0.5
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=separator, lineterminator=chance.choice(["\n", "\r\n"]))
        if header:
            writer.writerow(HEADER)
        for a, b, score in PAIRS:
            cells = [a, b]
            if broken and chance.random() < 0.1:
                at = chance.randrange(2)
                cells[at] = cells[at].replace(" ", chance.choice(["\n", "\n\n", "\r\n"]), 1)
            writer.writerow([*cells, score])
            if chance.random() < 0.05:
                text.write("\n")
        content = text.getvalue()
        if damaged:
            for _ in range(chance.randrange(1, 4)):
                at = content.index(chance.choice(["the", "fan", separator]), chance.randrange(800))
                content = content[:at] + '"' + content[at:]
        name = f"{trial}.tsv" if separator == "\t" else f"{trial}.csv"
        path = written(tmp_path, name, content)
        try:
            lines = accounted(path, header=header)
        except DataError:
            assert damaged
            continue
        read += 1
        spanning += broken
        assert lines == len(re.findall(r"\r\n|\n|\r", content))
    assert read > 30
    assert spanning > 10


def test_a_comma_in_each_line_of_an_unscored_cell_is_no_sign_of_rows(tmp_path):
    path = written(tmp_path, "a.csv", 'one,"two\nlines"\n"hello, you\nbye",three\n')
    assert load_unscored(path).first.to_pylist() == ["one", "hello, you\nbye"]
    path = written(tmp_path, "b.csv", 'one,two\n"open,x\nmore,y\nclose",z\nfour,five\n')
    with pytest.raises(DataError, match=r"b\.csv:2: a quote opens a cell"):
        load_unscored(path)


# Separators


@pytest.mark.parametrize(
    ("name", "line", "columns"),
    [
        ("a.csv", '"fan {0}; old";"duct {0}";{1},5', "1, 2, 3"),
        ("a.csv", "fan {0};duct {0};{1},5", "1, 2, 3"),
        ("a.csv", "fan {0}, old;duct {0};{1}", "1, 2, 3"),
        ("a.tsv", "fan {0};duct {0};{1}", "1, 2, 3"),
        ("a.csv", "{1},5;fan {0};duct {0}", "2, 3, 1"),
        ("a.csv", "fan {0}|duct {0}|{1},5", "1, 2, 3"),
        ("a.tsv", "own\t{1},5\tthe fan {0}\tthe duct {0}", "3, 4, 2"),
    ],
)
def test_the_separator_is_told_from_the_lines(tmp_path, name, line, columns):
    content = "".join(line.format(i, i % 6) + "\n" for i in range(24))
    path = written(tmp_path, name, content)
    pairs = load_split(path, "all", score_range=(0, 6))
    assert pairs.second.to_pylist()[-1].endswith("duct 23")
    half = 0.5 if "5" in line else 0
    assert pairs.scores.tolist() == pytest.approx([(i % 6 + half) / 6 for i in range(24)])
    notes = load_data(path, score_range=(0, 6)).notes
    separated = {";": "separated by semicolons", "|": "separated by vertical bars"}
    for separator, note in separated.items():
        assert (note in notes) == (separator in line)
    assert f"no header; columns {columns}" in notes
    commas = "24 scores are written with a comma and read with a point (3,5 as 3.5)"
    assert (commas in notes) == bool(half)


def test_a_semicolon_in_a_sentence_is_refused_with_its_row(tmp_path):
    content = "".join(f"fan {i};duct {i};{i % 6}\n" for i in range(24)) + "fan 3; new;duct;4\n"
    message = refusal(written(tmp_path, "a.csv", content))
    assert ":25: 4 columns where the first row has 3; quote the cells that hold a" in message


def test_a_quote_that_is_text_hides_no_rows_between_semicolons(tmp_path):
    rows = [f"fan {i};duct {i};{i % 6},5\n" for i in range(24)]
    rows[3], rows[8] = '"Noise at;fan 2;2,5\n', 'duct of 5";a duct;1,5\n'
    message = refusal(written(tmp_path, "a.csv", "".join(rows)))
    assert ":4: " in message
    assert "quote" in message


@pytest.mark.parametrize("headed", [True, False])
def test_decimal_commas_between_commas_are_refused_and_points_are_read(tmp_path, headed):
    lines = table(",").splitlines(keepends=True)[not headed :]
    commas = re.sub(r"(\d)\n", r'"\1,5"\n', "".join(lines))
    message = refusal(written(tmp_path, "a.csv", commas))
    assert re.search(r":[12]: ", message)
    assert "written with a comma" in message
    points = re.sub(r"(\d),5", r"\1.5", commas)
    assert len(load_split(written(tmp_path, "a.csv", points), "all")) == len(PAIRS)


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_commas_and_points_in_one_column_are_refused(tmp_path, separator):
    name = "a.tsv" if separator == "\t" else "a.csv"
    content = re.sub(r"(\d)\n", r"\1,5\n", table(separator, header=True))
    message = refusal(written(tmp_path, name, content + f"x{separator}y{separator}1.5\n"))
    assert ":26: the score is written with a point where others have a comma" in message
    content = re.sub(r"(\d)\n", r"\1.5\n", table(separator, header=True))
    message = refusal(written(tmp_path, name, content + f"x{separator}y{separator}1,5\n"))
    assert ":26: the score is written with a comma and is not a number" in message


def test_scores_that_their_commas_cut_in_two_are_noted(tmp_path):
    content = "".join(f"{a},{b},{s},5\n" for a, b, s in PAIRS)
    assert any("written with a comma (4,5)" in n for n in noted(tmp_path, "a.csv", content))
    content = "".join(f"{a},{b},{s},{i}\n" for i, (a, b, s) in enumerate(PAIRS))
    assert not any("comma" in n for n in noted(tmp_path, "b.csv", content))


def noted(folder: Path, name: str, content: str) -> tuple[str, ...]:
    return load_data(written(folder, name, content)).notes


# Wide tables without a header


def wide(genre: str = "captions", year: str = "2026", right: str = "") -> list[str]:
    return [
        f"{genre}\town\t{year}\t{i:04d}\t{s:.3f}\t{a}\t{b}{right}"
        for i, (a, b, s) in enumerate(PAIRS)
    ]


def test_a_first_row_with_remarks_is_one_of_the_wide_rows(tmp_path):
    rows = wide()
    rows[0] += "\tremark\tmore"
    notes = noted(tmp_path, "a.tsv", "\n".join(rows))
    assert "no header; columns 6, 7, 5" in notes
    wide_rows = (
        "1 row has more columns than the others, from row 1 on; the extra columns are ignored"
    )
    assert wide_rows in notes


@pytest.mark.parametrize(
    "rows",
    [
        wide(right="\ta remark\tand its source"),
        wide(genre="picture captions", year="2026 test"),
        [f"{row}\tsee {i % 12}" for i, row in enumerate(wide())],
    ],
)
def test_sentences_are_the_longest_columns_that_change(tmp_path, rows):
    assert "no header; columns 6, 7, 5" in noted(tmp_path, "a.tsv", "\n".join(rows))


def test_the_documented_order_comes_before_what_columns_hold(tmp_path):
    content = "".join(f"{a}\t{b}\t{s}\t{s / 7:.2f}\n" for a, b, s in PAIRS)
    assert "no header; columns 1, 2, 3" in noted(tmp_path, "a.tsv", content)


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_year_is_not_taken_for_a_score(tmp_path, separator):
    rows = [
        f"main{separator}own{separator}{2000 + i}{separator}fan{i}{separator}duct{i}\n"
        for i in range(9)
    ]
    path = written(tmp_path, "a.tsv" if separator == "\t" else "a.csv", "".join(rows))
    assert ":1: no header, and it is in doubt which columns are meant; add one" in refusal(path)


def test_scores_missing_in_a_wide_table_are_counted(tmp_path):
    rows = wide()
    for i in (0, 3, 8):
        rows[i] = re.sub(r"\t\d\.\d+\t", "\t\t", rows[i])
    message = refusal(written(tmp_path, "a.tsv", "\n".join(rows)))
    assert ":1: the score is empty, as in 3 rows; fill or remove them" in message


def test_an_unknown_header_comes_before_a_missing_score(tmp_path):
    content = table("\t", {1: "left_text\tright_text\tmark", 7: "one\ttwo\t"})
    message = refusal(written(tmp_path, "a.tsv", content))
    assert ":1: neither a header with known names" in message
    message = refusal(
        written(tmp_path, "a.tsv", content.replace("left_text\tright_text", "s1\ts2"))
    )
    assert ":1: no score column among s1, s2, mark" in message


# The column split


def with_splits(words: list[str]) -> str:
    rows = [f"{word},{a},{b},{s}\n" for word, (a, b, s) in zip(words, PAIRS, strict=True)]
    return "split,sentence1,sentence2,score\n" + "".join(rows)


def test_a_pair_of_an_unknown_split_is_not_trained_on(tmp_path):
    words = ["train"] * 12 + ["dev"] * 6 + ["hidden"] * 2 + ["test"] * 4
    message = refusal(written(tmp_path, "a.csv", with_splits(words)))
    assert ":20: the split is none of train, dev (or validation) and test, as in 2 rows" in message
    corrected = with_splits([word.replace("hidden", "test") for word in words])
    data = load_data(written(tmp_path, "a.csv", corrected))
    assert (len(data.train), len(data.dev), len(data.test)) == (12, 6, 6)
    renamed = with_splits(words).replace("split,", "part,", 1)
    assert len(load_split(written(tmp_path, "a.csv", renamed), "all")) == len(PAIRS)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_a_split_column_is_used_in_every_format(tmp_path, name):
    rows = [
        {"split": split, "sentence1": a, "sentence2": b, "score": score}
        for split, (a, b, score) in zip(["train", "train", "dev", "test"] * 6, PAIRS, strict=True)
    ]
    text = json.dumps(rows) if name == "a.json" else "".join(json.dumps(row) + "\n" for row in rows)
    content = text.encode()
    if name == "a.parquet":
        content = table_bytes(pa.Table.from_pylist(rows))
    data = load_data(written(tmp_path, name, content))
    assert (len(data.train), len(data.dev), len(data.test)) == (12, 6, 6)
    assert data.test.first.to_pylist() == [a for a, _, _ in PAIRS[3::4]]
    if name == "a.parquet":
        numbers = pa.Table.from_pylist([{**row, "split": 1} for row in rows])
        notes = load_data(written(tmp_path, name, table_bytes(numbers))).notes
        assert "the column split is not text and is ignored" in notes


def test_a_split_that_cannot_be_measured_is_named(tmp_path):
    words = ["dev"] + ["train"] * 23
    message = refusal(written(tmp_path, "a.csv", with_splits(words)))
    assert "a.csv, split dev: holds one pair; at least two are needed" in message


def test_utf_16_without_a_byte_order_mark_is_refused_with_its_order(tmp_path):
    for order in ("UTF-16LE", "UTF-16BE"):
        path = written(tmp_path, "a.tsv", table("\t").encode(order))
        assert (
            f"{order} without a byte order mark; convert the file: iconv -f {order} -t UTF-8"
            in refusal(path)
        )
    path = written(tmp_path, "a.tsv", table("\t", {5: "one\0\ttwo\t3"}))
    assert ":5: holds a NUL byte, which is not text; remove it" in refusal(path)


# The advice on rows and cells that do not fit leads to the pairs


@pytest.mark.parametrize("first", ["# from the fans\n", "sep=,\n"])
@pytest.mark.parametrize("header", [True, False])
def test_a_line_above_the_table_is_refused_by_name(tmp_path, first, header):
    content = table(",", header=header)
    message = refusal(written(tmp_path, "a.csv", first + content))
    assert ":1: " in message
    assert "where the rows below have 3: not part of the table; remove it" in message
    assert len(load_split(written(tmp_path, "a.csv", content), "all")) == len(PAIRS)


def test_spaces_before_quotes_are_refused_by_name(tmp_path):
    rows = "".join(f'"{a}, it says", "{b}, yes", {score}\n' for a, b, score in PAIRS)
    message = refusal(written(tmp_path, "a.csv", ",".join(HEADER) + "\n" + rows))
    assert ":2: " in message
    assert "remove the spaces between separators and quotes" in message
    path = written(tmp_path, "a.csv", ",".join(HEADER) + "\n" + rows.replace(', "', ',"'))
    assert load_split(path, "all").second.to_pylist() == [f"{b}, yes" for _, b, _ in PAIRS]


def test_empty_columns_at_the_right_and_lines_of_spaces_are_noted(tmp_path):
    first, *rows = table(",").splitlines()
    path = written(tmp_path, "a.csv", "\n".join([first, *(row + ",," for row in rows), "  ", ""]))
    notes = load_data(path).notes
    assert "1 blank line is passed over" in notes
    assert any("24 rows have more columns than the first row, from row 2" in x for x in notes)
    assert len(load_split(path, "all")) == len(PAIRS)


def test_scores_that_are_no_numbers_are_counted(tmp_path):
    content = table("\t", {4: "one\ttwo\tNA", 9: "three\tfour\tn/a", 11: "five\tsix\t"})
    message = refusal(written(tmp_path, "a.tsv", content))
    assert ":4: the score is not a number, as in 2 rows; correct or remove them" in message
    lines = [line for line in content.splitlines() if not line.endswith(("NA", "n/a"))]
    message = refusal(written(tmp_path, "a.tsv", "\n".join(lines)))
    assert ":9: the score is empty; correct or remove the row" in message
    lines = [line for line in lines if not line.endswith("\t")]
    assert len(load_split(written(tmp_path, "a.tsv", "\n".join(lines)), "all")) == len(PAIRS) - 3
