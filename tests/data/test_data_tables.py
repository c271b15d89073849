"""Delimited files as people have them are read correctly, or refused for the true reason.

The advice of each refusal is followed, after which the file loads with the right pairs.
"""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from data_cases import parquet_bytes

from nexus_engine.data import load_data, load_split
from nexus_engine.errors import DataError

PAIRS = [
    (f"the pump {i} runs, says crew {i}", f"pump {i} is running", float(i % 6)) for i in range(24)
]
HEADER = "sentence1\tsentence2\tscore\n"


def lines(separator: str = "\t", header: str = "") -> list[str]:
    rows = [f"{a}{separator}{b}{separator}{score:g}\n" for a, b, score in PAIRS]
    return [header, *rows] if header else rows


def loaded(path: Path) -> list[tuple[str, str]]:
    pairs = load_split(str(path), "all")
    return list(zip(pairs.first.to_pylist(), pairs.second.to_pylist(), strict=True))


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# What is read


def test_a_quote_that_is_text_takes_no_rows_with_it(tmp_path):
    rows = lines(header=HEADER)
    rows[3] = '"Leak at the valve\tpump 2 is leaking\t2\n'
    rows[8] = 'replace the pipe of 5"\tchange the 5 inch pipe\t1\n'
    path = written(tmp_path, "inch.tsv", "".join(rows))
    pairs = loaded(path)
    assert len(pairs) == len(PAIRS)
    assert pairs[2] == ('"Leak at the valve', "pump 2 is leaking")
    assert pairs[7] == ('replace the pipe of 5"', "change the 5 inch pipe")
    assert "quotes are taken as plain characters" in load_data(str(path)).notes


def test_in_a_csv_such_a_quote_is_refused_with_its_row(tmp_path):
    rows = [line.replace(", says", " says") for line in lines(",", "sentence1,sentence2,score\n")]
    rows[3] = '"Leak at the valve,pump 2 is leaking,2\n'
    rows[8] = 'the pipe of 5",change the pipe,1\n'
    path = written(tmp_path, "inch.csv", "".join(rows))
    with pytest.raises(DataError, match=r"inch\.csv:4: .*quote"):
        load_data(str(path))
    rows[8] = '5",change the pipe,1\n'  # the cell now ends where a row's first cell does
    rows[3] = '"Leak at the valve,pump 2 is leaking,2\n'
    path = written(tmp_path, "inch.csv", "".join(rows))
    with pytest.raises(DataError, match=r"inch\.csv:4: .*takes in the next 5 rows whole"):
        load_data(str(path))


def test_a_quoted_cell_may_still_hold_line_ends_and_is_counted(tmp_path):
    for separator, name in ((",", "a.csv"), ("\t", "a.tsv")):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=separator)
        writer.writerows([(a, b, s) for a, b, s in PAIRS])
        writer.writerow(["two\nlines", "another, one\nwith 3", 4])
        path = written(tmp_path, name, text.getvalue() + "\n")
        assert loaded(path)[-1] == ("two\nlines", "another, one\nwith 3")
        notes = load_data(str(path)).notes
        assert "1 row spans 3 lines: a quoted cell holds line ends" in notes
        assert "1 blank line is passed over" in notes


def published(header: str = "") -> str:
    rows = [
        f"main\town\t2026\t{i:04d}\t{score:.3f}\t{a}\t{b}" for i, (a, b, score) in enumerate(PAIRS)
    ]
    for i in (4, 9):
        rows[i] += "\tremark one\tremark two"
    rows[12] = rows[12].replace("the pump", '"The pump')
    return header + "\n".join(rows) + "\n"


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.csv"])
@pytest.mark.parametrize("header", ["", "genre\tfile\tyear\tid\tscore\tsentence1\tsentence2\n"])
def test_a_wide_table_with_remarks_and_quotes_as_text_is_read(tmp_path, name, header):
    path = written(tmp_path, name, published(header))
    pairs = loaded(path)
    assert [b for _, b in pairs] == [b for _, b, _ in PAIRS]
    assert pairs[12][0].startswith('"The pump')
    data = load_data(str(path))
    assert data.score_range == (0.0, 5.0)
    first = 6 if header else 5
    assert (
        f"2 rows have more columns than the first row, from row {first} on; the extra columns "
        "are ignored"
    ) in data.notes
    assert ("separated by tabs, whatever its name says" in data.notes) == (name == "pairs.csv")


