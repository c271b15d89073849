import pytest

from reliability.check_limits import full_disk, memory_limited


def test_commands_with_too_little_memory_end_with_4(place):
    memory_limited(place, ["config", "similarity", "report"], (48, 100)).passed()


def test_a_report_and_an_audit_on_a_full_disk(place):
    found = full_disk(place, ["report", "stdout"], (0,))
    if found.note:
        pytest.skip(found.note)
    found.passed()
