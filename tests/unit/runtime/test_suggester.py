"""When a suggestion begins, and how long it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from hpt_cli.runtime.suggester import HEAD_START_SECONDS, Suggester
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from tests import builders as b

STATE = b.fold_all(*b.created(b.make_spec()))
ALMOST = HEAD_START_SECONDS / 2


def suggest(read: Callable[[], TuningState], written: Event | None) -> ev.Event:
    """Return what is suggested for the first job."""

    async def ask() -> ev.Event:
        with ThreadPoolExecutor(2) as threads:
            is_done = asyncio.Event()
            suggester = Suggester(time.time, is_done.set, threads)
            suggester.suggest(read, 1, written)
            await is_done.wait()
            (event,) = suggester.pop_done()
            return event

    return asyncio.run(ask())


def test_a_launch_that_is_being_recorded_comes_first() -> None:
    written, was_written = Event(), list[bool]()

    def read() -> TuningState:
        was_written.append(written.is_set())
        return STATE

    async def ask() -> None:
        with ThreadPoolExecutor(2) as threads:
            suggester = Suggester(time.time, bool, threads)
            suggester.suggest(read, 1, written)
            await asyncio.sleep(ALMOST / 2)
            assert not was_written
            written.set()
            await asyncio.wait_for(suggester._suggestion, 10)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert was_written == [True]


@pytest.mark.parametrize("is_launching", [False, True])
def test_waiting_is_no_part_of_what_a_suggestion_takes(*, is_launching: bool) -> None:
    """A journal that cannot be written holds no suggestion up for long."""
    begun = time.perf_counter()
    event = suggest(lambda: STATE, Event() if is_launching else None)
    waited = time.perf_counter() - begun
    assert isinstance(event, ev.JobSuggested)
    assert event.seconds <= waited - HEAD_START_SECONDS * is_launching + 0.001
    assert (waited >= HEAD_START_SECONDS) or not is_launching