def test_a_wide_table_whose_score_is_in_doubt_is_refused(tmp_path):
    rows = [f"{i % 3}\t{i % 5}\t{a}\t{b}\n" for i, (a, b, _) in enumerate(PAIRS)]
    path = written(tmp_path, "pairs.tsv", "".join(rows))
    with pytest.raises(DataError, match="more than one column could be the score"):
        load_data(str(path))


def test_the_paraphrase_corpus_is_known_by_its_header(tmp_path):
    rows = [f"{i % 2}\t{100 + i}\t{200 + i}\t{a}\t{b}\r\n" for i, (a, b, _) in enumerate(PAIRS)]
    rows[4] = rows[4].replace("the pump", '"The pump')
    text = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n" + "".join(rows)
    path = written(tmp_path, "train.tsv", text)
    assert [b for _, b in loaded(path)] == [b for _, b, _ in PAIRS]
    assert "columns #1 String, #2 String, Quality" in load_data(str(path)).notes


SPLIT_HEADER = "split\tyear\tscore\tsentence1\tsentence2\n"


def with_splits(names: list[str]) -> str:
    rows = [
        f"{names[i % len(names)]}\t2026\t{s:g}\t{a}\t{b}\n" for i, (a, b, s) in enumerate(PAIRS)
    ]
    return SPLIT_HEADER + "".join(rows)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["train", "train", "dev", "test"], (12, 6, 6)),
        (["Train ", "training", "VALIDATION", "test"], (12, 6, 6)),
        (["train", "val", "train", "valid"], None),
    ],
)
def test_a_split_column_is_used(tmp_path, names, sizes):
    path = written(tmp_path, "pairs.tsv", with_splits(names))
    data = load_data(str(path), seed=3)
    if sizes is not None:
        assert (len(data.train), len(data.dev), len(data.test)) == sizes
        assert (
            f"split as the column split says: {sizes[0]} train, 6 dev, 6 test pairs" in data.notes
        )
    else:  # no test rows: those are cut from train, as in a folder without a test file
        assert len(data.dev) == 12
        assert len(data.train) + len(data.test) == 12
    test = [i for i in range(24) if names[i % len(names)].strip().lower() == "test"]
    if test:
        assert load_split(str(path), "test").first.to_pylist() == [PAIRS[i][0] for i in test]


@pytest.mark.parametrize("names", [["0", "1", "2"], ["test", "dev"]])
def test_a_split_column_that_names_no_splits_is_said_to_be_ignored(tmp_path, names):
    path = written(tmp_path, "pairs.tsv", with_splits(names))
    data = load_data(str(path), seed=3)
    assert any(note.startswith("the column split is ignored: ") for note in data.notes)
    assert len(data.train) > len(data.dev)


def test_control_characters_of_a_wrong_conversion_are_noted(tmp_path):
    text = "".join(lines(header=HEADER)).replace("the pump", "the \u201cpump\u201d")
    wrong = text.encode("cp1252").decode("latin-1")
    notes = load_data(str(written(tmp_path, "wrong.tsv", wrong))).notes
    assert any("24 sentences hold control characters" in note for note in notes)
    notes = load_data(str(written(tmp_path, "right.tsv", text))).notes
    assert not any("control characters" in note for note in notes)


# Refusals: each names the true reason, and its advice leads to the pairs


class Advice(NamedTuple):
    name: str
    content: str | bytes
    row: int | None
    words: str
    """Part of the refusal."""
    followed: Callable[[str, str | bytes], tuple[str, str | bytes]]
    """The name and content of the file after the advice was followed."""


def text_change(change: Callable[[list[str]], list[str]]) -> Callable[..., tuple[str, str]]:
    def followed(name: str, content: str) -> tuple[str, str]:
        return name, "".join(change(content.splitlines(keepends=True)))

    return followed


def replaced(row: int, line: str) -> Callable[..., tuple[str, str]]:
    return text_change(lambda rows: [*rows[: row - 1], line, *rows[row:]])


def headed(header: str) -> Callable[..., tuple[str, str]]:
    return text_change(lambda rows: [header, *rows])


def without(*numbers: int) -> Callable[..., tuple[str, str]]:
    return text_change(lambda rows: [x for i, x in enumerate(rows, 1) if i not in numbers])


