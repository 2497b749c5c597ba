"""Follows the attempts under way: in a queue, in their logs, and until they are cleaned up.

Nothing is recorded here: methods take the state and return events.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpt_cli.executors import Executor, Exited, Handle, Lost, Outcome, Pending
from hpt_cli.formatting import describe_exit
from hpt_cli.logs.log_file import read_lines, read_tail
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.metrics.detection import nearest_lines
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.failures.interruption import may_be_first, was_interrupted
from hpt_cli.tuning.failures.retry import is_worth_retrying
from hpt_cli.tuning.fold import find_fresh
from hpt_cli.tuning.state import Attempt, TrainingJob, TuningState

KILL_AGAIN_SECONDS = 1.0


@dataclass
class LiveAttempt:
    """An attempt, from its launch until all its processes have ended."""

    job: int
    number: int
    handle: Handle
    share: Share | None
    log: Path
    tail: AttemptTail
    last_output_at: float = field(default_factory=time.monotonic)
    """When its log last grew, on time.monotonic's clock, which stops while the machine sleeps."""
    killed_at: float = 0.0
    outcome: Outcome | None = None
    """Its end, while what it left behind is cleaned up."""
    sweep: asyncio.Task[list[str]] | None = None
    others: Sequence[Share] = ()
    """What other jobs hold of the machine; brought up to date while the sweep runs."""


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
    ) -> None:
        """`wake` is called when the clean-up after an attempt is done."""
        self.spec = spec
        """Replaced when the user changes it while the tuner runs."""
        self._executor = executor
        self._jobdir = jobdir
        self._gpu_monitor = gpu_monitor
        self._clock = clock
        self._wake = wake
        self._attempts: dict[int, LiveAttempt] = {}
        self._observed: set[int] = set()
        self._slow_lines = Counter[str]()
        self._may_linger = True

    def __len__(self) -> int:
        return len(self._attempts)

    def follow(self, job: TrainingJob) -> None:
        """Follow the latest attempt of a job, which has been launched."""
        latest = _latest(job)
        log = self._jobdir.attempt(job.number, latest.number).log
        tail = AttemptTail(
            self.spec.extractors,
            log=log,
            directory=self._jobdir.training_job(job.number),
            started_at=latest.submitted_at,
            last_offsets=latest.last_offsets,
            rules=[(rule.pattern, rule.action) for rule in self.spec.log_rules],
            slow_lines=self._slow_lines,
        )
        self._attempts[job.number] = LiveAttempt(
            job.number, latest.number, dict(latest.handle or {}), latest.share, log, tail
        )

    # How they are doing

    def poll(self) -> list[tuple[LiveAttempt, Outcome]]:
        """Return each live attempt with its outcome."""
        attempts = self._attempts.values()
        live = [each.handle for each in attempts if each.outcome is None]
        outcomes = iter(self._executor.poll(live))
        # Of an attempt that is only being cleaned up, the executor is not asked again.
        return [(each, each.outcome or next(outcomes)) for each in attempts]

    def read(self, state: TuningState, attempt: LiveAttempt, outcome: Outcome) -> list[ev.Event]:
        """Return what is new of an attempt, in its queue and in its log."""
        is_over = isinstance(outcome, (Exited, Lost))
        job = state.jobs[attempt.job]
        return [
            *self._follow_queue(job, attempt, outcome),
            *self._read_log(job, attempt, final=is_over),
            *(self._note(job, text) for text in attempt.tail.pop_notes() if text not in job.notes),
        ]

    def _follow_queue(
        self, job: TrainingJob, attempt: LiveAttempt, outcome: Outcome
    ) -> Iterator[ev.Event]:
        """Yield that an attempt waits in a queue, or has left it, where that is new."""
        latest, at, number = _latest(job), self._clock(), attempt.number
        if isinstance(outcome, Pending):
            # A job that waits in a queue is not silent: it does not run yet.
            attempt.last_output_at = time.monotonic()
            if (reason := outcome.reason) != latest.queue_reason:
                yield ev.JobQueued(at=at, number=job.number, attempt=number, reason=reason)
        elif latest.is_queued and not isinstance(outcome, Lost) and outcome.since is not None:
            # The clock of the machine that runs it may differ from this one's.
            since = min(max(outcome.since, latest.submitted_at), at)
            yield ev.JobStarted(at=at, number=job.number, attempt=number, since=since)

    def _read_log(
        self, job: TrainingJob, attempt: LiveAttempt, *, final: bool
    ) -> Iterator[ev.Event]:
        """Yield what an attempt has printed since the last time."""
        size = attempt.tail.size
        found = tuple(find_fresh(_latest(job), attempt.tail.read(final=final)))
        # Any output counts, not only values of metrics.
        if attempt.tail.size != size:
            attempt.last_output_at = time.monotonic()
        if any(each.metric == self.spec.objective_metric_name for each in found):
            self._observed.add(job.number)
        if found:
            at, number = self._clock(), attempt.number
            yield ev.ObservationsRead(at=at, number=job.number, attempt=number, observations=found)

    def pop_observed(self) -> set[int]:
        """Return the numbers of jobs with new objective values since the last time."""
        observed, self._observed = self._observed, set()
        return observed

    def list_silent(self) -> list[int]:
        """Return the numbers of jobs that have printed nothing for `max_silence_seconds`."""
        limit = self.spec.max_silence_seconds
        if limit is None:
            return []
        now = time.monotonic()
        return [each.job for each in self._attempts.values() if now - each.last_output_at >= limit]

    # How they end

    def stop(self, number: int) -> None:
        """Ask a job's attempt to end, if it has one."""
        if number in self._attempts:
            self._executor.stop(self._attempts[number].handle, force=False)

    def kill(self, number: int) -> None:
        """Kill a job's attempt, if it is alive; at most once a second."""
        attempt, now = self._attempts.get(number), self._clock()
        if attempt is None or attempt.outcome is not None:
            return
        if now - attempt.killed_at > KILL_AGAIN_SECONDS:
            attempt.killed_at = now
            self._executor.stop(attempt.handle, force=True)

    def kill_all(self) -> None:
        """Kill all attempts; from now on also what they leave behind, without grace."""
        self._may_linger = False
        for attempt in self._attempts.values():
            self._executor.stop(attempt.handle, force=True)

    def end(
        self, state: TuningState, attempt: LiveAttempt, outcome: Exited | Lost
    ) -> list[ev.Event]:
        """Return the end of an attempt, but nothing until its clean-up is done: it keeps its slot.

        A command that succeeded may leave processes running. Those of one that failed, was stopped
        or was lost would only hold memory and devices, so they are ended.
        """
        attempt.outcome = outcome
        notes: list[str] = []
        if not (isinstance(outcome, Exited) and outcome.exit_code == 0 and not outcome.why):
            attempt.others = state.list_held(but=attempt.job)
            if attempt.sweep is None:
                # Once for each attempt: `end` is called at every poll until the clean-up is done.
                attempt.sweep = asyncio.create_task(self._sweep(attempt))
                attempt.sweep.add_done_callback(lambda _: self._wake())
            if not attempt.sweep.done():
                return []
            notes = attempt.sweep.result()
        job = state.jobs[attempt.job]
        if isinstance(outcome, Exited) and may_be_first(
            state, job, outcome.exit_code, self._clock() - outcome.ended_at
        ):
            return []
        ending = self._describe_end(state, job, attempt, outcome)
        del self._attempts[attempt.job]
        # The stop rule judges only jobs that go on.
        self._observed.discard(attempt.job)
        return [*ending, *(self._note(job, each) for each in notes)]

    async def _sweep(self, attempt: LiveAttempt) -> list[str]:
        """End what an attempt left running, and wait for its GPUs; return notes on both."""
        grace = self.spec.stop_grace_seconds if self._may_linger else 0.0
        killed = await asyncio.to_thread(self._executor.sweep, attempt.handle, grace)
        notes = [f"outlived the job and was killed: {each}" for each in killed]
        if attempt.share:
            release = self._gpu_monitor.wait_for_release
            notes += await asyncio.to_thread(release, attempt.share, attempt.others)
        return notes

    def _note(self, job: TrainingJob, text: str) -> ev.Event:
        return ev.JobNoted(at=self._clock(), number=job.number, text=text)

    def _describe_end(
        self, state: TuningState, job: TrainingJob, attempt: LiveAttempt, outcome: Exited | Lost
    ) -> list[ev.Event]:
        if isinstance(outcome, Lost):
            lost = ev.JobLost(
                at=self._clock(),
                number=job.number,
                attempt=attempt.number,
                why=outcome.why,
                evicted=outcome.evicted,
                tail=read_tail(attempt.log),
            )
            return [lost]
        code, why = outcome.exit_code, outcome.why
        tail = read_tail(attempt.log) if code or why else self._find_nearest(job, attempt.log)
        notes: list[ev.Event] = []
        retry = False
        interrupted = not why and was_interrupted(state, job, code, outcome.ended_at)
        if (code or why) and not interrupted:
            try:
                retry = is_worth_retrying(self.spec, job, [*tail, describe_exit(code), why])
            except TimeoutError:
                words = "a regex of 'retry' takes too long on its last lines: it is not tried again"
                notes = [self._note(job, words)]
        exited = ev.JobExited(
            at=self._clock(),
            number=job.number,
            attempt=attempt.number,
            exit_code=code,
            ended_at=outcome.ended_at,
            tail=tail,
            why=why,
            retry=retry,
            interrupted=interrupted,
        )
        return [*notes, exited]

    def _find_nearest(self, job: TrainingJob, log: Path) -> tuple[str, ...]:
        """Return the lines that look most like an objective value, for a job that has none."""
        objective = self.spec.objective_metric_name
        # What has been read in this very round is not in the job's curve yet.
        if job.curve(objective) or job.number in self._observed:
            return ()
        return tuple(nearest_lines(read_lines(log), objective))


def _latest(job: TrainingJob) -> Attempt:
    assert job.attempt is not None
    return job.attempt
