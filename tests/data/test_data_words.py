"""README, docs/data.md and `--help` describe the data as the program reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nexus_engine.data import load_data
from nexus_engine.data.files.folders import STEMS
from nexus_engine.data.ranges import KNOWN_RANGES
from nexus_engine.data.reading.columns import SCORE_NAMES, SENTENCE_NAMES
from nexus_engine.data.reading.compression import PACKED_SUFFIXES
from nexus_engine.data.reading.formats import SUFFIXES
from nexus_engine.data.reading.json_rows import ROW_KEYS
from nexus_engine.data.reading.named_columns import PAIR_ROLES
from nexus_engine.data.split_column import SPELLINGS
from nexus_engine.model.base_model import MAX_TOKENS
from nexus_engine.settings.record import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/data.md").read_text()
README = (ROOT / "README.md").read_text()
DATA, RANGE = SETTINGS["data"].help, SETTINGS["score_range"].help


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table(title: str) -> list[list[str]]:
    """The cells of the first table of a section, without its two header lines."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def squeezed(names: list[str]) -> tuple[str, ...]:
    return tuple(re.sub(r"[\s_-]", "", name).casefold() for name in names)


def test_the_page_lists_the_names_that_are_read_in_their_order():
    rows = table("Columns")
    assert tuple(squeezed(quoted(sentences)) for sentences, _ in rows) == SENTENCE_NAMES
    assert squeezed([name for _, names in rows for name in quoted(names)]) == SCORE_NAMES


def test_each_name_that_the_page_lists_is_read(tmp_path):
    path = tmp_path / "pairs.csv"
    rows = "".join(f"a fan {i},fan {i},{i % 5 + 0.5}\n" for i in range(12))
    scores = [name for _, names in table("Columns") for name in quoted(names)]
    pairs = [quoted(sentences) for sentences, _ in table("Columns")]
    for i, names in enumerate(pairs):
        header = [*names, scores[i % len(scores)]]
        path.write_text(",".join(header) + "\n" + rows)
        assert load_data(str(path)).notes[0] == "columns " + ", ".join(header)


def test_the_page_lists_kinds_splits_and_ranges():
    assert {name for kinds, _ in table("Files") for name in quoted(kinds)} == set(SUFFIXES)
    words = quoted(section("Columns").split("**Split.**")[1])
    assert set(words) - {"split"} == set(SPELLINGS)
    folder = section("Files").split("A folder holds")[1].split(":")[0]
    assert set(quoted(folder)) == set(STEMS)


def test_ranges_and_the_longest_text_are_said_in_every_place():
    dots = [f"{low}..{high}" for low, high in KNOWN_RANGES]
    assert ", ".join(dots) in section("Scores")
    assert ", ".join(dots[:-1]) + " and " + dots[-1] in README.replace("\n", " ")
    pairs = [f"{low},{high}" for low, high in KNOWN_RANGES]
    assert " ".join(pairs[:-1]) + " and " + pairs[-1] in RANGE
    for text in (section("Sizes"), README, DATA):
        assert f"{MAX_TOKENS} tokens" in text


PAIRS = [(f"the fan {i} hums", f"fan {i} is humming", i % 6) for i in range(24)]
TABS = [f"{a}\t{b}\t{score}\n" for a, b, score in PAIRS]
WIDE = [f"own\t{score}\t{a}\t{b}\n" for a, b, score in PAIRS]
COMMAS = [f"{a},{b},{score}\n" for a, b, score in PAIRS]
SPLIT = ["split,sentence1,sentence2,score\n"]
NOTED: dict[str, tuple[str, list[str]]] = {
    "no header; columns 1, 2, 3": ("a.tsv", TABS),
    "quotes are taken as plain characters": ("a.tsv", [*TABS, '"Off" it\tis\t2\n']),
    "separated by tabs, whatever its name says": ("a.csv", TABS),
    "separated by semicolons": ("a.csv", [line.replace("\t", ";") for line in TABS]),
    "separated by vertical bars": ("a.csv", [line.replace("\t", "|") for line in TABS]),
    "24 scores are written with a comma": ("a.tsv", [x[:-1] + ",5\n" for x in TABS]),
    "not UTF-8: read as Windows-1252": ("western.csv", [*COMMAS, "th\u00e9,caf\u00e9,2\n"]),
    "1 row is left out": ("a.csv", [*COMMAS, "no,score,\n"]),
    "1 row spans 2 lines": ("a.csv", [*COMMAS, '"two\nlines",one,3\n']),
    "2 blank lines are passed over": ("a.csv", [*COMMAS, "\n", "\n"]),
    "1 row has more columns than the first row": ("a.tsv", [*WIDE, "own\t1\tis a\ta b\tmore\n"]),
    "2 sentences hold control characters": ("a.csv", [*COMMAS, "\x93so\x94,\x91it\x92,2\n"]),
    "column 4 holds digits too and is ignored": ("a.csv", [x[:-1] + ",5\n" for x in COMMAS]),
    "split as the column split says": ("a.csv", SPLIT + [f"train,{line}" for line in COMMAS]),
    "the column split is ignored": ("a.csv", SPLIT + [f"3,{line}" for line in COMMAS]),
}


@pytest.mark.parametrize("note", NOTED)
def test_each_note_of_the_page_is_given(tmp_path, note):
    name, lines = NOTED[note]
    path = tmp_path / name
    path.write_text("".join(lines), encoding="cp1252" if name == "western.csv" else "utf-8")
    data = load_data(str(path), skip_bad="left out" in note)
    assert any(line.startswith(note) for line in data.notes)
    plural = re.sub(r"^\d+ (rows?|blank|sentences|scores)", r"N \1", note)
    plural = plural.replace("2 lines", "M lines").replace("N row is", "N rows are")
    plural = plural.replace("N row spans", "N rows span").replace("N row has", "N rows have")
    assert f"`{plural}`" in PAGE


def test_every_note_of_the_page_is_tried():
    listed = [name for notes, _ in table("Notes") for name in quoted(notes)]
    assert len(listed) == len(NOTED) + 2  # and `columns ...`, and that of a cloned repository


def test_the_page_lists_the_packings_and_the_roles():
    files = section("Files")
    packed = files.split("may be packed:")[1].split("(")[0]
    assert set(quoted(packed)) == set(PACKED_SUFFIXES)
    assert set(quoted(files.split("Roles are")[1].split(".")[0])) == set(PAIR_ROLES)
    assert set(ROW_KEYS) <= set(quoted(files))
