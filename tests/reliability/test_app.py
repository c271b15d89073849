from reliability.check_keys import typed
from reliability.check_openings import opened
from reliability.check_screens import SHORT, screens


def test_every_screen_opens_on_every_state_of_a_run(place):
    opened(place, 10, (2,), light=True).passed()


def test_noise_on_the_terminal_ends_no_app(place):
    typed(place, 1, 6).passed()


def test_signals_find_the_run_and_the_terminal_safe_whatever_is_open(place):
    screens(place, SHORT).passed()
