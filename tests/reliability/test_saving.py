import errno

from reliability.check_power import cut_at_each_moment
from reliability.check_saving import failed_at_each_operation, killed_at_each_operation


def test_a_save_killed_at_any_operation_leaves_a_whole_checkpoint(place):
    killed_at_each_operation(place, hows=("half",)).passed()


def test_an_io_error_at_any_operation_loses_nothing(place):
    failed_at_each_operation(place, codes=(errno.ENOSPC,)).passed()


def test_a_power_cut_at_any_moment_leaves_the_old_or_the_new_state(place):
    cut_at_each_moment(place, every=3).passed()
