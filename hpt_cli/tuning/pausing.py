"""Which training jobs make way for others, and in which order they go on: a race to a rung.

Early, a stop rule can hardly tell a good job from a bad one, and so it lets bad ones run on. A job
that is paused needs no such decision. So every job is first trained as far as the rung, RUNG_SHARE
of the usual number of epochs, and waits there while others have yet to come so far. Then the best
at the rung goes on, and the next whenever one ends; each is judged by the stop rule when its turn
comes, and after every epoch. The best jobs complete early so, and most of the others have no turn.

Where time ends the tuning job, not all will come; and a model that chooses those to come learns
more from whole curves. So the best of those that have come, a LEADING share of them, do not wait
for others: with a model, or as long as these would take longer than a job takes to complete.

This is the order of successive halving (Jamieson and Talwalkar 2016) with a single rung, and those
that lead go on as in its asynchronous form (Li et al. 2020); jobs that go on where they were are
those of freeze-thaw (Swersky et al. 2014).

Nothing is remembered: who is to be paused or to go on is a function of the curves. Losses at the
rung do not change any more, so two jobs never make way for each other in turn.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.resources import Resource
from hpt_cli.stop_rules import LossCurve, Verdict
from hpt_cli.tuning.allocation import Share, allocate, is_free
from hpt_cli.tuning.commands import Command, Continue, Launch, Pause, Stop, Thaw
from hpt_cli.tuning.evidence import is_comparable, loss_curve
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import plan_next

RUNG_SHARE = 0.05
"""Where the rung is, as a share of the usual number of epochs."""
LEADING = 1 / 8
"""The share of the jobs at the rung that go on although others have yet to begin."""
FIRST_RUNG = 2
"""Where it is before any job has completed, and at least: the first epoch may be all warm-up."""
CHANCE = ("probability", "held_against_job")
"""What of a verdict's evidence says how likely a job is."""
SHORT = "memory is short, and of the paused jobs it is the least likely"

Judge: TypeAlias = Callable[[TrainingJob], Verdict]
"""What a stop rule says of a job."""


# The race, over curves alone


def find_rung(lengths: Sequence[int]) -> int:
    """Return how many epochs jobs train before they are compared.

    Args:
        lengths: the epochs of completed jobs.
    """
    return max(FIRST_RUNG, math.ceil(RUNG_SHARE * statistics.median(lengths)) if lengths else 0)


class Way(NamedTuple):
    """Why a job makes way, and for which paused one; None where for others that are to come."""

    why: str
    successor: int | None = None


@dataclass(frozen=True, slots=True)
class Race:
    """The paused jobs, and whether others are to come."""

    rung: int
    paused: tuple[LossCurve, ...]
    room: float
    """How many more may be paused; infinite without a limit."""
    has_more: bool
    """Whether there are jobs that have not begun, and may."""
    bar: float = -math.inf
    """Up to which loss at the rung a job leads: it goes on all the same; -inf where none does."""

    @property
    def behind(self) -> list[LossCurve]:
        """The paused jobs short of the rung, in order of number."""
        return [each for each in self.paused if not self._has_come(each)]

    @property
    def arrived(self) -> list[LossCurve]:
        """The paused jobs at the rung or beyond, the best there first."""
        return sorted(filter(self._has_come, self.paused), key=self._rank)

    @property
    def leading(self) -> list[LossCurve]:
        """The paused jobs that go on before others begin; those short of the rung are compared
        first."""
        return [*self.behind, *filter(self._leads, self.arrived)] if self.bar > -math.inf else []

    def find_way(self, live: LossCurve) -> Way | None:
        """Return why a running job is to be paused; None where it goes on."""
        if not self._has_come(live):
            return None
        others = f"others have yet to come to epoch {self.rung}"
        if self.has_more and self.room >= 1 and not self._leads(live):
            return Way(others)
        # A paused one that goes on instead leaves its room.
        if self.behind:
            return Way(others, self.behind[0].number)
        first = next(iter(self.arrived), None)
        if first is not None and self._rank(first) < self._rank(live):
            return Way(f"job {first.number} was better at epoch {self.rung}", first.number)
        return None

    def find_rest(self, verdict: Verdict) -> Way | None:
        """Return why a job that is hardly worth its time is paused; None where it is stopped.

        As nobody else needs its place among the paused jobs, it is judged again by what the others
        come to.
        """
        if self.has_more or self.room < 1 or "diverged_epochs" in verdict.evidence:
            return None
        return Way(f"{verdict.reason}; it is judged again when the others have ended")

    def after(self, live: LossCurve, way: Way) -> Race:
        """Return the race when a running job has made way."""
        paused = tuple(each for each in self.paused if each.number != way.successor)
        room = self.room if way.successor is not None else self.room - 1
        return replace(self, paused=(*paused, live), room=room)

    def describe_turn(self, paused: LossCurve) -> str:
        """Return why a paused job goes on."""
        if not self._has_come(paused):
            return f"it has yet to come to epoch {self.rung}"
        return f"of those that waited, it was the best at epoch {self.rung}"

    def list_evidence(self, live: LossCurve, verdict: Verdict) -> dict[str, float | int | str]:
        """Return what a job is paused by: its loss at the rung, and its chance as far as known."""
        loss = live.lows[min(self.rung, len(live.lows)) - 1]
        chance = {name: verdict.evidence[name] for name in CHANCE if name in verdict.evidence}
        return {"step": live.steps[-1], "rung": self.rung, "loss_at_rung": loss, **chance}

    def _has_come(self, curve: LossCurve) -> bool:
        return len(curve.steps) >= self.rung

    def _leads(self, curve: LossCurve) -> bool:
        return curve.lows[self.rung - 1] <= self.bar

    def _rank(self, curve: LossCurve) -> tuple[float, int]:
        return curve.lows[self.rung - 1], curve.number


