from reliability.check_creators import created_at_once
from reliability.check_sweep_disk import disk_fills
from reliability.check_sweeps import START, killed


def test_a_killed_sweep_leaves_no_process_and_goes_on(place):
    killed(place, [(START, 1.2)]).passed()


def test_of_two_creators_one_has_the_folder(place):
    created_at_once(place, 30).passed()


def test_a_sweep_on_a_full_disk_loses_nothing(place):
    disk_fills(place, mounted=False).passed()
