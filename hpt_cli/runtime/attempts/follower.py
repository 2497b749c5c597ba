"""Follows the attempts under way: in a queue, in their logs, and until they are cleaned up.

Nothing is recorded here: methods take the state and return events.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from hpt_cli.executors import (
    Executor,
    Exited,
    Handle,
    Lost,
    Outcome,
    Pending,
    Running,
    place,
)
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.machine.shortage import is_shortage
from hpt_cli.metrics.thinning import Thinner, find_fresh_totals
from hpt_cli.runtime.attempts.clean_up import CleanUp
from hpt_cli.runtime.attempts.live_attempt import LiveAttempt
from hpt_cli.runtime.attempts.log_reader import FollowedLog, LogReader, Reading
from hpt_cli.runtime.attempts.suspensions import SETTLE_SECONDS
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import count_before, find_calibration
from hpt_cli.tuning.failures.success import list_awaited
from hpt_cli.tuning.jobs.spans import Span, count_seconds, covers
from hpt_cli.tuning.jobs.training_job import Attempt, TrainingJob
from hpt_cli.tuning.jobs.transitions import find_fresh
from hpt_cli.tuning.state import TuningState

KILL_AGAIN_SECONDS = 1.0
AGAIN_SECONDS = 1.0
"""Time until what was not possible, as something was short, is tried again."""
MAX_OPEN_LOGS = 100
"""So many logs are kept open, to be read on where somebody deletes them: each is a descriptor."""
CONTINUED = "somebody has continued it (SIGCONT)"
LEAVE_SECONDS = 1.0
"""How long an interrupted tuner reads what an attempt that has ended has printed."""


class AttemptFollower:
    """Follows the live attempts of one tuning job."""

    def __init__(
        self,
        spec: TuningSpec,
        executor: Executor,
        jobdir: JobDir,
        gpu_monitor: GpuMonitor,
        clock: Callable[[], float],
        wake: Callable[[], None],
        threads: ThreadPoolExecutor,
    ) -> None:
        """`wake` is called when there is news of an attempt, also in other threads.

        Args:
            threads: for what takes its time.
        """
        self.spec = spec
        """Replaced when the user changes it while the tuner runs."""
        self._executor = executor
        self._jobdir = jobdir
        self._clock = clock
        self._wake = wake
        self._threads = threads
        self.attempts: dict[int, LiveAttempt] = {}
        """By job."""
        self.reader = LogReader(executor, wake)
        self._observed: set[int] = set()
        self._calibrating: Future[object] | None = None
        self._slow_lines = Counter[str]()
        self._clean_up = CleanUp(executor, gpu_monitor, clock, wake, threads, self.reader)

    def __len__(self) -> int:
        return len(self.attempts)

    def follow(self, job: TrainingJob, last_alive: float = 0.0) -> None:
        """Follow the latest attempt of a job, which has been launched.

        Args:
            last_alive: when the last tuner was, which may have seen the attempt alive.
        """
        latest = _latest(job)
        directory = self._jobdir.attempt(job.number, latest.number)
        path = directory.log
        handle = place(latest.handle or {}, directory.path.resolve())
        rules = [(each.pattern, each.action) for each in self.spec.log_rules]
        tail = AttemptTail(
            self.spec.extractors,
            log=path,
            directory=self._jobdir.training_job(job.number),
            started_at=latest.submitted_at,
            last_offsets=latest.last_offsets,
            rules=[*rules, *list_awaited(self.spec.success)],
            slow_lines=self._slow_lines,
            thinner=Thinner(),
            keep_open=len(self.attempts) < MAX_OPEN_LOGS,
            counted_before=count_before(job, latest.number, self.spec.extractors),
        )
        metric = self.spec.objective_metric_name
        seen_at = max(latest.started_at, last_alive)
        log = FollowedLog(
            *(job.number, latest.number, handle, path, tail, metric, self._clock),
            success=self.spec.success,
            seen_at=seen_at,
        )
        self.attempts[job.number] = LiveAttempt(
            job.number, latest.number, handle, latest.share, log, last_alive=last_alive
        )
        self.reader.follow(log)

    # How they are doing

    def describe(self, state: TuningState, reading: Reading) -> list[ev.Event]:
        """Return what is new of an attempt, in its queue and in its output."""
        attempt, job, outcome = (
            self.attempts[reading.job],
            state.jobs[reading.job],
            reading.outcome,
        )
        if isinstance(outcome, (Exited, Lost)) and attempt.outcome is None:
            attempt.outcome, attempt.ended_at = outcome, time.monotonic()
        if reading.is_complete:
            attempt.last_lines, attempt.last_sign = reading.last_lines, reading.last_sign
            attempt.ending = reading.ending
        attempt.is_settled = reading.is_settled and reading.looked_at >= attempt.settles_at
        return [
            *self._follow_queue(job, attempt, outcome),
            *(self._follow_pause if job.phase == "Paused" else self._list_suspensions)(
                job, attempt, reading
            ),
            *self._list_observations(job, attempt, reading),
            *(self._note(job, text) for text in reading.notes if text not in job.notes),
        ]

    def _follow_queue(
        self, job: TrainingJob, attempt: LiveAttempt, outcome: Outcome
    ) -> Iterator[ev.Event]:
        """Yield that an attempt waits in a queue, or has left it, where that is new."""
        latest, at, number = _latest(job), self._clock(), attempt.number
        if isinstance(outcome, Pending):
            if (reason := outcome.reason) != latest.queue_reason:
                yield ev.JobQueued(at=at, number=job.number, attempt=number, reason=reason)
        elif latest.is_queued and not isinstance(outcome, Lost) and outcome.since is not None:
            # The clock of the machine that runs it may differ from this one's.
            since = min(max(outcome.since, latest.submitted_at), at)
            yield ev.JobStarted(at=at, number=job.number, attempt=number, since=since)

    def _follow_pause(
        self, job: TrainingJob, attempt: LiveAttempt, reading: Reading
    ) -> Iterator[ev.Event]:
        """Yield that a paused attempt goes on, where somebody else has seen to that."""
        is_suspended = isinstance(reading.outcome, Running) and reading.outcome.is_suspended
        if attempt.stands_still and not is_suspended and not attempt.log.has_ended:
            at, number = self._clock(), attempt.number
            yield ev.JobThawed(at=at, number=job.number, attempt=number, reason=CONTINUED)
            self.thaw(job.number)  # all of it
        attempt.stands_still = is_suspended and attempt.log.is_paused

    def _list_suspensions(
        self, job: TrainingJob, attempt: LiveAttempt, reading: Reading
    ) -> Iterator[ev.Event]:
        """Yield when an attempt was suspended, or that it is, where that is new."""
        latest, at = _latest(job), self._clock()
        report = partial(ev.JobSuspended, at=at, number=job.number, attempt=attempt.number)
        begun = latest.suspended_since
        over = [each for each in latest.suspended if each[1] < math.inf]
        for since, until in reading.suspended:
            if math.isinf(until) and begun is None:
                yield report(since=since)
            elif until < math.inf and not covers(over, since, until):
                yield report(since=since, until=min(until, at))
        goes_on = reading.is_settled and isinstance(reading.outcome, Running)
        if begun is not None and goes_on and all(until <= begun for _, until in reading.suspended):
            # It has gone on while there was no tuner to see when.
            yield report(since=begun, until=max(begun, attempt.last_alive))

    def _list_observations(
        self, job: TrainingJob, attempt: LiveAttempt, reading: Reading
    ) -> Iterator[ev.Event]:
        """Yield the values that an attempt has printed, where they are new."""
        found = tuple(find_fresh(_latest(job), reading.observations))
        if any(each.metric == self.spec.judged.metric for each in found):
            self._observed.add(job.number)
        at, number = self._clock(), attempt.number
        if found:
            yield ev.ObservationsRead(at=at, number=job.number, attempt=number, observations=found)
        if totals := find_fresh_totals(_latest(job).totals, reading.totals):
            yield ev.ValuesCounted(at=at, number=job.number, attempt=number, totals=totals)

    def pop_observed(self, state: TuningState) -> set[int]:
        """Return the numbers of jobs with new values to judge by since the last time.

        The stop rule judges only jobs that go on; and none while it is calibrated, in a thread.
        """
        calibration, calibrating = find_calibration(self.spec, state), self._calibrating
        if calibration is not None and not calibration.is_done:
            if calibrating is not None and calibrating.done():
                calibrating.result()  # what went wrong is raised, and not tried for ever
            if calibrating is None or calibrating.done():
                self._calibrating = self._threads.submit(lambda: calibration.calibrated)
                self._calibrating.add_done_callback(lambda _: self._wake())
            return set()
        observed, self._observed = self._observed, set()
        return observed - self.list_ended()

    def map_searched(self) -> dict[int, int]:
        """Return by job how many bytes of its log have been searched for the objective in vain."""
        return {number: each.log.searched for number, each in self.attempts.items()}

    def list_silent(self, state: TuningState) -> list[int]:
        """Return the numbers of jobs that have printed nothing for `max_silence_seconds`."""
        limit = self.spec.max_silence_seconds
        if limit is None:
            return []
        # Silent is who was looked at and had printed nothing: a disk may not let anybody look.
        silences = {
            number: count_seconds(
                each.log.last_output_at, each.log.looked_at, _latest(state.jobs[number]).suspended
            )
            for number, each in self.attempts.items()
            if each.outcome is None
        }
        return [number for number, seconds in silences.items() if seconds >= limit]

    def list_unjudged(self) -> set[int]:
        """Return the numbers of jobs of which it is not known now how long they were at work, or
        whose attempt is over."""
        unsettled = {number for number, each in self.attempts.items() if not each.is_settled}
        return unsettled | self.list_ended()

    def settle(self, suspensions: Iterable[Span]) -> list[ev.Event]:
        """Return that the tuner was suspended, if it was.

        Before an attempt is judged it is then looked at: it may have been suspended too.
        """
        now = self._clock()
        events: list[ev.Event] = [
            ev.TunerSuspended(at=now, since=since, until=until) for since, until in suspensions
        ]
        for attempt in self.attempts.values() if events else ():
            attempt.is_settled, attempt.settles_at = False, now + SETTLE_SECONDS
            attempt.log.settled_at = attempt.settles_at
        return events

    def list_ended(self) -> set[int]:
        """Return the numbers of jobs whose attempt is over, and only read or cleaned up."""
        return {number for number, each in self.attempts.items() if each.outcome is not None}

    def list_left(self) -> set[int]:
        """Return the jobs whose output an interrupted tuner leaves for the next one to read.

        Their attempts are over, and nothing is left of them but much to read.
        """
        since = time.monotonic() - (LEAVE_SECONDS if self._clean_up.may_linger else 0.0)
        return {
            number
            for number, each in self.attempts.items()
            if each.ended_at < since
            and each.last_lines is None
            and (each.sweep is None or each.sweep.done())
        }

    def note_left(self) -> list[ev.Event]:
        """Return notes on the jobs whose output is left for the next tuner to read."""
        logs = [self.attempts[number].log for number in sorted(self.list_left())]
        return [
            ev.JobNoted(
                at=self._clock(),
                number=each.job,
                text=f"interrupted while {each.unread / 1e6:.0f} MB of the output of attempt"
                f" {each.attempt} were unread: a resumed tuner reads them",
            )
            for each in logs
        ]

    # What they are told

    def pause(self, number: int) -> None:
        """Have a job's attempt stand still, if it has one."""
        self._signal(number, self._executor.pause, is_paused=True)

    def thaw(self, number: int) -> None:
        """Let a job's attempt go on, if it has one."""
        self._signal(number, self._executor.thaw)

    def stop(self, number: int) -> None:
        """Ask a job's attempt to end, if it has one."""
        self._signal(number, partial(self._executor.stop, force=False))

    def kill(self, number: int) -> None:
        """Kill a job's attempt, if it is alive; at most once a second."""
        attempt, now = self.attempts.get(number), self._clock()
        if attempt is None or attempt.outcome is not None:
            return
        if now - attempt.killed_at > KILL_AGAIN_SECONDS:
            attempt.killed_at = now
            self._signal(number, partial(self._executor.stop, force=True))

    def kill_all(self) -> None:
        """Kill all attempts; from now on also what they leave behind, without grace."""
        self._clean_up.may_linger = False
        for number in self.attempts:
            self._signal(number, partial(self._executor.stop, force=True))

    def _signal(
        self, number: int, send: Callable[[Handle], None], *, is_paused: bool = False
    ) -> None:
        if number in self.attempts:
            attempt = self.attempts[number]
            attempt.log.is_paused, attempt.stands_still = is_paused, False
            self._send(attempt, send)

    def _send(self, attempt: LiveAttempt, send: Callable[[Handle], None]) -> None:
        """Signal an attempt; again and again while something is short."""
        if self.attempts.get(attempt.job) is not attempt:
            return
        try:
            send(attempt.handle)
        except OSError as error:
            if not is_shortage(error):
                raise
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._send, attempt, send)

    # How they end

    def end(self, state: TuningState) -> list[ev.Event]:
        """Return the ends of the attempts that are cleaned up and read: until then, they keep their
        slots."""
        endings = {
            number: self._clean_up.end(self.spec, state, each)
            for number, each in self.attempts.items()
            if each.outcome is not None
        }
        for number, events in endings.items():
            if events:
                del self.attempts[number]
        return [event for events in endings.values() for event in events]

    def _note(self, job: TrainingJob, text: str) -> ev.Event:
        return ev.JobNoted(at=self._clock(), number=job.number, text=text)


def _latest(job: TrainingJob) -> Attempt:
    assert job.attempt is not None
    return job.attempt
