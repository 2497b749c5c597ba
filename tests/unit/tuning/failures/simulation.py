"""A tuner with made-up training jobs, under a virtual clock: fold and decide are the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import (
    End,
    Launch,
    PauseLaunching,
    Plan,
    Requeue,
    ResumeLaunching,
    Stop,
)
from hpt_cli.tuning.completion import Completion
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.jobs.training_job import TrainingJob
from tests import builders as b

STEP = 0.25
LONGEST = 100_000.0


class Run(NamedTuple):
    """How an attempt goes: for so long, with an exit code (None: it is lost) and last words."""

    seconds: float
    exit_code: int | None = 0
    line: str = ""


Program = Callable[[TrainingJob, float], Run]
"""Returns how an attempt goes that is launched at a time."""


@dataclass
class Simulation:
    """A tuning job from its start to its end."""

    program: Program
    events: list[ev.Event]
    changes: dict[str, Any] = field(default_factory=dict)
    now: float = 0.0

    def run(self, until: float = LONGEST) -> Completion | None:
        """Tune until the end, or until a time; None if it has not ended by then."""
        self.spec = b.make_spec(**self.changes)
        self.state = b.fold_all(*self.events)
        self.due: dict[int, tuple[float, Run]] = {}
        while self.now < until:
            self._end_due()
            for command in decide(self.spec, self.state, self.now):
                if isinstance(command, End):
                    end = command.completion
                    self._fold(ev.TuningJobEnded(at=self.now, status=end.status, reason=end.reason))
                    return end
                self._act(command)
            self.now += STEP
        return None

    def phases(self) -> dict[str, int]:
        phases = [job.phase for job in self.state.jobs.values()]
        return {phase: phases.count(phase) for phase in phases}

    def count_attempts(self) -> int:
        return sum(len(job.attempts) for job in self.state.jobs.values())

    def list_kind(self, kind: type[ev.Event]) -> list[ev.Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def _fold(self, *events: ev.Event) -> None:
        self.events += events
        for event in events:
            self.state = fold(self.state, event)

    def _end_due(self) -> None:
        for number, (at, run) in list(self.due.items()):
            if at > self.now:
                continue
            del self.due[number]
            attempt = len(self.state.jobs[number].attempts)
            if run.exit_code is None:
                self._fold(ev.JobLost(at=at, number=number, attempt=attempt, why="gone"))
                continue
            if run.exit_code == 0:
                self._fold(b.observed(number, 1.0, at=at, attempt=attempt))
            self._fold(
                ev.JobExited(
                    at=at,
                    number=number,
                    attempt=attempt,
                    exit_code=run.exit_code,
                    ended_at=at,
                    tail=(run.line,),
                )
            )

    def _act(self, command: object) -> None:
        now = self.now
        match command:
            case Plan(number):
                self._fold(*b.suggested(number, now))
            case Launch(number):
                attempt = len(self.state.jobs[number].attempts) + 1
                self._fold(*b.launched(number, now, attempt))
                run = self.program(self.state.jobs[number], now)
                self.due[number] = (now + run.seconds, run)
            case Requeue(number, reason):
                self._fold(ev.JobRequeued(at=now, number=number, reason=reason))
            case PauseLaunching(reason):
                self._fold(ev.LaunchingPaused(at=now, reason=reason))
            case ResumeLaunching(number):
                self._fold(ev.LaunchingResumed(at=now, working=number))
            case Stop(number, reason):
                self._fold(ev.JobStopRequested(at=now, number=number, reason=reason))
                self.due[number] = (now, Run(0, -15))


def simulate(program: Program, **changes: Any) -> Simulation:
    fields = {"max_jobs": 40, **changes}
    return Simulation(program, b.created(b.make_spec(**fields)), fields)


def resume(before: Simulation, program: Program | None = None) -> Simulation:
    """The next tuner, a minute later."""
    at = before.now + 60
    events = [*before.events, ev.TunerStarted(at=at, pid=2, host="here")]
    return Simulation(program or before.program, events, before.changes, at)
