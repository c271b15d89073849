"""What the tests of the app share."""

import pytest
from app_support import started, write_run
from playground_support import leave_weights


@pytest.fixture
def run(home):
    """A run with weights of epoch 1."""
    folder = write_run(home / "data" / "nexus" / "runs", "tuned-run", [started("tuned-run")])
    leave_weights(folder, 1)
    return folder
