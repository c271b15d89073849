from reliability.check_kills import killed_at_random
from reliability.check_resume import SHORT, resumed_everywhere
from reliability.check_signals import forced
from reliability.check_trouble import disk_fails, trouble


def test_a_resumed_run_equals_an_uninterrupted_one(place):
    resumed_everywhere(place, SHORT).passed()


def test_a_killed_run_resumes_to_the_same_end(place):
    killed_at_random(place, 2).passed()


def test_a_second_interrupt_ends_at_once_and_the_run_resumes(place):
    forced(place).passed()


def test_no_memory_stops_a_run_that_can_be_resumed(place):
    graded = ["cpu in train", "MemoryError in save"]
    trouble(place, graded, 4, "memory", cases=("dendrites",)).passed()
    trouble(place, ["MemoryError in evaluate"], 4, "memory", cases=("questions",)).passed()


def test_a_number_that_is_not_finite_is_seen_within_a_step(place):
    graded = ["nan in gradient", "inf in weight"]
    trouble(place, graded, 5, "numbers", cases=("dendrites",)).passed()
    trouble(place, ["nan in metric"], 5, "numbers", cases=("questions",)).passed()


def test_a_full_disk_in_a_run_loses_nothing(place):
    disk_fails(place, [60], (28,), cases=("dendrites",)).passed()
