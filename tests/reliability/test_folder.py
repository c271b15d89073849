from reliability.check_folder import damaged, locked, log_cut_anywhere


def test_the_log_survives_a_cut_after_any_byte(place):
    log_cut_anywhere(place).passed()


def test_one_process_holds_a_run_and_a_dead_one_does_not(place):
    locked(place, 1).passed()


def test_damage_to_any_file_of_a_run_is_met(place):
    damaged(place, 8, load=False).passed()
