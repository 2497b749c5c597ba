"""Looks at attempts, and reads what they print, in a thread of its own.

A disk may hang, and a log be longer than can be read in a moment: the tuner's loop waits for
neither. Reading comes in rounds of bounded time; where there is more than one round can read, the
attempts take turns. A round begins only after the loop has taken what the last one found, and the
thread rests while the loop has its turn, as both would only wait for the other's lock.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Condition, Event

from hpt_cli import clock
from hpt_cli.executors import Executor, Exited, Handle, Lost, Outcome, Pending, Running, launcher
from hpt_cli.logs.log_file import read_lines, read_tail
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.machine.shortage import describe_shortage, is_shortage
from hpt_cli.machine.threads import start_thread
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.detection import nearest_lines
from hpt_cli.metrics.log_rules import LogMatch
from hpt_cli.metrics.thinning import Totals
from hpt_cli.runtime.attempts.suspensions import Suspensions
from hpt_cli.spec.parts import Success
from hpt_cli.tuning.failures.success import Ending, judge_end
from hpt_cli.tuning.jobs.spans import Span

ROUND_SECONDS = 0.05
"""Longest time of a round; an attempt's last block may exceed it by some milliseconds."""
ATTEMPT_SECONDS = 0.02
"""An attempt's part of a round."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is new of one attempt."""

    job: int
    attempt: int
    outcome: Outcome
    looked_at: float
    """When the attempt was looked at, in seconds since the epoch."""
    suspended: tuple[Span, ...] = ()
    """From when to when it was suspended, as far as this tuner has seen."""
    is_settled: bool = False
    """Whether it is known until now when it was suspended."""
    observations: tuple[Observation, ...] = ()
    totals: Mapping[str, Totals] = field(default_factory=dict)
    """By metric, where not all observations are kept."""
    matches: tuple[LogMatch, ...] = ()
    notes: tuple[str, ...] = ()
    is_complete: bool = False
    """Whether it has ended, and all of its output has been read."""
    ending: Ending | None = None
    """Of a complete one that exited: whether it succeeded."""
    last_lines: tuple[str, ...] = ()
    """Of a complete one: its last lines, or if it succeeded without a value of the objective, those
    that look most like one."""
    last_sign: float = 0.0
    """Of a complete one: when it was last known to live."""


@dataclass
class FollowedLog:
    """An attempt that is looked at; times are seconds since the epoch.

    Only the thread changes it, except for `settled_at`, `is_swept` and `is_paused`.
    """

    job: int
    attempt: int
    handle: Handle
    log: Path
    tail: AttemptTail
    objective: str
    clock: Callable[[], float] = clock.now
    success: Success | None = None
    """When it has succeeded, if not by the exit code 0."""
    seen_at: float = 0.0
    """When it was last seen alive."""
    settled_at: float = 0.0
    """From when on its launcher has written down all suspensions so far."""
    is_swept: bool = False
    """Whether what it left running has been ended."""
    is_paused: bool = False
    """Whether it stands still because hpt itself has paused it: that is no suspension."""
    outcome: Outcome = field(default_factory=Running)
    last_output_at: float = field(init=False)
    """When its output last grew."""
    looked_at: float = field(init=False)
    """When it was last found to have nothing unread."""
    unread: int = 0
    """The bytes that it has printed and that have not been read, as far as is known."""
    searched: int = 0
    """So many bytes of the log have been searched for the objective in vain."""
    _told: tuple[object, ...] = ()
    """The outcome and the suspensions in the last reading."""
    _is_settled: bool = False
    _has_objective: bool = False
    _has_text: bool = False

    def __post_init__(self) -> None:
        """Begin with a clean slate."""
        self.last_output_at = self.looked_at = self.clock()
        self._suspensions = Suspensions(self.log.parent)

    @property
    def has_ended(self) -> bool:
        """Whether the attempt is over; there may be output to read."""
        return isinstance(self.outcome, (Exited, Lost))

    @property
    def is_over(self) -> bool:
        """Whether it prints no more that counts: without its launcher, a command may go on."""
        return self.has_ended and (self.is_swept or not isinstance(self.outcome, Lost))

    def read(self, may_go_on: Callable[[], bool]) -> Reading | None:
        """Return what is new; None if nothing is.

        Args:
            may_go_on: whether another block may be read; asked before each but the first.
        """
        size, is_over = self.tail.size, self.is_over
        found = tuple(self.tail.read(final=is_over, may_go_on=may_go_on))
        self.unread, now = self.tail.unread, self.clock()
        # Any output counts, not only values of metrics. In a queue, nothing can be printed.
        if self.tail.size != size or isinstance(self.outcome, Pending):
            self.last_output_at = now
        if not self.unread:
            self.looked_at = now
        self._has_objective |= any(each.metric == self.objective for each in found)
        if not self._has_objective and not self.unread:
            self.searched = self.tail.log_size
        is_complete = is_over and not self.unread
        thinner = self.tail.thinner
        totals = thinner.pop_totals(final=is_complete) if thinner else {}
        matched, notes = self.tail.pop_matches(), tuple(self.tail.pop_notes())
        self._has_text |= any(each.action == "succeed" for each in matched)
        matches = tuple(each for each in matched if each.action != "succeed")
        settled_at, was_settled = self.settled_at, self._is_settled
        outcome = Running() if self.is_paused and not self.has_ended else self.outcome
        suspended = self._suspensions.look(outcome, now, closely=not was_settled)
        is_known = self._suspensions.are_known(now) and now >= settled_at
        self._is_settled = is_known and getattr(self.outcome, "is_certain", True)
        told = (self.outcome, suspended, self._is_settled, settled_at)
        if not (found or totals or matches or notes or is_complete) and told == self._told:
            return None
        self._told = told
        ending = self._judge_end() if is_complete else None
        return Reading(
            *(self.job, self.attempt, self.outcome, now, suspended, self._is_settled),
            *(found, totals, matches, notes, is_complete),
            ending=ending,
            last_lines=self._read_last_lines(ending) if is_complete else (),
            last_sign=self._find_last_sign() if is_complete else 0.0,
        )

    def _find_last_sign(self) -> float:
        signs = [self.seen_at]
        # The launcher touches its claim now and then.
        for path in (self.log, self.log.with_name(launcher.CLAIM)):
            with suppress(OSError):
                signs.append(path.stat().st_mtime)
        return min(max(signs), self.clock())

    def _judge_end(self) -> Ending | None:
        if not isinstance(self.outcome, Exited):
            return None
        code, why = self.outcome.exit_code, self.outcome.why
        return judge_end(self.success, code, why, has_text=self._has_text)

    def _read_last_lines(self, ending: Ending | None) -> tuple[str, ...]:
        if ending is None or not ending.succeeded:
            return read_tail(self.log)
        if self._has_objective:
            return ()
        return tuple(nearest_lines(read_lines(self.log), self.objective))


