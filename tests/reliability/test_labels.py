import errno

from reliability.check_labels import cut_at_each_moment, failed_at_each_operation, killed


def test_a_killed_rater_loses_no_verdict(place):
    killed(place, 10).passed()


def test_a_power_cut_loses_no_verdict(place):
    cut_at_each_moment(place).passed()


def test_a_full_disk_keeps_no_half_of_a_verdict(place):
    failed_at_each_operation(place, codes=(errno.ENOSPC,)).passed()
