import errno

import pytest

from reliability.check_hostile_index import hostile_index
from reliability.check_outputs import (
    disk_failed,
    disk_filled,
    killed,
    killed_at_operations,
    read_only,
    signalled,
)
from reliability.check_private_outputs import private_outputs


def test_a_killed_export_embedding_or_index_goes_on(place):
    killed(place, 2, ("export st", "embed int8", "build", "add", "refresh")).passed()


def test_one_killed_at_an_operation_goes_on(place):
    killed_at_operations(place, ("embed",), stride=7, hows=("half",)).passed()


def test_a_signal_leaves_it_whole_absent_or_resumable(place):
    signalled(place, 1, ("build",)).passed()


def test_a_full_disk_is_told_and_it_goes_on(place):
    found = disk_filled(place, (40_000,), ("export delta", "embed", "build", "add"))
    if found.note:
        pytest.skip(found.note)
    found.passed()


def test_an_input_output_error_is_told_and_it_goes_on(place):
    disk_failed(place, ("refresh",), (errno.ENOSPC,), stride=9).passed()


def test_a_read_only_disk_is_told_and_an_index_there_answers(place):
    found = read_only(place, ("embed", "build", "add"))
    if found.note:
        pytest.skip(found.note)
    found.passed()


def test_an_index_that_a_stranger_made_is_opened_or_refused_and_changes_nothing(place):
    hostile_index(place, few=4).passed()


def test_planted_sentences_stay_where_they_are(place):
    private_outputs(place, without=("onnx", "as-st")).passed()
