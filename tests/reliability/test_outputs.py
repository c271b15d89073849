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
from reliability.conftest import a_place
from reliability.output_work import World

NAMES = ("export delta", "embed", "build", "add", "refresh")


@pytest.fixture(scope="module")
def world():
    with a_place() as place:
        yield World.make(place / "world", NAMES)


def test_a_killed_export_embedding_or_index_goes_on(place, world):
    killed(place, 1, NAMES, world=world).passed()


def test_one_killed_at_an_operation_goes_on(place, world):
    killed_at_operations(place, ("embed",), 2, ("half",), world=world).passed()


def test_a_signal_leaves_it_whole_absent_or_resumable(place, world):
    signalled(place, 1, ("embed",), world=world).passed()


def test_a_full_disk_is_told_and_it_goes_on(place, world):
    found = disk_filled(place, (40_000,), ("export delta", "build"), world=world)
    if found.note:
        pytest.skip(found.note)
    found.passed()


def test_an_input_output_error_is_told_and_it_goes_on(place, world):
    disk_failed(place, ("refresh",), (errno.ENOSPC,), 1, world=world).passed()


def test_a_read_only_disk_is_told_and_an_index_there_answers(place, world):
    found = read_only(place, ("build", "add"), world=world)
    if found.note:
        pytest.skip(found.note)
    found.passed()


def test_an_index_that_a_stranger_made_is_opened_or_refused_and_changes_nothing(place):
    hostile_index(place, few=2).passed()


def test_planted_sentences_stay_where_they_are(place):
    private_outputs(place, without=("onnx", "as-st")).passed()