# The race of a tuning job


def pause_some(
    spec: TuningSpec,
    state: TuningState,
    judged: Iterable[Command],
    avoided: Collection[Resource],
    most_paused: float,
    judge: Judge,
    *,
    is_short: bool = False,
) -> list[Command]:
    """Return what becomes of jobs that were judged, with pauses of those that make way for others;
    where memory is short, with the end of the paused one whose turn would come last.

    Args:
        judged: what is to become of them without pauses: Continue, Stop; others stay as they are.
        avoided: the cores and GPUs that are left to others.
        most_paused: how many may be paused as far as memory allows.
        judge: what a stop rule says of a job.
        is_short: whether memory is short.
    """
    if spec.pausing is None:
        return list(judged)
    race, commands = make_race(spec, state, most_paused), list[Command]()
    if is_short and race.paused:
        last = [*race.behind, *race.arrived][-1]
        verdict = Verdict(stop=True, reason=SHORT)
        return [*judged, Stop(last.number, "EarlyStopped", verdict)]
    if state.failures.outage is not None:
        return list(judged)
    for command in judged:
        commands.append(command)
        if not isinstance(command, (Continue, Stop)) or command.verdict is None:
            continue
        verdict, job = command.verdict, state.jobs[command.number]
        curve = read_curve(spec, state, job)
        if isinstance(command, Stop):
            way = race.find_rest(verdict)
        else:
            way = _find_way(state, race, curve, judge) if is_comparable(spec, job) else None
            if way is not None and not _frees_a_place(spec, state, job, way, avoided):
                way = None
        if way is not None:
            commands[-1] = Continue(job.number, replace(verdict, stop=False))
            commands.append(Pause(job.number, way.why, race.list_evidence(curve, verdict)))
            race = race.after(curve, way)
    return commands


def _find_way(state: TuningState, race: Race, live: LossCurve, judge: Judge) -> Way | None:
    """Return why a running job is to be paused: for none that would not go on then."""
    hopeful = race
    while (way := hopeful.find_way(live)) is not None and way.successor is not None:
        job = state.jobs[way.successor]
        if not (job.attempts[-1].curves and judge(job).stop):
            return way
        rest = tuple(each for each in hopeful.paused if each.number != job.number)
        hopeful = replace(hopeful, paused=rest)
    return way


def let_go_on(
    spec: TuningSpec,
    state: TuningState,
    places: int,
    avoided: Collection[Resource],
    judge: Judge,
    launched: Iterable[Share | None] = (),
    *,
    before_others: bool = False,
) -> list[Command]:
    """Return what becomes of the paused jobs whose turn it is: they go on, or are stopped.

    Args:
        places: how many may go on.
        avoided: the cores and GPUs that are left to others.
        judge: what a stop rule says of a job.
        launched: what jobs get of the machine that are about to be launched.
        before_others: whether only those go on that do so before others begin.
    """
    commands, hopeless = list[Command](), list[Command]()
    if places <= 0 or not state.paused:
        return commands
    race, taken = make_race(spec, state, 0), [each for each in launched if each is not None]
    for curve in race.leading if before_others else [*race.behind, *race.arrived]:
        job = state.jobs[curve.number]
        if places <= 0:
            break
        verdict = judge(job) if curve.steps else Verdict(stop=False)
        if verdict.stop:
            hopeless.append(Stop(job.number, "EarlyStopped", verdict))
            continue
        command, share = _let_go_on(spec, state, job, race.describe_turn(curve), avoided, taken)
        if command is not None:
            commands.append(command)
            taken += [share] if share is not None else []
            places -= 1
    # What the others come to may change what is expected of these, unless more are to begin, which
    # need their place among the paused jobs.
    is_last = not (commands or state.running)
    return commands + hopeless if race.has_more or is_last else commands


