"""The shell around the core: record, fold, decide, act. The only asyncio in the house.

One task owns everything that changes. It gathers what happened (logs grew, attempts ended, a
suggestion is ready, somebody asked for something), records it, folds it into the state, asks
`decide` what to do, records the intent, and does it. Choosing hyperparameters and clearing up after
a job run in threads, so that reading and killing never wait for them.

An intent is on disk before its effect: a job is launched or stopped only after that was written.
What was only seen (output, exits, launches) is written with the next intent, or half a second
later: after a crash it would be seen again, in the files of the jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Literal, Protocol

from hpt_cli import clock
from hpt_cli.errors import NO_DESCRIPTORS, HptError, UsageError
from hpt_cli.executors import Executor, Exited, Lost, Outcome, Pending
from hpt_cli.formatting import describe_exit
from hpt_cli.logs.regex_timeout import OneSearch, limit_searches
from hpt_cli.logs.tail import AttemptTail, read_lines, read_tail
from hpt_cli.logs.trimming import UNSUPPORTED
from hpt_cli.machine.capacity import Survey
from hpt_cli.machine.gpu_monitor import GpuWatch
from hpt_cli.metrics.detection import nearest_lines
from hpt_cli.metrics.log_rules import LogMatch
from hpt_cli.metrics.reader import SearchTooLongError
from hpt_cli.runtime.environment import make_launch_request
from hpt_cli.runtime.launch_queue import Launched, LaunchQueue
from hpt_cli.runtime.monitor import Watchdog
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml_reader import change_spec
from hpt_cli.stop_rules import Verdict
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import Journal
from hpt_cli.storage.mailbox import pop_requests
from hpt_cli.strategies import prepare_strategy
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.commands import Command, Continue, End, Kill, Launch, Plan, Stop
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.events import (
    AnyEvent,
    ExecutorNoted,
    JobExited,
    JobJudged,
    JobLaunched,
    JobLost,
    JobNoted,
    JobPlanned,
    JobQueued,
    JobStarted,
    JobStopRequested,
    JobSubmitting,
    JobSuggested,
    ObservationsRead,
    SpaceExhausted,
    SpecChanged,
    TunerStarted,
    TuningJobEnded,
    TuningJobStopRequested,
)
from hpt_cli.tuning.fold import find_fresh, fold, forget_curve, forget_curves
from hpt_cli.tuning.retry import is_worth_retrying, judge_match
from hpt_cli.tuning.state import TrainingJob, TuningState
from hpt_cli.tuning.suggest import suggest
from hpt_cli.tuning.warnings import warn_of_busy_gpus, warn_of_long_logs

RESOURCE_ERRNOS = {
    *(*NO_DESCRIPTORS, errno.EAGAIN),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
}
"""What the machine lacks, whichever job it is; another attempt would fare no better."""

KILL_AGAIN_SECONDS = 1.0
SWITCH_SECONDS = 0.0005
"""How long a thread may compute before another has its turn: reading and killing come first."""
WRITE_SECONDS = 0.5
"""How long what was seen may wait to be written together; a write is some milliseconds of disk."""


class View(Protocol):
    """What shows a tuning job while it runs."""

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Events were recorded, and this is the state now; called several times a second."""
        ...


