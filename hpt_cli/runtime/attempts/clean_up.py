"""Cleans up after attempts that are over, and says how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from hpt_cli.executors import Executor, Exited, Lost
from hpt_cli.formatting import describe_exit
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.machine.shortage import is_shortage
from hpt_cli.runtime.attempts.live_attempt import LiveAttempt, succeeded
from hpt_cli.runtime.attempts.log_reader import LogReader
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import is_at_end
from hpt_cli.tuning.failures.interruption import (
    may_be_first,
    was_interrupted,
    was_stopped_unrecorded,
)
from hpt_cli.tuning.failures.retry import is_worth_retrying
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState

AGAIN_SECONDS = 1.0
"""Time until what was not possible, as something was short, is tried again."""
MUTE = "was lost while it ran on a terminal (pty: true): its last output may be missing"

P = ParamSpec("P")
Result = TypeVar("Result")


class CleanUp:
    """Ends what attempts leave behind, in threads."""

    def __init__(
        self,
        executor: Executor,
        gpu_monitor: GpuMonitor,
        clock: Callable[[], float],
        wake: Callable[[], None],
        threads: ThreadPoolExecutor,
        reader: LogReader,
    ) -> None:
        """`wake` is called when the clean-up of an attempt is done."""
        self._executor = executor
        self._gpu_monitor = gpu_monitor
        self._clock = clock
        self._wake = wake
        self._threads = threads
        self._reader = reader
        self.may_linger = True
        """Whether what attempts leave behind has time to end by itself."""

    def end(self, spec: TuningSpec, state: TuningState, attempt: LiveAttempt) -> list[ev.Event]:
        """Return the end of an attempt, but nothing until its clean-up is done and it is read.

        What it left running would hold memory and devices that other jobs are given, so that is
        ended; `children: keep` lets what a command that succeeded has left live on.
        """
        outcome = attempt.outcome
        assert outcome is not None
        notes: list[str] = []
        has_exited, is_read = isinstance(outcome, Exited), attempt.last_lines is not None
        if has_exited and not is_read and attempt.log.success and spec.children == "keep":
            return []  # whether it succeeded, and may leave something running, is not known yet
        if not succeeded(outcome, attempt.ending) or outcome.has_left:
            attempt.others = state.list_shares(attempt.job)
            if attempt.sweep is None:
                # Once for each attempt: `end` is called in every turn until the clean-up is done.
                attempt.sweep = asyncio.create_task(self._sweep(spec, attempt, outcome))
                attempt.sweep.add_done_callback(lambda _: self._wake())
            if not attempt.sweep.done():
                return []
            notes = attempt.sweep.result()
            if not attempt.log.is_swept:
                attempt.log.is_swept = True
                self._reader.look()
        if attempt.last_lines is None:
            return []
        job = state.jobs[attempt.job]
        if isinstance(outcome, Lost):
            ending = [self._describe_loss(attempt, outcome)]
        elif may_be_first(
            state,
            job,
            outcome.exit_code,
            self._clock() - outcome.ended_at,
            was_asked=outcome.was_asked,
        ):
            return []
        else:
            ending = self._describe_end(spec, state, job, attempt, outcome)
        return [*ending, *(self._note(job, each) for each in notes)]

    async def _sweep(
        self, spec: TuningSpec, attempt: LiveAttempt, outcome: Exited | Lost
    ) -> list[str]:
        """End what an attempt left running, and wait for its GPUs; return notes on both."""
        if succeeded(outcome, attempt.ending) and spec.children == "keep":
            left = await self._run(self._executor.list_leftovers, attempt.handle)
            return [f"left running (children: keep): {each}" for each in left]
        # What a command prints on a terminal is lost without its launcher: it must not go on.
        is_mute = isinstance(outcome, Lost) and spec.pty
        grace = spec.stop_grace_seconds if self.may_linger and not is_mute else 0.0
        swept = await self._run(self._executor.sweep, attempt.handle, grace)
        notes = [f"outlived the job and was killed: {each}" for each in swept.ended]
        notes += [f"outlived the job and may not be killed: {each}" for each in swept.refused]
        if is_mute:
            notes.append(f"attempt {attempt.number} {MUTE}")
        if attempt.share:
            release = self._gpu_monitor.wait_for_release
            notes += await self._run(release, attempt.share, attempt.others)
        return notes

    async def _run(self, call: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return what a call in a thread returns; try again while something is short."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, partial(call, *args, **kwargs)
                )
            except OSError as error:
                if not is_shortage(error):
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    def _describe_loss(self, attempt: LiveAttempt, outcome: Lost) -> ev.Event:
        return ev.JobLost(
            at=self._clock(),
            number=attempt.job,
            attempt=attempt.number,
            why=outcome.why,
            evicted=outcome.evicted,
            tail=attempt.last_lines or (),
            ended_at=attempt.last_sign or None,
        )

    def _describe_end(
        self,
        spec: TuningSpec,
        state: TuningState,
        job: TrainingJob,
        attempt: LiveAttempt,
        outcome: Exited,
    ) -> list[ev.Event]:
        lines = attempt.last_lines or ()
        code, ending, success = outcome.exit_code, attempt.ending, attempt.log.success
        assert ending is not None
        if ending.succeeded and job.curve(spec.objective_metric_name):
            lines = ()  # an earlier attempt had values
        notes: list[ev.Event] = []
        retry = False
        # Where its output says that it came to its end, nothing has interrupted it.
        came_to_end = ending.succeeded and success is not None and success.when is not None
        interrupted = _was_interrupted(state, job, outcome, 0 if came_to_end else code)
        if not ending.succeeded and not interrupted:
            words = [*lines, describe_exit(code), ending.why]
            try:
                retry = is_worth_retrying(spec, job, words)
            except TimeoutError:
                text = "a regex of 'retry' takes too long on its last lines: it is not tried again"
                notes = [self._note(job, text)]
        exited = ev.JobExited(
            at=self._clock(),
            number=job.number,
            attempt=attempt.number,
            exit_code=code,
            ended_at=outcome.ended_at,
            tail=lines,
            why=ending.why,
            retry=retry,
            interrupted=interrupted,
            at_end=ending.succeeded and job.phase == "Stopping" and is_at_end(spec, state, job),
            succeeded=ending.succeeded and success is not None,
        )
        return [*notes, exited]

    def _note(self, job: TrainingJob, text: str) -> ev.Event:
        return ev.JobNoted(at=self._clock(), number=job.number, text=text)


def _was_interrupted(state: TuningState, job: TrainingJob, outcome: Exited, code: int) -> bool:
    """Return whether an attempt that left this exit code was ended together with its tuner."""
    ended_at, was_asked = outcome.ended_at, outcome.was_asked
    return not outcome.why and (
        was_interrupted(state, job, code, ended_at, was_asked=was_asked)
        or (was_asked and was_stopped_unrecorded(state, job, ended_at))
    )
