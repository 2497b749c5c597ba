"""The tuner's loop: gather, record, fold, decide, act. Only this room uses asyncio.

One task owns everything that changes. It gathers what happened (logs grew, attempts ended, a
suggestion is ready, a request came), records it, folds it into the state, asks
`decide` what to do, records the intent, and does it. Choosing hyperparameters, launching and
clearing up after a job run in threads, so that reading and killing never wait for them.

An intent is on disk before its effect: a job is launched or stopped only after that was written.
What was only seen (output, exits, launches) is written with the next intent, or half a second
later: after a crash it would be seen again, in the files of the jobs. A thread writes it. While
it cannot, nothing is launched, jobs go on and are judged, and a stop waits a moment for its record
and then happens without.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from threading import Event
from typing import Literal

from hpt_cli import clock
from hpt_cli.executors import Executor
from hpt_cli.machine.capacity import Capacity
from hpt_cli.machine.claims import Claims
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.machine.threads import start_pool
from hpt_cli.metrics.log_rules import LogMatch
from hpt_cli.runtime import intents
from hpt_cli.runtime.attempts.follower import AttemptFollower
from hpt_cli.runtime.attempts.launch_queue import LaunchQueue
from hpt_cli.runtime.attempts.memory import MemoryMonitor
from hpt_cli.runtime.checkpoints import CheckpointKeeper
from hpt_cli.runtime.environment import JobContext, make_launch_request
from hpt_cli.runtime.heartbeat import Heartbeat, read_heartbeat
from hpt_cli.runtime.journal_writer import JournalWriter
from hpt_cli.runtime.monitor import Monitor
from hpt_cli.runtime.orphans import OrphanReaper
from hpt_cli.runtime.request_reader import RequestReader
from hpt_cli.runtime.signals import Signals
from hpt_cli.runtime.suggester import Suggester, read_planned
from hpt_cli.runtime.view import View
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.spec.resources import Resource
from hpt_cli.storage.connection import TakenError
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.commands import (
    Command,
    Continue,
    End,
    Kill,
    Launch,
    Pause,
    PauseLaunching,
    Plan,
    Requeue,
    ResumeLaunching,
    Stop,
    Thaw,
)
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.evidence import list_compared
from hpt_cli.tuning.failures.retry import judge_match
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState, forget_curve, forget_curves
from hpt_cli.tuning.steering.requests import answer_request
from hpt_cli.tuning.warnings import warn_of_busy_gpus, warn_of_claims

SWITCH_SECONDS = 0.0005
"""Time that a thread may compute before another has its turn: reading and killing come first."""
LAST_WRITE_SECONDS = 5.0
"""How long a tuner that was asked to stop waits for a journal that cannot be written."""
LEAST_WRITE_SECONDS = 1.0
"""The same for one that was asked twice: a write takes some milliseconds where nothing is wrong."""
THREADS = 8
"""How many suggestions and clean-ups may be under way at the same time."""


class Runner:
    """Runs a tuning job until it ends or is interrupted."""

    _launch_recorded: Event | None = None
    """Set when the latest launch is on disk."""

    def __init__(
        self,
        spec: TuningSpec,
        jobdir: JobDir,
        executor: Executor,
        view: View,
        state: TuningState,
        capacity: Capacity | None = None,
        signals: Signals | None = None,
        requeued: Sequence[int] = (),
        clock: Callable[[], float] = clock.now,
    ) -> None:
        """Prepare to tune on from a state.

        Args:
            state: what the journal holds; read once, as reading a long journal takes time.
            capacity: the resources to hand out to training jobs that say what they need.
            signals: those that have come, and will come, while something is to be ended in order.
            requeued: the jobs that had failed, and that the user wants to run again.
        """
        self._spec = spec
        # Absolute, as the working directory may be deleted.
        self._jobdir = jobdir = JobDir(jobdir.path.absolute())
        self._executor = executor
        self._view = view
        self._clock = clock
        self._environment = dict(os.environ)
        self._state = forget_curves(state, list_compared(spec), state.jobs.ended)
        self._heartbeat = Heartbeat(jobdir.heartbeat, clock)
        self._pool = capacity.pool if capacity else None
        gpus, names = (capacity.gpus, capacity.pool.gpus) if capacity else ((), ())
        self._claims = Claims(jobdir.path, spec.request, capacity, self._environment)
        shares, avoid_busy = state.list_shares(), spec.avoid_busy_gpus
        self._gpu_monitor = GpuMonitor(names, gpus, shares, avoid_busy=avoid_busy)
        self._signals = signals or Signals()
        wake, self._threads = self._signals.wake, start_pool(THREADS, "worker")
        self._follower = AttemptFollower(
            *(spec, executor, jobdir, self._gpu_monitor, clock, wake, self._threads)
        )
        self._memory = MemoryMonitor(executor, self._follower.attempts, self._threads, wake)
        self._suggester = Suggester(clock, wake, self._threads)
        self._monitor = Monitor(spec, jobdir, self._threads)
        self._checkpoints = CheckpointKeeper(jobdir, wake)
        self._writer = JournalWriter(jobdir.journal, state.last_seq, wake)
        self._requests = RequestReader(jobdir, wake)
        self._launch_queue = LaunchQueue(executor, jobdir, clock, wake)
        self._stop_soon, self._orphans = set[int](), OrphanReaper()
        self._requeued, self._is_impatient = requeued, False
        self._last_alive = 0.0
        """When the tuner before this one was last alive."""

    @property
    def alive(self) -> int:
        """The number of attempts that have not ended, as far as is known."""
        return len(self._follower) + len(self._launch_queue)

    def run(self) -> TuningState:
        """Tune until nothing is left to do.

        Returns:
            The final state, with a status of Completed, Failed or Stopped.
        """
        last_alive = read_heartbeat(self._jobdir.heartbeat)
        with self._heartbeat:
            return asyncio.run(self._run(last_alive))

    async def _run(self, last_alive: float | None) -> TuningState:
        sys.setswitchinterval(SWITCH_SECONDS)
        # In this process only. Where it can start no more threads, OpenBLAS would send it a SIGINT
        # as it is imported.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        reader = self._follower.reader
        on_child = reader.look if self._executor.attempts_are_children else None
        self._signals.listen(on_child)
        reader.start()
        self._writer.start()
        self._requests.start()
        try:
            await self._begin(last_alive)
            await self._tune()
            await self._finish()
        finally:
            self._suggester.cancel()
            self._launch_queue.close()
            reader.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._requests.close()
            self._writer.close()
        return self._state

    async def _begin(self, last_alive: float | None) -> None:
        """Record the beginning, and take over what there is."""
        while not (self._writer.opened.is_set() and self._requests.looked.is_set()):
            await self._signals.wait(self._executor.poll_seconds)
        if self._writer.error is not None:
            raise self._writer.error
        self._record([intents.start(self._state, self._clock(), self._pool, last_alive)])
        _, self._last_alive = self._state.past_sessions[-1]
        for number in self._requeued:
            self._act(Requeue(number, "Asked"))
        self._writer.flush()
        self._answer_requests()
        self._recover()

    def _recover(self) -> None:
        """Take over the open jobs of the last tuner: find, follow or stop their attempts."""
        for job in list(self._state.jobs.values()):
            if job.phase == "Submitting" and self._state.status == "Stopping":
                assert job.attempt is not None
                # Without a request nothing is launched, but what runs already is found, to be
                # stopped.
                directory = self._jobdir.attempt(job.number, job.attempt.number).path
                self._launch_queue.submit(job.number, directory, None, may_exist=True)
            elif job.phase == "Submitting":
                self._submit(job, may_exist=True)
            elif job.is_alive:
                assert job.attempt is not None
                self._claims.take(job.number, job.attempt.share)
                self._follower.follow(job, self._last_alive)
                # The last tuner may have died after it wrote the request, and before it sent the
                # signal.
                if job.phase == "Stopping":
                    self._follower.stop(job.number)
                elif job.phase == "Paused":
                    self._follower.pause(job.number)
                elif self._spec.pausing is not None and job.attempt.suspended_since is None:
                    self._follower.thaw(job.number)

    async def _tune(self) -> None:
        while True:
            # First, so that a stop that waited for its record never hits a later attempt.
            self._watch_journal()
            self._follower.reader.hold()
            self._orphans.reap()
            self._collect()
            self._answer_requests()
            searched = self._follower.map_searched()
            self._record(self._monitor.read(self._state, self._clock(), searched))
            busy = self._gpu_monitor.list_avoided(self._state.list_shares())
            claimed = self._claims.list_others()
            commands = self._decide(busy | claimed)
            for command in commands:
                self._act(command)
            now = self._clock()
            waiting = warn_of_busy_gpus(self._spec, self._state, busy, now)
            waiting = waiting or warn_of_claims(self._spec, self._state, claimed, now)
            self._record([] if waiting is None else [waiting])
            if any(isinstance(command, End) for command in commands):
                self._record(self._follower.note_left())
                return
            self._follower.reader.let_go()
            if not any(isinstance(command, (Launch, Stop, Pause, Thaw)) for command in commands):
                await self._signals.wait(self._executor.poll_seconds)

    def _decide(self, avoided: Collection[Resource]) -> list[Command]:
        # What is decided holds for this moment: the tuner may be suspended right after it.
        now = self._heartbeat.tick()
        self._record(self._follower.settle(self._heartbeat.pop_suspensions()))
        follower, state = self._follower, self._state
        observed, silent = follower.pop_observed(state), follower.list_silent(state)
        unjudged = follower.list_unjudged()
        left = follower.list_left() if self._signals.first is not None else set()
        most_paused = self._memory.count_most_paused(self._spec.pausing, state)
        commands = decide(
            *(self._spec, state, now, observed, silent, avoided, unjudged, left, most_paused),
            is_short=self._memory.is_short(self._spec.pausing, state),
        )
        self._checkpoints.keep_best(self._spec, state)
        may_end = not self._checkpoints.is_busy or self._signals.first is not None
        return [each for each in commands if may_end or not isinstance(each, End)]

    # Record

    def _record(self, events: Sequence[ev.Event]) -> None:
        """Fold events, remember to write them, and show them."""
        for event in events:
            if isinstance(event, (ev.JobExited, ev.JobLost)):
                self._state = forget_curve(self._state, list_compared(self._spec), event.number)
                self._claims.release(event.number)
            self._state = fold(self._state, event)
            if isinstance(event, ev.SpecChanged):
                self._follow_spec(event)
        self._monitor.observe(events)
        self._writer.add(events)
        self._view.show(self._state, events, self._clock())

    def _follow_spec(self, event: ev.SpecChanged) -> None:
        """Go on with another spec; what is being chosen is chosen anew in another space."""
        self._spec = self._follower.spec = load_spec(self._state.spec)
        planned = [job.number for job in self._state.jobs.open if job.phase == "Planned"]
        if event.changes_space and planned and self._suggester.is_busy:
            known = self._state
            self._suggester.cancel()
            self._suggester.suggest(lambda: known, planned[0])

    def _watch_journal(self) -> None:
        """Tell how writing goes, and stop the training jobs if there will be none any more."""
        self._writer.run_due()
        now, notes = self._clock(), self._writer.pop_notes()
        if isinstance(self._writer.error, TakenError):
            raise self._writer.error  # whose jobs they now are
        if self._writer.error is not None and self._state.status == "InProgress":
            notes.append(str(self._writer.error))
            self._begin_stop("Interrupted")
        for text in notes:  # only shown, as it cannot be recorded
            self._view.show(self._state, [ev.ExecutorNoted(at=now, text=text)], now)

    async def _finish(self) -> None:
        """Wait until all is written: not for long after a stop, and hardly at all after two."""
        last, asked_at = self._writer.flush(), None
        while not last.written.is_set():
            self._watch_journal()
            if self._writer.error is not None:
                raise self._writer.error
            self._is_impatient |= self._signals.pop_impatience()
            was_asked = self._signals.first is not None or self._state.status == "Stopped"
            if was_asked and asked_at is None:
                asked_at = time.monotonic()
            patience = LEAST_WRITE_SECONDS if self._is_impatient else LAST_WRITE_SECONDS
            if asked_at is not None and time.monotonic() - asked_at >= patience:
                raise self._writer.describe_loss()
            await self._signals.wait(self._executor.poll_seconds)

    # Gather

    def _collect(self) -> None:
        """Record what is new of launches, attempts, their logs and the suggestion under way."""
        self._heartbeat.tick()
        self._record(self._follower.settle(self._heartbeat.pop_suspensions()))
        self._collect_launches()
        events = [*self._pop_executor_notes(), *self._suggester.pop_done()]
        # What is not taken stays unread; a stop needs to know in any case what has ended.
        may_read = not self._writer.is_full or self._state.status == "Stopping"
        for reading in self._follower.reader.pop() if may_read else ():
            events += self._follower.describe(self._state, reading)
            if reading.matches:
                self._record(events)
                events = []
                self._answer_matches(reading.job, reading.attempt, reading.matches)
        self._record(events)
        self._record(self._follower.end(self._state))
        self._suggest_planned()

    def _collect_launches(self) -> None:
        """Record the launches that have succeeded or failed, and follow what runs."""
        for event in self._launch_queue.pop_done(self._state, self._clock()):
            self._record([event])
            job = self._state.jobs[event.number]
            if job.phase == "Starting":
                self._follower.follow(job, self._last_alive)
            # The user asked while the launch was under way, when there was nothing to signal yet.
            if job.number in self._stop_soon:
                self._stop_soon.discard(job.number)
                if not job.has_ended:  # a last launch that failed ends the job by itself
                    self._act(Stop(job.number, "StoppedByUser"))

    def _pop_executor_notes(self) -> list[ev.Event]:
        """Return messages about the executor and about launches that wait."""
        texts = self._executor.pop_notes()
        texts += [f"launch delayed: {delay}" for delay in self._launch_queue.pop_delays()]
        texts += [*self._suggester.pop_delays(), *self._follower.reader.pop_delays()]
        texts += self._checkpoints.pop_notes()
        return [ev.ExecutorNoted(at=self._clock(), text=text) for text in texts]

    def _answer_matches(self, number: int, attempt: int, matches: Iterable[LogMatch]) -> None:
        """Do what the log rules ask for, unless the job is stopping already."""
        for match in matches:
            job = self._state.jobs[number]
            # A resumed tuner reads the log from its beginning, and finds the same match again.
            text = f"attempt {attempt} printed {match}"
            reason = judge_match(self._spec, job, match.action)
            if reason is None and text not in job.notes:
                self._record([ev.JobNoted(at=self._clock(), number=number, text=text)])
            if reason is not None and job.phase in ("Starting", "Training", "Paused"):
                self._act(Stop(number, reason, explanation=str(match)))

    def _suggest_planned(self) -> None:
        """Choose hyperparameters for a job that an earlier tuner had planned."""
        planned = [job.number for job in self._state.jobs.open if job.phase == "Planned"]
        if planned and not self._suggester.is_busy:
            self._suggester.suggest(partial(read_planned, self._jobdir, planned[0]), planned[0])

    # Answer

    def _answer_requests(self) -> None:
        """Do what signals and other terminals have asked for."""
        if self._signals.pop_interrupt():
            self._begin_stop("Interrupted")
        if self._signals.pop_impatience():
            self._is_impatient = True
            self._follower.kill_all()
        for request in self._requests.pop():
            match request:
                case {"stop_jobs": None}:
                    self._begin_stop("StoppedByUser")
                case {"stop_jobs": [*numbers]}:
                    self._stop_jobs(numbers)
                case _:
                    now = self._clock()
                    self._record(answer_request(self._spec, self._state, request, now))
                    self._writer.flush()

    def _begin_stop(self, reason: Literal["StoppedByUser", "Interrupted"]) -> None:
        self._record([ev.TuningJobStopRequested(at=self._clock(), reason=reason)])
        self._launch_queue.give_up()

    def _stop_jobs(self, numbers: Iterable[object]) -> None:
        for number in numbers:
            job = self._state.jobs.get(number) if isinstance(number, int) else None
            if job is None or job.has_ended or job.phase == "Planned":
                continue
            if job.phase == "Submitting":
                self._stop_soon.add(job.number)
            else:
                self._act(Stop(job.number, "StoppedByUser"))

    # Act

    def _act(self, command: Command) -> None:
        now = self._clock()
        match command:
            case Plan(number, proposal):
                if not self._suggester.is_busy:
                    self._record([ev.JobPlanned(at=now, number=number, proposal=proposal)])
                    known = self._state
                    self._suggester.suggest(lambda: known, number, self._launch_recorded)
            case Launch(number, share):
                self._launch(self._state.jobs[number], share)
            case Requeue(number, reason):
                self._record([ev.JobRequeued(at=now, number=number, reason=reason)])
            case PauseLaunching(why):
                self._record([ev.LaunchingPaused(at=now, reason=why)])
            case ResumeLaunching(number):
                self._record([ev.LaunchingResumed(at=now, working=number)])
            case Continue(number, verdict):
                self._record([intents.judge(self._state, number, verdict, now)])
            case Stop(number, verdict=verdict):
                if verdict is not None:
                    self._record([intents.judge(self._state, number, verdict, now)])
                self._tell(intents.stop(command, now))
            case Pause():
                self._tell(intents.pause(self._spec, self._state, command, now))
            case Thaw():
                self._tell(intents.thaw(self._state, command, now))
            case Kill(number):
                self._follower.kill(number)
            case End(end):
                self._record([ev.TuningJobEnded(at=now, status=end.status, reason=end.reason)])

    def _tell(self, intent: ev.JobStopRequested | ev.JobPaused | ev.JobThawed) -> None:
        """Record what an attempt is told to do, and tell it when that is written."""
        self._record([intent])
        match intent:
            case ev.JobPaused():
                act = self._follower.pause
            case ev.JobThawed():
                act = self._follower.thaw
            case _:
                act = self._follower.stop
        self._writer.flush(partial(act, intent.number))

    def _launch(self, job: TrainingJob, share: Share | None) -> None:
        if self._claims.take(job.number, share) is None:
            return  # another tuning job was faster: what is left is decided anew
        submitting = ev.JobSubmitting(
            at=self._clock(),
            number=job.number,
            attempt=len(job.attempts) + 1,
            share=share,
            slot=self._state.find_slot(),
        )
        self._record([submitting])
        self._submit(self._state.jobs[job.number], may_exist=False)
        # The slow imports of the next suggestion happen while this job trains.
        self._suggester.prepare(self._spec.strategy)

    def _submit(self, job: TrainingJob, *, may_exist: bool) -> None:
        """Launch the attempt that was recorded; `may_exist`: the last tuner may have done so."""
        assert job.attempt is not None
        assert job.hyperparameters is not None
        context = JobContext(
            self._spec,
            self._jobdir,
            self._environment,
            self._state.directory,
            job.number,
            job.attempt.number,
            job.hyperparameters,
            job.attempt.share,
            job.attempt.slot,
        )
        request = make_launch_request(context)
        self._launch_recorded = self._writer.flush().written
        self._launch_queue.submit(
            *(job.number, request.directory, request),
            may_exist=may_exist,
            recorded=self._launch_recorded,
            take=partial(self._claims.take, job.number, job.attempt.share),
        )
