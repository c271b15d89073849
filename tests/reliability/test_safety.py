import pytest

from reliability.check_models import mutated, refused
from reliability.check_offline import attempts_are_seen
from reliability.check_private import (
    canaries,
    modes,
    names,
    nothing_opened,
    use_everything,
    warned,
)
from reliability.conftest import a_place


def test_foreign_model_folders_are_refused_in_one_line(place):
    refused(place, every=3).passed()


def test_mutated_model_files_are_loaded_or_refused(place):
    mutated(place, 30).passed()


@pytest.fixture(scope="module")
def used():
    with a_place() as place:
        yield use_everything(place)


def test_no_pickle_is_opened_no_socket_made_and_each_use_noted(place, used):
    nothing_opened(place, used=used).passed()


def test_canary_sentences_are_found_in_no_file(place, used):
    canaries(place, used=used).passed()


def test_folders_and_files_are_for_their_owner_under_any_umask(place):
    modes(place, umasks=(0o000, 0o777)).passed()


def test_a_run_folder_where_others_may_write_is_warned_about(place):
    warned(place, modes=(0o700, 0o770)).passed()


def test_names_that_no_run_has_are_refused(place):
    names(place).passed()


def test_an_attempt_to_reach_the_network_is_seen(place):
    assert attempts_are_seen(place) == []
