from reliability.check_hostile import hostile


def test_a_run_folder_that_a_stranger_made_is_opened_or_refused_and_changes_nothing(place):
    hostile(place, few=12).passed()