def renamed(name: str) -> Callable[..., tuple[str, str | bytes]]:
    return lambda _, content: (name, content)


def iconv(encoding: str) -> Callable[..., tuple[str, bytes]]:
    def followed(name: str, content: bytes) -> tuple[str, bytes]:
        done = subprocess.run(
            ["iconv", "-f", encoding, "-t", "UTF-8"], input=content, capture_output=True, check=True
        )
        return name, done.stdout

    return followed


def body(separator: str = "\t", row: int = 0, line: str = "") -> str:
    rows = lines(separator)
    if row:
        rows[row - 1] = line
    return "".join(rows)


def quoted(*cells: str, separator: str = "\t") -> str:
    return separator.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells) + "\n"


A, B, _ = PAIRS[0]
GO_ON = '"go" on'
COMMAS = "".join(quoted(a, b, f"{s:g}", separator=",") for a, b, s in PAIRS)

ADVICES = {
    "commas in a .tsv": Advice(
        "a.tsv", COMMAS, 1, "give the file a name that ends in .csv", renamed("a.csv")
    ),
    "unknown kind": Advice("a.txt", body(), None, "its name must end in", renamed("a.tsv")),
    "unknown names": Advice(
        "a.tsv", "one\ttwo\tthree\n" + body(), 1, "name them sentence1, sentence2, score",
        replaced(1, HEADER),
    ),
    "names of a wide table": Advice(
        "a.tsv", "Rating\t#1 Text\t#2 Text\n" + "".join(f"{s:g}\t{a}\t{b}\n" for a, b, s in PAIRS),
        1, "name them sentence1, sentence2, score", replaced(1, "score\tsentence1\tsentence2\n"),
    ),
    "unknown names before quotes as text": Advice(
        "a.tsv", "one\ttwo\tthree\n" + body("\t", 5, '"no" he\tsays\t3\n'),
        1, "name them sentence1, sentence2, score", replaced(1, HEADER),
    ),
    "two columns of numbers": Advice(
        "a.csv", "".join(f"{int(s) % 3},{a.replace(',', '')},{b},{s:g}\n" for a, b, s in PAIRS),
        1, "more than one column could be the score; add one",
        headed("id,sentence1,sentence2,score\n"),
    ),
    "no score at all": Advice(
        "a.tsv", "".join(f"{a}\t{b}\n" for a, b, _ in PAIRS), 1, "add a column of numbers",
        text_change(lambda rows: [f"{x.rstrip()}\t{i % 5}\n" for i, x in enumerate(rows)]),
    ),
    "no score column": Advice(
        "a.tsv", "sentence1\tsentence2\tpoints\n" + body(), 1, "name one score", replaced(1, HEADER)
    ),
    "a name twice": Advice(
        "a.tsv", "sentence1\tsentence2\tscore\tscore\n"
        + "".join(f"{a}\t{b}\t{s:g}\tx\n" for a, b, s in PAIRS),
        1, "rename or remove one", replaced(1, "sentence1\tsentence2\tscore\tother\n"),
    ),
    "a score missing in row 1": Advice(
        "a.tsv", "".join(f"{s:g}\t{a}\t{b}\n" for a, b, s in PAIRS).replace("0", "", 1),
        1, "the score is empty; correct or remove the row", without(1),
    ),
    "scores missing in many rows, quotes as text": Advice(
        "a.tsv",
        "".join(
            f"{'' if i % 4 == 2 else f'{s:g}'}\t{a if i != 9 else GO_ON}\t{b}\n"
            for i, (a, b, s) in enumerate(PAIRS)
        ),
        3, "the score is empty, as in 6 rows; fill or remove them", without(3, 7, 11, 15, 19, 23),
    ),
    "a score that is a word": Advice(
        "a.tsv", body("\t", 4, f"{A}\t{B}\thigh\n"), 4,
        "not a number; correct or remove the row", without(4),
    ),
    "a short row": Advice(
        "a.tsv", body("\t", 5, f"{A}\t{B}\n"), 5, "fill or remove the row", without(5)
    ),
    "a separator in a sentence": Advice(
        "a.tsv", body("\t", 5, f"{A}\tmore\t{B}\t3\n"), 5, "quote the cells that hold a separator",
        replaced(5, quoted(f"{A}\tmore", B, "3")),
    ),
    "a comma in a sentence": Advice(
        "a.csv", "".join(f"{a.replace(',', '')},{b},{s:g}\n" for a, b, s in PAIRS) + f"{A},{B},3\n",
        25, "quote the cells that hold a separator", replaced(25, quoted(A, B, "3", separator=",")),
    ),
    "a quote that is never closed": Advice(
        "a.csv", COMMAS + f'"{A},{B},3\n', 25, "close it",
        replaced(25, quoted(A, B, "3", separator=",")),
    ),
    "text after a closing quote": Advice(
        "a.csv", COMMAS + f'"no" he says,{B},3\n', 25, "write a quote twice",
        replaced(25, quoted('"no" he says', B, "3", separator=",")),
    ),
    "a quote that takes in rows": Advice(
        "a.csv", COMMAS.replace('"', "").replace(", says", " says") + '"open,x,1\nclose",y,2\n',
        25, "write each quote that is text twice",
        text_change(lambda rows: [*rows[:24], '"""open",x,1\n', '"close""",y,2\n']),
    ),
    "an empty sentence": Advice(
        "a.tsv", body("\t", 6, f"\t{B}\t3\n"), 6, "fill or remove", without(6)
    ),
    "a sentence of 1 MB": Advice(
        "a.tsv", body("\t", 6, f"{'x' * 1_000_001}\t{B}\t3\n"), 6,
        "longer than 1 MB; shorten or remove it", without(6),
    ),
    "UTF-32": Advice(
        "a.tsv", body().encode("utf-32"), None, "iconv -f UTF-32 -t UTF-8", iconv("UTF-32")
    ),
    "UTF-16 without its mark": Advice(
        "a.tsv", body().encode("utf-16-le"), 1, "iconv -f UTF-16LE -t UTF-8", iconv("UTF-16LE")
    ),
    "one wrong byte in UTF-8": Advice(
        "a.tsv", body("\t", 2, f"caf\u00e9\t{B}\t3\n").encode() + b"caf\xe9\tx\t3\n", 25,
        "the text before it is UTF-8: correct this row",
        lambda name, content: (name, content.replace(b"caf\xe9", "caf\u00e9".encode())),
    ),
    "no gzip": Advice("a.tsv.gz", body(), None, "rename it without .gz", renamed("a.tsv")),
    "gzip cut off": Advice(
        "a.tsv.gz", gzip.compress(body().encode())[:-9], 1, "copy or download the file again",
        lambda name, _: (name, gzip.compress(body().encode())),
    ),
    "Parquet": Advice(
        "a.tsv", parquet_bytes(PAIRS), None, "give it a name that ends in .parquet",
        renamed("a.parquet"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("advice", ADVICES.values(), ids=ADVICES.keys())
def test_an_advice_that_is_followed_leads_to_the_pairs(tmp_path, advice):
    path = written(tmp_path, advice.name, advice.content)
    with pytest.raises(DataError) as refusal:
        load_data(str(path), seed=1)
    message = str(refusal.value)
    assert advice.words in message
    where = f"{path}:" if advice.row is None else f"{path}:{advice.row}: "
    assert message.startswith(where)
    name, content = advice.followed(advice.name, advice.content)
    corrected = written(tmp_path, name, content)
    load_data(str(corrected), seed=1)
    pairs = loaded(corrected)
    known = {b for _, b, _ in PAIRS}
    assert sum(b in known for _, b in pairs) >= len(PAIRS) - 6


def test_the_pairs_of_any_mixture_of_quotes_are_accounted_for(tmp_path):
    """With quotes at random, each record is a pair or the file is refused; no row vanishes."""
    import random

    chance = random.Random(5)
    read = 0
    for trial in range(150):
        rows = []
        for a, b, s in PAIRS:
            cells = [a.replace(",", ""), b, f"{s:g}"]
            for i in (0, 1):
                if chance.random() < 0.08:
                    at = chance.choice([0, len(cells[i])])
                    cells[i] = cells[i][:at] + '"' + cells[i][at:]
            rows.append("\t".join(cells) + "\n")
        path = written(tmp_path, f"{trial}.tsv", "".join(rows))
        try:
            pairs = loaded(path)
        except DataError:
            continue
        read += 1
        assert len(pairs) == len(PAIRS)
    assert read > 100
