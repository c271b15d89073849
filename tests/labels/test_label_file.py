"""A label file: what is acknowledged is on the disk, and what is not does not count."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from nexus_engine.errors import ConfigError, DataError, ResourceError, RunError
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.reading import read_labels
from nexus_engine.labels.verdicts import pair_key, search_key


def opened(tmp_path, rater="ann", name="labels.jsonl"):
    return LabelFile.open(tmp_path / name, rater)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_act_is_a_line_for_the_owner_alone(tmp_path):
    path = tmp_path / "new" / "labels.jsonl"
    with LabelFile.open(path, "ann") as labels:
        first = labels.judge_pair("A café.", "A bar.", "grade", grade=2)
        labels.judge_pair("Yes.", "No.", "same", same=False)
        labels.judge_passage("Where?", "Here.", "mark", relevant=True, document="a.md")
        labels.judge_passage("Where?", "There.", "skip")
    header, *acts = lines(path)
    assert header["nexus_labels"] == 1
    assert acts[0] == {
        "id": first.id, "time": first.time, "rater": "ann", "kind": "pair",
        "a": "A café.", "b": "A bar.", "answer": "grade", "grade": 2, "part": first.part,
    }  # fmt: skip
    assert [act["answer"] for act in acts] == ["grade", "same", "mark", "skip"]
    assert acts[1]["same"] is False
    assert acts[2]["relevant"] is True
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == ["labels.jsonl"]  # the lock is gone
    assert read_labels(path).verdicts[0] == first


def test_a_later_verdict_replaces_until_it_is_undone(tmp_path):
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
        labels.judge_pair("TWO.", " one.", "grade", grade=4)
        assert [verdict.grade for verdict in labels.verdicts] == [4]
        assert labels.undo().grade == 4
        assert [verdict.grade for verdict in labels.verdicts] == [1]
        assert labels.undo().grade == 1
        assert labels.undo() is None
        assert labels.verdicts == ()
        assert labels.judged_keys() == set()
    read = read_labels(tmp_path / "labels.jsonl")
    assert (read.verdicts, read.undone, read.damaged) == ((), 2, 0)


def test_undo_reaches_back_to_the_opening_and_no_further(tmp_path):
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
    with opened(tmp_path) as labels:
        labels.judge_pair("Three.", "Four.", "unsure")
        assert labels.undo() is not None
        assert labels.undo() is None
        assert len(labels.verdicts) == 1


def test_judged_keys_are_those_of_one_rater_as_shown_and_as_judged(tmp_path):
    shown = pair_key("One.", "Two.")
    with opened(tmp_path) as labels:
        labels.judge_pair("One!", "Two.", "same", same=True, asked=shown)
        labels.judge_passage("Q?", "P.", "skip")
    with opened(tmp_path) as labels:
        expected = {shown, pair_key("Two.", "One!"), search_key("q?", "p.")}
        assert labels.judged_keys() == expected
    with opened(tmp_path, "bob") as labels:
        assert labels.judged_keys() == set()
        labels.judge_pair("One!", "Two.", "same", same=False)
        assert [verdict.same for verdict in labels.verdicts if verdict.answer == "same"] == [
            True,
            False,
        ]


def test_counts_tell_kinds_grades_parts_and_raters(tmp_path):
    with opened(tmp_path) as labels:
        for number in range(12):
            labels.judge_pair(f"One {number}.", f"Two {number}.", "grade", grade=number % 3)
        labels.judge_pair("One.", "Two.", "unsure")
        labels.judge_passage("Q?", "P.", "mark", relevant=True)
        labels.judge_passage("Q?", "R.", "mark", relevant=False)
        labels.judge_passage("Q?", "S.", "skip")
        counts = labels.counts()
    assert counts.grades == (4, 4, 4, 0, 0, 0)
    assert (counts.relevant, counts.not_relevant, counts.questions) == (1, 1, 1)
    assert (counts.unsure, counts.skipped, counts.answered, counts.total) == (1, 1, 14, 16)
    assert sum(counts.parts.values()) == 14
    assert counts.raters == {"ann": 16}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("", "b", "skip"), "first sentence is empty"),
        (("a", " \n", "skip"), "second sentence is empty"),
        (("a", "b\0", "skip"), "holds a NUL"),
        (("a", "b" * 1_000_001, "skip"), "longer than 1 MB"),
        (("a", "b", "grade"), "does not fit"),
    ],
)
def test_a_verdict_that_says_nothing_is_refused(tmp_path, arguments, reason):
    with opened(tmp_path) as labels, pytest.raises(DataError, match=reason):
        labels.judge_pair(*arguments)
    assert read_labels(tmp_path / "labels.jsonl").verdicts == ()


def test_a_grade_out_of_range_is_refused(tmp_path):
    with opened(tmp_path) as labels, pytest.raises(DataError, match="0 to 5"):
        labels.judge_pair("a", "b", "grade", grade=6)


def test_a_lone_surrogate_is_kept_as_it_can_be_written(tmp_path):
    with opened(tmp_path) as labels:
        verdict = labels.judge_pair("a\udcff", "b", "skip")
    assert verdict.a == "a?"
    assert read_labels(tmp_path / "labels.jsonl").verdicts == (verdict,)


@pytest.mark.parametrize("tail", [b'{"id": "x", "ti', b"\0" * 40, b'{"nexus'])
def test_a_torn_line_does_not_count_and_the_next_stands_on_its_own(tmp_path, tail):
    path = tmp_path / "labels.jsonl"
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
    with path.open("ab") as file:
        file.write(tail)
    before = read_labels(path)
    assert (len(before.verdicts), before.damaged) == (1, 1)
    with opened(tmp_path) as labels:
        assert len(labels.verdicts) == 1
        labels.judge_pair("Three.", "Four.", "grade", grade=2)
    after = read_labels(path)
    assert [verdict.grade for verdict in after.verdicts] == [1, 2]
    assert after.damaged == 1


def test_a_last_line_without_its_newline_counts_before_and_after(tmp_path):
    path = tmp_path / "labels.jsonl"
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
    path.write_bytes(path.read_bytes()[:-1])  # as an editor may leave it
    assert len(read_labels(path).verdicts) == 1
    with opened(tmp_path) as labels:
        labels.judge_pair("Three.", "Four.", "grade", grade=2)
    assert len(read_labels(path).verdicts) == 2
    assert read_labels(path).damaged == 0


def test_a_line_given_twice_counts_once(tmp_path):
    path = tmp_path / "labels.jsonl"
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    assert len(read_labels(path).verdicts) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"a,b,score\nOne.,Two.,3\n",
        b'{"a": "One."}\n',
        b"[1]\n",
        b"\x80PNG",
        b'{"nexus_labels": 0}\n',
    ],
)
def test_a_file_that_is_no_label_file_is_refused_and_left(tmp_path, content):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    for use in (lambda: LabelFile.open(path, "ann"), lambda: read_labels(path)):
        with pytest.raises(DataError, match=r"mine\.jsonl: is no label file"):
            use()
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["mine.jsonl"]


def test_a_file_of_a_later_version_is_refused(tmp_path):
    (tmp_path / "labels.jsonl").write_text('{"nexus_labels": 2}\n')
    with pytest.raises(DataError, match="later version"):
        opened(tmp_path)


def test_a_huge_file_and_a_huge_line_are_not_read(tmp_path):
    path = tmp_path / "labels.jsonl"
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "skip")
    os.truncate(path, 40_000_000)  # a sparse line: it takes no room
    with path.open("ab") as file:
        file.write(b"\n")
    assert (len(read_labels(path).verdicts), read_labels(path).damaged) == (1, 1)
    os.truncate(path, 10**12)
    with pytest.raises(DataError, match="larger than 2 GB"):
        read_labels(path)


def test_an_empty_file_is_begun(tmp_path):
    (tmp_path / "labels.jsonl").touch()
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "skip")
    assert len(read_labels(tmp_path / "labels.jsonl").verdicts) == 1


def test_links_folders_and_fifos_are_refused(tmp_path):
    (tmp_path / "target").write_text("precious\n")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("link.jsonl", "fifo.jsonl", "folder.jsonl", "nul\0.jsonl"):
        with pytest.raises(DataError, match="cannot be opened"):
            opened(tmp_path, name=name)
    assert (tmp_path / "target").read_text() == "precious\n"
    assert sorted(os.listdir(tmp_path)) == ["fifo.jsonl", "folder.jsonl", "link.jsonl", "target"]


def test_a_second_writer_learns_who_has_the_file(tmp_path):
    with opened(tmp_path):
        with pytest.raises(RunError, match=rf"labels\.jsonl: .*process {os.getpid()} on "):
            opened(tmp_path, "bob")
        assert read_labels(tmp_path / "labels.jsonl").verdicts == ()  # reading needs no lock
    opened(tmp_path, "bob").close()


def test_a_killed_writer_leaves_no_lock(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from nexus_engine.labels.label_file import LabelFile\n"
        "labels = LabelFile.open(sys.argv[1], 'ann')\n"
        "labels.judge_pair('One.', 'Two.', 'grade', grade=3)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "labels.jsonl"])
    assert done.returncode == -9
    with opened(tmp_path) as labels:
        assert [verdict.grade for verdict in labels.verdicts] == [3]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_one_line_and_nothing_counts(tmp_path, monkeypatch, call):
    true_write = os.write

    def full(handle, content=b""):
        if len(content) > 1:
            true_write(handle, bytes(content)[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "labels.jsonl"
    with opened(tmp_path) as labels:
        labels.judge_pair("One.", "Two.", "grade", grade=1)
        before = path.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            with pytest.raises(ResourceError, match=r"not saved \(No space left.*make room"):
                labels.judge_pair("Three.", "Four.", "grade", grade=2)
            with pytest.raises(ResourceError):
                labels.undo()
        assert len(labels.verdicts) == 1
        assert path.read_bytes() == before
        labels.judge_pair("Three.", "Four.", "grade", grade=2)
        assert labels.undo().grade == 2
    assert [verdict.grade for verdict in read_labels(path).verdicts] == [1]


def test_a_full_disk_leaves_no_new_file(tmp_path, monkeypatch):
    def full(handle, content=b""):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ResourceError, match="make room"):
        opened(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_file_that_was_moved_away_takes_no_verdict(tmp_path):
    with opened(tmp_path) as labels:
        (tmp_path / "labels.jsonl").rename(tmp_path / "moved.jsonl")
        with pytest.raises(DataError, match="moved, removed or replaced"):
            labels.judge_pair("One.", "Two.", "skip")
    assert read_labels(tmp_path / "moved.jsonl").verdicts == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file_is_one_line(tmp_path):
    opened(tmp_path).close()
    (tmp_path / "labels.jsonl").chmod(0o400)
    with pytest.raises(DataError, match=r"may not write.*belongs to you"):
        opened(tmp_path)


def test_a_permission_that_is_denied_is_one_line(tmp_path, monkeypatch):
    def denied(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("nexus_engine.labels.label_file.open_regular", denied)
    with pytest.raises(DataError, match=r"may not write.*belongs to you; name another") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_rater_needs_a_name(tmp_path):
    with pytest.raises(ConfigError, match="--rater"):
        opened(tmp_path, "\n\x1b")
    assert os.listdir(tmp_path) == []


def test_no_sentence_is_in_a_repr(tmp_path):
    with opened(tmp_path) as labels:
        pair = labels.judge_pair("secret one", "secret two", "grade", grade=2)
        passage = labels.judge_passage("secret?", "secret.", "mark", relevant=True)
    assert "secret" not in repr((pair, passage, read_labels(tmp_path / "labels.jsonl")))


def test_the_fingerprint_is_of_what_is_said(tmp_path):
    for name, order in (("a", (1, 2)), ("b", (2, 1)), ("c", (1, 3))):
        with opened(tmp_path, name=name) as labels:
            for grade in order:
                labels.judge_pair(f"One {min(grade, 2)}.", "Two.", "grade", grade=grade)
    first, other_order, other_grade = (read_labels(tmp_path / name) for name in "abc")
    assert first.fingerprint == other_order.fingerprint != other_grade.fingerprint
