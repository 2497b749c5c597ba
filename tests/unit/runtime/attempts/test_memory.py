"""How many jobs may be paused, as far as memory allows."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpt_cli.executors import Handle
from hpt_cli.executors.processes import list_descendants, measure_memory
from hpt_cli.machine import capacity
from hpt_cli.machine.capacity import GIB, read_available_memory, read_memory
from hpt_cli.machine.gpus import Gpu
from hpt_cli.runtime.attempts import memory
from hpt_cli.runtime.attempts.memory import Memory, MemoryMonitor, count_gpu_room
from hpt_cli.spec.parts import Pausing
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.state import TuningState
from tests import builders as b


@pytest.mark.parametrize(
    ("available", "used", "limit", "room"),
    [
        (10, {1: 2, 2: 2}, math.inf, 4),  # 10 - 1 of reserve, by 2
        (10, {1: 1, 2: 2}, math.inf, 4),  # job 1 may come to use another 1
        (10, {2: 2}, math.inf, 3),  # of job 1 nothing is known yet
        (10, {1: 2, 2: 2}, 7, 2),  # the paused one uses 2 of 7
        (2.5, {1: 1, 2: 2}, math.inf, 0),
        (0.5, {1: 2, 2: 2}, math.inf, -1),
    ],
)
def test_there_is_room_for_what_leaves_the_reserve_free(
    available: float, used: dict[int, float], limit: float, room: int
) -> None:
    measured = Memory(used, available, reserve=1)
    assert measured.count_room(growing={1}, paused={2}, need=2, limit=limit) == room


def test_what_was_paused_since_the_measurement_may_keep_as_much_as_any() -> None:
    measured = Memory({1: 2, 2: 0.5}, 10, reserve=1)
    assert measured.count_room(growing={1}, paused={2}, need=2, limit=5) == 2
    assert measured.count_room(growing={1, 2}, paused={2}, need=2, limit=5) == 1


class Measuring:
    """An executor whose attempts use as much as it is told."""

    def __init__(self) -> None:
        self.used: list[float] = []

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        return self.used


def make_monitor(executor: Any, numbers: Sequence[int]) -> MemoryMonitor:
    attempts: Any = {number: SimpleNamespace(handle={"pid": number}) for number in numbers}
    return MemoryMonitor(executor, attempts, ThreadPoolExecutor(1), lambda: None)


def make_state(*values: float, paused: Sequence[int] = ()) -> TuningState:
    """Return jobs that run, each with a value unless it is 0."""
    events = [*b.created(b.make_spec(max_parallel_jobs=9))]
    for number, value in enumerate(values, 1):
        events += [*b.suggested(number), *b.launched(number)]
        events += [b.observed(number, [(1, value)])] if value else []
        if number in paused:
            events.append(ev.JobPaused(at=9, number=number, attempt=1, reason="story"))
    return b.fold_all(*events)


def test_nothing_is_paused_before_a_job_that_has_a_value_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(memory, "read_available_memory", lambda: 10.0 * GIB)
    monkeypatch.setattr(memory, "read_memory", lambda: 10.0 * GIB)
    executor, pausing = Measuring(), Pausing()
    monitor = make_monitor(executor, [1, 2])

    def count(state: TuningState, pausing: Pausing = pausing) -> float:
        found = -1.0
        for _ in range(3):  # asks, and takes what was measured
            found = monitor.count_most_paused(pausing, state)
            time.sleep(0.05)
        return found

    executor.used = [2 * GIB, GIB]
    assert count(make_state(0, 0)) == 0
    # 9 are left, of which job 2 may come to use another 1.
    assert count(make_state(1, 0)) == 4
    assert count(make_state(1, 1, paused=[1])) == 1 + 4
    assert count(make_state(1, 1, paused=[1]), Pausing(max_memory_gb=5)) == 1 + 1
    executor.used = [9 * GIB, GIB]
    assert count(make_state(1, 1, paused=[1])) == 1


def test_a_paused_job_is_given_up_by_what_was_measured_since_and_no_other_until_it_has_ended() -> (
    None
):
    pausing, two = Pausing(max_memory_gb=3), make_state(1, 1, 1, paused=[1, 2])
    monitor = make_monitor(Measuring(), [1, 2, 3])

    def is_short(at: float, used: float, available: float, state: TuningState = two) -> bool:
        each = dict.fromkeys((1, 2, 3), used * GIB)
        monitor._memory = Memory(each, available * GIB, reserve=GIB, at=at)
        return monitor.is_short(pausing, state)

    assert not is_short(10, used=1.4, available=1.1)
    assert is_short(10, used=1.4, available=0.9)
    assert is_short(10, used=1.6, available=9), "they keep more than 3"
    assert not is_short(8, used=1.6, available=0.9), "they were paused after that"
    ending = b.fold_all(b.stop(2), start=two)
    assert not is_short(10, used=1.6, available=0.9, state=ending)
    ended = b.fold_all(b.exited(2, -15), start=ending)
    assert not is_short(10, used=1.6, available=0.9, state=ended), "its memory is counted still"


def test_what_is_paused_by_checkpoint_needs_no_memory() -> None:
    monitor = make_monitor(Measuring(), [1])
    assert math.isinf(monitor.count_most_paused(Pausing(method="checkpoint"), make_state(1)))
    assert math.isinf(monitor.count_most_paused(None, make_state(1)))


def test_memory_of_a_gpu_that_is_shared_is_counted() -> None:
    share = Share(gpus=("0",))
    state = b.fold_all(
        *b.created(b.make_spec(max_parallel_jobs=2)),
        *b.suggested(1),
        ev.JobSubmitting(at=1, number=1, attempt=1, share=share),
        *b.suggested(2),
        ev.JobSubmitting(at=1, number=2, attempt=1, share=share),
    )
    assert count_gpu_room((Gpu("0", "GPU-a", 20.0, 80.0), Gpu("1", "", 0.0, 80.0)), state) == 6
    assert count_gpu_room((Gpu("0", "GPU-a", 60.0, 80.0),), state) == 0


def test_memory_is_that_of_all_processes() -> None:
    code = "x = b'x' * 50_000_000; print(1, flush=True); import time; time.sleep(60)"
    shell = f'{sys.executable} -c "{code}" & wait'
    with subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 50e6 < measure_memory(list_descendants(process.pid)) < 100e6
        for child in list_descendants(process.pid):
            child.kill()


def test_what_a_container_has_read_of_files_is_available(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text(
        "anon 300\nfile 600\ninactive_file 400\nactive_file 200\n"
    )
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path)
    assert read_available_memory() == 700


def test_less_memory_is_available_than_there_is() -> None:
    assert 0 < read_available_memory() < read_memory()
    assert os.getpid() not in [each.pid for each in list_descendants(os.getpid())]
