from reliability.check_kills import killed_at_random
from reliability.check_resume import SHORT, resumed_everywhere


def test_a_resumed_run_equals_an_uninterrupted_one(place):
    resumed_everywhere(place, SHORT).passed()


def test_a_killed_run_resumes_to_the_same_end(place):
    killed_at_random(place, 6).passed()