class LogReader:
    """Reads the output of all attempts under way."""

    def __init__(self, executor: Executor, wake: Callable[[], None]) -> None:
        """`wake` is called, in the thread, when there is something to pop."""
        self._executor = executor
        self._wake = wake
        self._logs: OrderedDict[int, FollowedLog] = OrderedDict()
        """By job, the one that was read longest ago first."""
        self._changed = Condition()
        """Held to change what stands above or below."""
        self._found: list[Reading] = []
        self._failure: BaseException | None = None
        self._shortage = ""
        """What was short when an attempt could last not be looked at."""
        self._delays: deque[str] = deque()
        self._is_urgent = self._is_closed = False
        self._may_read = Event()
        self._may_read.set()

    def start(self) -> None:
        """Start the thread; it ends with `close`, or with the process.

        Raises:
            HptError: there is none to have.
        """
        start_thread(self._work, "logs")

    def close(self) -> None:
        """Have the thread end after its round."""
        self._may_read.set()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def follow(self, log: FollowedLog) -> None:
        """Read an attempt's output until it has ended and all is read."""
        with self._changed:
            self._logs[log.job] = log
        self.look()

    def look(self) -> None:
        """Look at the attempts soon: something may have happened to them."""
        with self._changed:
            self._is_urgent = True
            self._changed.notify_all()

    def pop(self) -> list[Reading]:
        """Return what was found since the last call.

        Raises:
            BaseException: what went wrong in the thread, which reads nothing any more.
        """
        with self._changed:
            found, self._found = self._found, []
            self._changed.notify_all()
        if self._failure is not None:
            raise self._failure
        return found

    def hold(self) -> None:
        """Have the thread rest after its block, until `let_go`."""
        self._may_read.clear()

    def let_go(self) -> None:
        """Let the thread read again."""
        self._may_read.set()

    def _work(self) -> None:
        try:
            while not self._is_closed:
                try:
                    found, has_more = self.read_round()
                except OSError as error:
                    self._note_shortage(error)
                    found, has_more = [], False
                if found:
                    with self._changed:
                        self._found += found
                    self._wake()
                self._wait(0.0 if has_more else self._executor.poll_seconds)
        except BaseException as failure:  # raised by `pop`, in the loop
            self._failure = failure
            self._wake()

    def _note_shortage(self, error: OSError) -> None:
        """Remember to tell of what is short for a while; raise any other error."""
        if not is_shortage(error):
            raise error
        what = describe_shortage(error)
        if what != self._shortage:
            self._shortage = what
            self._delays.append(f"reading is delayed: {what}")

    def pop_delays(self) -> list[str]:
        """Return why attempts could not be looked at, since the last time."""
        return [self._delays.popleft() for _ in range(len(self._delays))]

    def _wait(self, seconds: float) -> None:
        """Wait until what was found is taken, and then so long, unless something is urgent."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not self._found)
            self._changed.wait_for(lambda: self._is_closed or self._is_urgent, seconds)
            self._is_urgent = False

    def read_round(self) -> tuple[list[Reading], bool]:
        """Return what is new of the attempts, and whether there is more to read at once."""
        with self._changed:
            logs = list(self._logs.values())
        live = [each for each in logs if not each.has_ended]
        outcomes = self._executor.poll([each.handle for each in live])
        for each, outcome in zip(live, outcomes, strict=True):
            each.outcome = outcome
            if isinstance(outcome, Running) and outcome.is_certain:
                each.seen_at = each.clock()
        until = time.monotonic() + ROUND_SECONDS
        found: list[Reading] = []
        for log in logs:
            if time.monotonic() >= until:
                return found, True
            may_go_on = partial(self._may_go_on, min(until, time.monotonic() + ATTEMPT_SECONDS))
            try:
                reading = log.read(may_go_on)
            except OSError as error:  # what was found of others must not be lost
                self._note_shortage(error)
                continue
            with self._changed:
                self._logs.move_to_end(log.job)
                if reading is not None:
                    found.append(reading)
                    if reading.is_complete:
                        log.tail.close()
                        del self._logs[log.job]
        return found, any(each.unread for each in logs)

    def _may_go_on(self, until: float) -> bool:
        self._may_read.wait()
        return time.monotonic() < until and not self._is_closed