def _let_go_on(
    spec: TuningSpec,
    state: TuningState,
    job: TrainingJob,
    why: str,
    avoided: Collection[Resource],
    taken: Sequence[Share],
) -> tuple[Command | None, Share | None]:
    """Return how a job goes on, and with what of the machine; None where that is not free."""
    held = [*state.list_held(job.number), *taken]
    if job.is_alive:
        share = job.attempts[-1].share
        if share is not None and not is_free(share, held, avoided):
            return None, None
        return Thaw(job.number, why), share
    if spec.request is None or state.pool is None:
        return Launch(job.number), None
    share = allocate(spec.request, state.pool, held, avoided)
    return (None if share is None else Launch(job.number, share)), share


def make_race(spec: TuningSpec, state: TuningState, most_paused: float) -> Race:
    """Return the race of a tuning job."""
    judged = spec.judged
    lengths = state.jobs.cached(
        ("lengths", judged.metric),
        lambda ended: [
            job.count_steps(judged.metric)
            for job in ended.values()
            if job.phase == "Completed" and job.curve(judged.metric)
        ],
    )
    paused, rung = [read_curve(spec, state, job) for job in state.paused], find_rung(lengths)
    chosen = sum(job.phase in ("Planned", "Suggested", "Interrupted") for job in state.jobs.open)
    unplanned = spec.job_limit - len(state.jobs) if plan_next(spec, state) is not None else 0
    to_come = chosen + unplanned
    is_led = spec.strategy == "Bayesian" or to_come * RUNG_SHARE > 1
    return Race(
        rung=rung,
        paused=tuple(paused),
        room=find_limit(spec, most_paused) - len(paused),
        has_more=to_come > 0,
        bar=_find_bar(spec, state, rung) if to_come and is_led else -math.inf,
    )


def _find_bar(spec: TuningSpec, state: TuningState, rung: int) -> float:
    """Return the loss at the rung of the last of the jobs that lead."""

    def list_losses(jobs: Iterable[TrainingJob]) -> list[float]:
        curves = (read_curve(spec, state, job) for job in jobs if is_comparable(spec, job))
        return [curve.lows[rung - 1] for curve in curves if len(curve.steps) >= rung]

    key = ("losses at the rung", rung, spec.judged)
    ended = state.jobs.cached(key, lambda ended: list_losses(ended.values()))
    losses = sorted([*ended, *list_losses(state.jobs.open)])
    leading = int(LEADING * len(losses))
    return losses[leading - 1] if leading else -math.inf


def find_limit(spec: TuningSpec, most_paused: float = math.inf) -> float:
    """Return how many jobs may be paused at a time; infinite without a limit."""
    asked = spec.pausing.max_paused if spec.pausing else None
    return min(most_paused, math.inf if asked is None else asked)


def read_curve(spec: TuningSpec, state: TuningState, job: TrainingJob) -> LossCurve:
    """Return a job's curve as a stop rule sees it: computed once for each change of the job."""
    judged = spec.judged
    return state.jobs.cached_per_job(judged, job, lambda each: loss_curve(each, judged))


def _frees_a_place(
    spec: TuningSpec, state: TuningState, job: TrainingJob, way: Way, avoided: Collection[Resource]
) -> bool:
    """Return whether the job for which this one makes way can then be at work.

    It cannot, where it needs memory or a GPU that a paused job keeps.
    """
    if spec.request is None or state.pool is None or spec.pausing is None:
        return True
    held = state.list_held(job.number, way.successor or 0)
    share = job.attempts[-1].share
    if share is not None and spec.pausing.method == "signal":
        held.append(share.while_paused(share_gpus=spec.pausing.share_gpus))
    successor = None if way.successor is None else state.jobs[way.successor]
    if successor is not None and successor.is_alive:
        own = successor.attempts[-1].share
        return own is None or is_free(own, held, avoided)
    return allocate(spec.request, state.pool, held, avoided) is not None
