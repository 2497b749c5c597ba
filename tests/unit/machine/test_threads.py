"""Threads that there may be none to have of."""

from __future__ import annotations

import threading

import pytest

from hpt_cli.errors import HptError
from hpt_cli.machine.threads import start_pool, start_thread


def refuse_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let no more threads than this be started."""
    start, started = threading.Thread.start, []

    def start_or_fail(self: threading.Thread) -> None:
        if len(started) >= number:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_or_fail)


def test_a_pool_has_all_its_threads_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = start_pool(3, "test")
    refuse_after(monkeypatch, 0)
    together = threading.Barrier(3)
    done = [pool.submit(together.wait, 20) for _ in range(3)]
    assert sorted(each.result(20) for each in done) == [0, 1, 2]
    pool.shutdown()


def test_where_no_thread_is_to_be_had_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_after(monkeypatch, 2)
    with pytest.raises(HptError, match="cannot start the threads") as caught:
        start_pool(3, "test")
    assert "ulimit -u" in caught.value.problems[0].hint
    with pytest.raises(HptError, match="cannot start the threads"):
        start_thread(lambda: None, "test")
