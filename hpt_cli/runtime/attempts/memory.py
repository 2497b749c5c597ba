"""How many jobs may be paused, as far as memory allows: the paused ones keep theirs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from hpt_cli import clock
from hpt_cli.executors import Executor, Handle
from hpt_cli.machine.capacity import GIB, read_available_memory, read_memory
from hpt_cli.machine.gpus import Gpu, find_gpu, read_gpus
from hpt_cli.machine.shortage import is_shortage
from hpt_cli.runtime.attempts.live_attempt import LiveAttempt
from hpt_cli.spec.parts import Pausing
from hpt_cli.tuning.state import TuningState

LOOK_SECONDS = 2.0
"""Time between two measurements."""
FIRST_LOOK_SECONDS = 0.2
"""The same before it is known what a job uses."""
RESERVE_SHARE = 0.1
"""So much of the machine's memory is left to others: what is short of memory swaps."""


@dataclass(frozen=True)
class Memory:
    """A measurement, in bytes."""

    used: Mapping[int, float] = field(default_factory=dict)
    """What the processes of each job use."""
    available: float = 0.0
    """What others may have, of the machine or the container, before it swaps."""
    reserve: float = 0.0
    gpus: tuple[Gpu, ...] = ()
    at: float = 0.0
    """When it was made, in seconds since the epoch."""

    def count_room(
        self, growing: set[int], paused: set[int], need: float, limit: float = math.inf
    ) -> float:
        """Return how many more jobs there is room for; negative where there are too many.

        Args:
            growing: the jobs that were at work then or later, and may come to need more than that.
            paused: the jobs that are paused.
            need: the bytes that a job uses at most.
            limit: the bytes that paused ones may use together.
        """
        growth = sum(max(0.0, need - self.used.get(number, 0.0)) for number in growing)
        kept = sum(
            max(need if number in growing else 0.0, self.used.get(number, 0.0)) for number in paused
        )
        spare = min(self.available - self.reserve - growth, limit - kept)
        return math.floor(spare / need)

    def is_short(self, paused: set[int], limit: float = math.inf) -> bool:
        """Return whether less than the reserve is left, or paused jobs use more than the limit."""
        kept = sum(self.used.get(number, 0.0) for number in paused)
        return self.available < self.reserve or kept > limit


class MemoryMonitor:
    """Measures in a thread what the attempts use."""

    def __init__(
        self,
        executor: Executor,
        attempts: Mapping[int, LiveAttempt],
        threads: ThreadPoolExecutor,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when there is a new measurement.

        Args:
            attempts: those that may be alive, by job; the caller changes it.
        """
        self._executor = executor
        self._attempts = attempts
        self._threads = threads
        self._wake = wake
        self._memory = Memory()
        self._need = 0.0
        """The most that a job has used after its first value, in bytes."""
        self._looked_at = -math.inf
        self._look: Future[Memory] | None = None

    def count_most_paused(self, pausing: Pausing | None, state: TuningState) -> float:
        """Return how many jobs may be paused at a time; return at once."""
        if pausing is None or pausing.method == "checkpoint":
            return math.inf
        self._take(state)
        pause = LOOK_SECONDS if self._need else FIRST_LOOK_SECONDS
        if time.monotonic() - self._looked_at >= pause and self._look is None:
            self._looked_at = time.monotonic()
            handles = {number: each.handle for number, each in self._attempts.items()}
            self._look = self._threads.submit(
                measure, self._executor, handles, with_gpus=pausing.share_gpus
            )
            self._look.add_done_callback(lambda _: self._wake())
        paused = {job.number for job in state.paused}
        if not self._need:
            return len(paused)  # nothing is known yet
        growing = {job.number for job in state.running} | self._list_unmeasured(state)
        limit = _find_limit(pausing)
        rooms = [self._memory.count_room(growing, paused, self._need, limit)]
        if pausing.share_gpus:
            rooms.append(count_gpu_room(self._memory.gpus, state))
        return max(0.0, len(paused) + min(rooms))

    def is_short(self, pausing: Pausing | None, state: TuningState) -> bool:
        """Return whether a paused job is to be given up: as measured when all that is paused was,
        and nothing was about to end."""
        if pausing is None or pausing.method == "checkpoint" or not state.paused:
            return False
        alive = {job.number for job in state.alive}
        is_ending = any(job.phase == "Stopping" for job in state.running)
        if is_ending or self._memory.used.keys() - alive or self._list_unmeasured(state):
            return False
        return self._memory.is_short({job.number for job in state.paused}, _find_limit(pausing))

    def _list_unmeasured(self, state: TuningState) -> set[int]:
        """Return the jobs that were paused after the measurement, and may have come to use more."""
        return {job.number for job in state.paused if job.pauses[-1].since >= self._memory.at}

    def _take(self, state: TuningState) -> None:
        """Take what was measured, if that is done."""
        if self._look is None or not self._look.done():
            return
        try:
            self._memory = self._look.result()
        except OSError as error:
            if not is_shortage(error):
                raise
        self._look = None
        jobs = (state.jobs[number] for number in self._memory.used)
        metric = state.spec["objective_metric_name"]
        known = (self._memory.used[job.number] for job in jobs if job.curve(metric))
        self._need = max(self._need, *known, 0.0)


def _find_limit(pausing: Pausing) -> float:
    """Return the bytes that paused jobs may use together."""
    return math.inf if pausing.max_memory_gb is None else pausing.max_memory_gb * GIB


def measure(executor: Executor, handles: Mapping[int, Handle], *, with_gpus: bool) -> Memory:
    """Return what attempts use and what is left; call it in a thread.

    Raises:
        OSError: there are no file descriptors left.
    """
    at = clock.now()
    used = dict(zip(handles, executor.measure_memory([*handles.values()]), strict=True))
    gpus = tuple(read_gpus()) if with_gpus else ()
    return Memory(used, read_available_memory(), RESERVE_SHARE * read_memory(), gpus, at)


def count_gpu_room(gpus: tuple[Gpu, ...], state: TuningState) -> float:
    """Return for how many more jobs GPUs have memory beside those that are there; infinite where no
    tool tells."""
    if not gpus:
        return math.inf
    shares = [job.attempt.share for job in state.alive if job.attempt and job.attempt.share]
    room = 0.0
    for gpu in gpus:
        there = sum(any(find_gpu(name, [gpu]) for name in each.gpus or ()) for each in shares)
        # What one uses there is not told by all tools; all of them use as much.
        if there and gpu.used:
            room += math.floor((gpu.total - gpu.used) / (gpu.used / there))
    return room
