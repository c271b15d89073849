"""A work queue that is ended: what runs stops at its next check, and what waits never begins."""

from __future__ import annotations

import threading
import time

from nexus_tui.app.kit.work_queue import WorkQueue


def test_end_stops_the_running_job_and_drops_the_others():
    outcomes, began, begun_later = [], threading.Event(), []
    queue = WorkQueue(lambda call: call(), "nexus-test")

    def work(check):
        began.set()
        while True:
            check()
            time.sleep(0.001)

    queue.submit("first", work, outcomes.append, outcomes.append)
    queue.submit("second", lambda _: begun_later.append(1), outcomes.append, outcomes.append)
    assert began.wait(30)
    queue.end(30)
    assert queue._thread is None
    assert (outcomes, begun_later) == ([], [])
    queue.end(0)  # nothing runs


def test_an_ended_queue_waits_no_longer_than_it_may():
    release, began = threading.Event(), threading.Event()
    queue = WorkQueue(lambda call: call(), "nexus-test")

    def work(check):
        began.set()
        release.wait(60)

    queue.submit("deaf", work, lambda _: None, lambda _: None)
    assert began.wait(30)
    queue.end(0.05)
    assert queue._thread is not None
    release.set()
    queue.wait(30)