class Views:
    """Several views as one."""

    def __init__(self, *views: View) -> None:
        self._views = views

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Show it on each of them."""
        events = list(events)
        for view in self._views:
            view.show(state, events, now)


@dataclass
class _Attempt:
    """A live attempt, as the runner follows it."""

    job: int
    number: int
    tail: AttemptTail
    size: int = 0
    last_output_at: float = field(default_factory=time.monotonic)
    """When its log last grew, on a clock that stands still while the machine sleeps."""
    killed_at: float = 0.0
    sweep: asyncio.Task[list[str]] | None = None
    outcome: Outcome | None = None


class Runner:
    """Runs a tuning job until it ends, or until it is interrupted."""

    def __init__(
        self,
        spec: TuningSpec,
        journal: Journal,
        jobdir: JobDir,
        executor: Executor,
        view: View,
        state: TuningState,
        machine: Survey | None = None,
        clock: Callable[[], float] = clock.now,
    ) -> None:
        """`state` is what the journal holds; it is read once, as a long one takes its time.

        `machine` is what there is for training jobs that say what they need.
        """
        self._spec = spec
        self._journal = journal
        self._jobdir = jobdir
        self._executor = executor
        self._view = view
        self._clock = clock
        self._environment = dict(os.environ)
        self._state = forget_curves(state, spec.objective_metric_name, state.jobs.ended)
        self._unwritten: list[AnyEvent] = []
        self._written_at = time.monotonic()
        self._watchdog = Watchdog(spec, jobdir)
        self._pool = machine.pool if machine else None
        self._gpu_watch = GpuWatch(
            machine.pool.gpus if machine else (),
            machine.gpus if machine else (),
            state.list_held(),
            avoid_busy=spec.avoid_busy_gpus,
        )
        self._attempts: dict[int, _Attempt] = {}
        self._ended_tails: list[AttemptTail] = []
        self._can_bound_logs = True
        self._launch_queue = LaunchQueue(executor, jobdir, self._wake_soon)
        self._stop_soon: set[int] = set()
        self._slow_lines = Counter[str]()
        self._suggestion: asyncio.Task[AnyEvent] | None = None
        self._preparation: Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._wake = asyncio.Event()
        self._observed: set[int] = set()
        self._signals: list[int] = []
        self._handled_signals = 0

    async def run(self) -> TuningState:
        """Tune until nothing is left to do.

        Returns:
            The final state, with a status of Completed, Failed or Stopped.
        """
        sys.setswitchinterval(SWITCH_SECONDS)
        self._listen()
        self._record([self._start()])
        self._write()
        self._answer_requests()
        self._recover()
        try:
            await self._tune()
        finally:
            self._cancel_suggestion()
            self._launch_queue.close()
        return self._state

    async def _tune(self) -> None:
        while True:
            self._collect()
            self._bound_logs()
            self._answer_requests()
            self._warn()
            avoided = self._gpu_watch.list_avoided(self._state.list_held())
            commands = decide(
                self._spec,
                self._state,
                self._clock(),
                self._observed,
                self._find_silent(),
                avoided,
            )
            self._observed = set()
            for command in commands:
                self._act(command)
            self._warn_of_waiting(avoided)
            if any(isinstance(command, End) for command in commands):
                self._write()
                return
            if time.monotonic() - self._written_at >= WRITE_SECONDS:
                self._write()
            if not any(isinstance(command, (Launch, Stop)) for command in commands):
                await self._wait()

    @property
    def alive(self) -> int:
        """How many attempts have not ended, as far as is known."""
        return len(self._attempts) + len(self._launch_queue)

    @property
    def interrupted_by(self) -> int | None:
        """The signal that ended the run, if one did."""
        return self._signals[0] if self._signals else None

    def _start(self) -> TunerStarted:
        return TunerStarted(
            at=self._clock(),
            pid=os.getpid(),
            host=socket.gethostname(),
            pool=None if self._pool is None else self._pool.to_fields(),
        )

    # What happened

    def _record(self, events: list[AnyEvent]) -> None:
        """Fold events, remember to write them, and show them."""
        for event in events:
            if isinstance(event, (JobExited, JobLost)):
                metric = self._spec.objective_metric_name
                self._state = forget_curve(self._state, metric, event.number)
            self._state = fold(self._state, event)
        self._watchdog.observe(self._state, events)
        self._unwritten += events
        self._view.show(self._state, events, self._clock())

    def _write(self) -> None:
        """Write down what has been recorded; it is on disk when this returns."""
        self._journal.append(self._unwritten)
        self._unwritten = []
        self._written_at = time.monotonic()

    def _collect(self) -> None:
        """Record what logs, attempts and the strategy have to tell since the last time."""
        self._collect_launches()
        events: list[AnyEvent] = self._pop_executor_notes()
        if self._suggestion is not None and self._suggestion.done():
            events.append(self._suggestion.result())
            self._suggestion = None
        for attempt, outcome in self._poll():
            is_over = isinstance(outcome, (Exited, Lost))
            if queued := self._follow_queue(attempt, outcome):
                self._record(queued)
            events += self._read_log(attempt, final=is_over)
            matches = attempt.tail.pop_matches()
            if matches:
                self._record(events)
                events = []
                self._answer_matches(attempt, matches)
            if is_over:
                events += self._finish(attempt, outcome)
        self._record(events)
        self._suggest_planned()

    def _bound_logs(self) -> None:
        """Give up the middle of logs that take more room than they may, once it is written down
        what was found there."""
        limit = self._spec.max_log_bytes
        tails = [*(each.tail for each in self._attempts.values()), *self._ended_tails]
        self._ended_tails = []
        too_long = [each for each in tails if limit is not None and each.log_bytes > limit]
        if limit is None or not too_long or not self._can_bound_logs:
            return
        self._write()
        for tail in too_long:
            try:
                tail.trim(limit)
            except OSError as error:
                self._can_bound_logs = error.errno not in UNSUPPORTED
                self._warn_of_long_logs(error)

    def _warn_of_long_logs(self, error: OSError) -> None:
        warning = warn_of_long_logs(str(error.strerror), self._clock())
        if all(each.slug != warning.slug for each in self._state.warnings):
            self._record([warning])

    def _pop_executor_notes(self) -> list[AnyEvent]:
        """What there is to say of the place where jobs run; why launches wait once in a row."""
        texts = self._executor.pop_notes()
        texts += [f"a launch waits: {delay}" for delay in self._launch_queue.pop_delays()]
        return [ExecutorNoted(at=self._clock(), text=text) for text in texts]

    def _poll(self) -> list[tuple[_Attempt, Outcome]]:
        live = [each for each in self._attempts.values() if each.outcome is None]
        handles = [self._handle(each) for each in live]
        outcomes = self._executor.poll(handles)
        waiting = [each for each in self._attempts.values() if each.outcome is not None]
        return [
            *zip(live, outcomes, strict=True),
            *((each, each.outcome) for each in waiting if each.outcome is not None),
        ]

    def _follow_queue(self, attempt: _Attempt, outcome: Outcome) -> list[AnyEvent]:
        """Whether an attempt has begun to wait for its turn, or waits no longer."""
        latest = self._state.jobs[attempt.job].attempt
        assert latest is not None
        at, number = self._clock(), attempt.job
        if isinstance(outcome, Pending):
            attempt.last_output_at = time.monotonic()
            if outcome.reason == latest.queue_reason:
                return []
            return [JobQueued(at=at, number=number, attempt=attempt.number, reason=outcome.reason)]
        since = None if isinstance(outcome, Lost) else outcome.since
        if not latest.is_queued or since is None:
            return []
        since = min(max(since, latest.submitted_at), at)
        return [JobStarted(at=at, number=number, attempt=attempt.number, since=since)]

    def _handle(self, attempt: _Attempt) -> dict[str, object]:
        latest = self._state.jobs[attempt.job].attempt
        assert latest is not None
        return dict(latest.handle or {})

    def _read_log(self, attempt: _Attempt, *, final: bool) -> list[AnyEvent]:
        latest = self._state.jobs[attempt.job].attempt
        assert latest is not None
        observations = tuple(find_fresh(latest, attempt.tail.read(final=final)))
        notes = self._pop_notes(attempt)
        if attempt.tail.size != attempt.size:
            attempt.size, attempt.last_output_at = attempt.tail.size, time.monotonic()
        if not observations:
            return notes
        if any(each.metric == self._spec.objective_metric_name for each in observations):
            self._observed.add(attempt.job)
        return [
            ObservationsRead(
                at=self._clock(),
                number=attempt.job,
                attempt=attempt.number,
                observations=observations,
            ),
            *notes,
        ]

    def _answer_matches(self, attempt: _Attempt, matches: list[LogMatch]) -> None:
        """Do what the log rules ask for; a job that is stopping already goes on stopping."""
        for match in matches:
            job = self._state.jobs[attempt.job]
            text = f"attempt {attempt.number} printed {match}"
            reason = judge_match(self._spec, job, match.action)
            if reason is None and text not in job.notes:
                self._record([JobNoted(at=self._clock(), number=job.number, text=text)])
            if reason is not None and job.phase in ("Starting", "Training"):
                self._act(Stop(job.number, reason, explanation=str(match)))

    def _find_silent(self) -> list[int]:
        """The jobs that have printed nothing for longer than they may."""
        limit = self._spec.max_silence_seconds
        if limit is None:
            return []
        now = time.monotonic()
        return [each.job for each in self._attempts.values() if now - each.last_output_at >= limit]

    def _warn(self) -> None:
        """Say what looks wrong."""
        warnings = self._watchdog.look(self._state, self._clock())
        if warnings:
            self._record([*warnings])

    def _warn_of_waiting(self, avoided: Iterable[str]) -> None:
        """Say so where a job could run if others left it a GPU."""
        warning = warn_of_busy_gpus(self._spec, self._state, avoided, self._clock())
        if warning is not None:
            self._record([warning])

    def _pop_notes(self, attempt: _Attempt) -> list[AnyEvent]:
        """What is new to know about how an attempt's output was read."""
        known = self._state.jobs[attempt.job].notes
        fresh = [text for text in attempt.tail.pop_notes() if text not in known]
        return [JobNoted(at=self._clock(), number=attempt.job, text=text) for text in fresh]

    def _finish(self, attempt: _Attempt, outcome: Outcome) -> list[AnyEvent]:
        """The end of an attempt; the slot is free only when nothing of it is left.

        What a command leaves behind when it ends well is its own affair. What a stopped, failed or
        lost one leaves would hold memory and devices for nobody.
        """
        attempt.outcome = outcome
        notes: list[str] = []
        if not (isinstance(outcome, Exited) and outcome.exit_code == 0 and not outcome.why):
            if attempt.sweep is None:
                grace = 0.0 if len(self._signals) > 1 else self._spec.stop_grace_seconds
                attempt.sweep = asyncio.create_task(self._clear_up(attempt, grace))
                attempt.sweep.add_done_callback(lambda _: self._wake.set())
            if not attempt.sweep.done():
                return []
            notes = attempt.sweep.result()
        ending = self._ending(attempt, outcome)
        del self._attempts[attempt.job]
        self._ended_tails.append(attempt.tail)
        self._observed.discard(attempt.job)
        noted = [JobNoted(at=self._clock(), number=attempt.job, text=each) for each in notes]
        return [ending, *noted]

    async def _clear_up(self, attempt: _Attempt, grace: float) -> list[str]:
        """End what an attempt left behind, and see that its GPUs are free; what to say of it."""
        killed = await asyncio.to_thread(self._executor.sweep, self._handle(attempt), grace)
        notes = [f"outlived the job, killed: {each}" for each in killed]
        latest = self._state.jobs[attempt.job].attempt
        if latest and latest.share:
            others = self._state.list_held(but=attempt.job)
            notes += await asyncio.to_thread(self._gpu_watch.wait_for_release, latest.share, others)
        return notes

    def _ending(self, attempt: _Attempt, outcome: Outcome) -> AnyEvent:
        log = self._jobdir.attempt(attempt.job, attempt.number).log
        if isinstance(outcome, Exited):
            code, why = outcome.exit_code, outcome.why
            tail = read_tail(log) if code or why else self._find_nearest(attempt, log)
            words = [*tail, describe_exit(code), why]
            return JobExited(
                at=self._clock(),
                number=attempt.job,
                attempt=attempt.number,
                exit_code=code,
                ended_at=outcome.ended_at,
                tail=tail,
                why=why,
                retry=bool(code or why) and self._is_worth_retrying(attempt.job, words),
            )
        assert isinstance(outcome, Lost)
        return JobLost(
            at=self._clock(),
            number=attempt.job,
            attempt=attempt.number,
            why=outcome.why,
            evicted=outcome.evicted,
            tail=read_tail(log),
        )

    def _is_worth_retrying(self, number: int, words: Iterable[str]) -> bool:
        """What `retry` says of the last words of a job; nothing, if its regexes take too long."""
        try:
            with limit_searches(OneSearch()):
                return is_worth_retrying(self._spec, self._state.jobs[number], words)
        except SearchTooLongError:
            text = "a regex of 'retry' takes too long on its last lines: it is not tried again"
            self._record([JobNoted(at=self._clock(), number=number, text=text)])
            return False

    def _find_nearest(self, attempt: _Attempt, log: Path) -> tuple[str, ...]:
        """For a job that printed no objective value: the lines that come nearest to one."""
        objective = self._spec.objective_metric_name
        if self._state.jobs[attempt.job].curve(objective) or attempt.job in self._observed:
            return ()
        return tuple(nearest_lines(read_lines(log), objective))

    def _answer_requests(self) -> None:
        """Signals, and what other terminals ask for."""
        if len(self._signals) > self._handled_signals:
            self._handled_signals = len(self._signals)
            self._begin_stop("Interrupted")
        for request in pop_requests(self._jobdir):
            match request:
                case {"changes": dict(changes)}:
                    self._change_spec(changes)
                case {"stop_jobs": None}:
                    self._begin_stop("StoppedByUser")
                case {"stop_jobs": [*numbers]}:
                    self._stop_jobs(numbers)

    def _begin_stop(self, reason: Literal["StoppedByUser", "Interrupted"]) -> None:
        self._record([TuningJobStopRequested(at=self._clock(), reason=reason)])
        self._launch_queue.give_up()

    def _stop_jobs(self, numbers: Iterable[object]) -> None:
        for number in numbers:
            if isinstance(number, int):
                job = self._state.jobs.get(number)
                if job is not None and job.phase == "Submitting":
                    self._stop_soon.add(number)
                elif job is not None and not job.has_ended and job.phase != "Planned":
                    self._act(Stop(number, "StoppedByUser"))

    def _change_spec(self, changes: Mapping[str, object]) -> None:
        """Go on with other limits. Whoever asks has checked them; who has not is not heard."""
        try:
            self._spec = change_spec(self._state.spec, changes, len(self._state.jobs))
        except UsageError:
            return
        fields = self._spec.model_dump(mode="json")
        changed = {field: fields[field] for field in changes}
        self._record([SpecChanged(at=self._clock(), changes=changed)])
        self._write()

    def _listen(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        if self._executor.attempts_are_children:
            loop.add_signal_handler(signal.SIGCHLD, self._wake.set)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:  # nohup
                continue
            loop.add_signal_handler(number, self._interrupt, number)

    def _interrupt(self, number: int) -> None:
        self._signals.append(number)
        self._wake.set()
        if len(self._signals) > 1:
            for attempt in self._attempts.values():
                self._executor.stop(self._handle(attempt), force=True)

    def _wake_soon(self) -> None:
        """Go on waiting no longer; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._executor.poll_seconds)
        except TimeoutError:
            return
        self._wake.clear()

    # What to do

    def _act(self, command: Command) -> None:
        now = self._clock()
        match command:
            case Plan(number):
                if self._suggestion is None:
                    self._record([JobPlanned(at=now, number=number)])
                    self._suggest(number, self._state)
            case Launch(number, share):
                self._launch(self._state.jobs[number], share)
            case Continue(number, verdict):
                self._record([self._judgement(number, verdict)])
            case Stop(number, reason, verdict, explanation):
                if verdict is not None:
                    self._record([self._judgement(number, verdict)])
                event = JobStopRequested(
                    at=now,
                    number=number,
                    reason=reason,
                    explanation=verdict.reason if verdict else explanation,
                    evidence=dict(verdict.evidence) if verdict else {},
                )
                self._record([event])
                self._write()
                if number in self._attempts:
                    self._executor.stop(self._handle(self._attempts[number]), force=False)
            case Kill(number):
                attempt = self._attempts.get(number)
                is_alive = attempt is not None and attempt.outcome is None
                if attempt and is_alive and now - attempt.killed_at > KILL_AGAIN_SECONDS:
                    attempt.killed_at = now
                    self._executor.stop(self._handle(attempt), force=True)
            case End(completion):
                self._record(
                    [TuningJobEnded(at=now, status=completion.status, reason=completion.reason)]
                )

    def _judgement(self, number: int, verdict: Verdict) -> AnyEvent:
        job = self._state.jobs[number]
        return JobJudged(
            at=self._clock(),
            number=number,
            attempt=len(job.attempts),
            step=job.curve(self._spec.objective_metric_name)[-1][0],
            stop=verdict.stop,
            reason=verdict.reason,
            evidence=dict(verdict.evidence),
        )

    def _suggest_planned(self) -> None:
        """Choose hyperparameters that another tuner was choosing, or had chosen before a part of
        the journal was lost."""
        planned = [job.number for job in self._state.jobs.open if job.phase == "Planned"]
        if planned and self._suggestion is None:
            known = self._journal.state(self._journal.planned_seq(planned[0]))
            self._suggest(planned[0], known)

    def _suggest(self, number: int, known: TuningState) -> None:
        """Choose hyperparameters in a thread, from what was known when the job was planned."""
        work = asyncio.to_thread(suggest, self._spec, known, number)
        self._suggestion = asyncio.create_task(self._time_answer(number, work))
        self._suggestion.add_done_callback(lambda _: self._wake.set())

    async def _time_answer(self, number: int, work: Awaitable[Hyperparameters | None]) -> AnyEvent:
        begun = time.perf_counter()
        hyperparameters = await work
        now = self._clock()
        if hyperparameters is None:
            return SpaceExhausted(at=now, number=number)
        seconds = round(time.perf_counter() - begun, 4)
        return JobSuggested(at=now, number=number, hyperparameters=hyperparameters, seconds=seconds)

    def _cancel_suggestion(self) -> None:
        if self._suggestion is not None:
            self._suggestion.cancel()

    def _launch(self, job: TrainingJob, share: Share | None) -> None:
        event = JobSubmitting(
            at=self._clock(),
            number=job.number,
            attempt=len(job.attempts) + 1,
            share=None if share is None else share.to_fields(),
        )
        self._record([event])
        self._submit(self._state.jobs[job.number])
        self._prepare()

    def _prepare(self) -> None:
        """Import what later suggestions need, while the first job runs."""
        if self._preparation is None:
            name = self._spec.strategy
            self._preparation = Thread(target=prepare_strategy, args=(name,), daemon=True)
            self._preparation.start()

    def _submit(self, job: TrainingJob, *, look: bool = False) -> None:
        """Launch the attempt that was announced; `look` whether the last tuner has done so."""
        assert job.attempt is not None
        assert job.hyperparameters is not None
        number, attempt = job.number, job.attempt.number
        request = make_launch_request(
            self._spec,
            self._jobdir,
            self._environment,
            self._state.directory,
            number,
            attempt,
            job.hyperparameters,
            job.attempt.share,
        )
        self._write()
        self._launch_queue.submit(number, request, look=look)

    def _collect_launches(self) -> None:
        """Record the launches that have been carried out, or were not possible."""
        for number, launch in self._launch_queue.pop_done():
            self._record([self._launched(number, launch)])
            if number in self._state.jobs and self._state.jobs[number].phase == "Starting":
                self._follow(self._state.jobs[number])
            if number in self._stop_soon:
                self._stop_soon.discard(number)
                self._act(Stop(number, "StoppedByUser"))

    def _launched(self, number: int, launch: Future[Launched]) -> AnyEvent:
        at, attempts = self._clock(), self._state.jobs[number].attempts
        attempt = len(attempts)
        why, evicted = "it was not launched any more", True
        try:
            launched = launch.result()
            if launched.handle is not None:
                return JobLaunched(
                    at=at,
                    number=number,
                    attempt=attempt,
                    handle=dict(launched.handle),
                    since=attempts[-1].submitted_at if launched.was_found else None,
                )
        except OSError as error:
            if error.errno in RESOURCE_ERRNOS:
                raise HptError.of(
                    "launch",
                    f"training job {number} cannot be launched: {error}",
                    f"it is no fault of the job; go on with 'hpt resume {self._jobdir.name}'",
                ) from error
            why, evicted = f"it could not be launched: {error}", False
        return JobLost(at=at, number=number, attempt=attempt, why=why, evicted=evicted)

    def _follow(self, job: TrainingJob) -> None:
        """Watch an attempt and read its log."""
        latest = job.attempt
        assert latest is not None
        tail = AttemptTail(
            self._spec.extractors,
            log=self._jobdir.attempt(job.number, latest.number).log,
            directory=self._jobdir.training_job(job.number),
            started_at=latest.submitted_at,
            last_offsets=latest.last_offsets,
            rules=[(rule.pattern, rule.action) for rule in self._spec.log_rules],
            slow_lines=self._slow_lines,
        )
        self._attempts[job.number] = _Attempt(job.number, latest.number, tail)

    # After another tuner

    def _recover(self) -> None:
        """Go on where the last tuner left off; what it recorded says what it may have done."""
        for job in list(self._state.jobs.values()):
            if job.phase == "Submitting" and self._state.status == "Stopping":
                assert job.attempt is not None
                directory = self._jobdir.attempt(job.number, job.attempt.number).path
                self._launch_queue.recover(job.number, directory)
            elif job.phase == "Submitting":
                self._submit(job, look=True)
            elif job.is_running:
                self._follow(job)
                if job.phase == "Stopping":
                    self._executor.stop(self._handle(self._attempts[job.number]), force=False)
