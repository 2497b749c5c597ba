"""Auto: stop a job that will hardly beat the best so far.

The rule estimates the probability that the job's final loss is below the lowest final loss of the
completed jobs, by a logistic regression on six dimensionless signals (signals.py). The weights are
a prior learned once from recorded curves of other tuning jobs, as in LC-PFN (Adriaensen et al.
2023); `python scripts/benchmarks/fit_auto_rule.py` repeats the fit.

A prior that holds for most training is wrong for some. So the rule is calibrated by the tuning job
itself, each time that a job completes: every completed job is judged again as if it still ran,
against those that ended worse. It did beat them; the smallest risk at which it would have been
stopped tells how far the stated odds were off. All odds are multiplied by their `doubt`, the mean
error of these, as a ratio of what is usual; that is 1 where nothing has completed yet.

A job is stopped when the probability is below `risk` / sqrt(number of jobs * share of the way that
is left). A fixed bar would lose more and more of the best jobs as a tuning job grows, as each new
job has a smaller chance, 1 / (number of jobs), to become the best; a bar in proportion to it saves
too little. Early the bar is lower, as the coming epochs will tell more. Nothing is judged in the
first `min_progress` of the usual length, where losses jump, nor without two completed jobs, nor in
the last tenth, where a stop saves nothing; and a job goes on that is as good as the best job was at
the same epoch, or behind its end by no more than noise: what is last, and counts, may then be
either's. One look is not enough: it must be so at two epochs in a row.

The usual length is that of the longest completed job: where lengths differ, a job that improves
slowly is often one of the long ones.

Of many jobs that have ended, the rule looks at the best and the latest, so that a decision takes
the same time however many there were.

To stop on the probability of beating the best is the idea of Vizier's performance curve rule
(Golovin et al. 2017, section 3.2.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest, nsmallest

from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import (
    best_until,
    check_bounds,
    has_reached,
    list_completed,
    measure_noise,
)
from hpt_cli.stop_rules.signals import Signals, read_signals

ALIKE = 0.05
"""A job this close to where the best one was at the same epoch is as good as it was, as a share of
what that one still gained: on a plateau, nobody is ahead."""
WITHIN_NOISE = 2.0
"""A job that is behind by so many standard deviations of the noise may well be ahead."""
LAST_PART = 0.9
"""From this share of the usual length on, a job is about to end."""
MOST_COMPLETED = 100
MOST_CUT_SHORT = 400
"""So many completed jobs are looked at, and so many that were stopped or failed."""

WEIGHTS = Signals(
    pace=-0.414,
    flat=1.058,
    speed=0.547,
    gap=-0.079,
    standing=-0.366,
    log_peers=-0.979,
)
BIAS = -0.264

USUAL_ERROR = 2.5
"""The mean of 1 / risk that is usual among completed jobs that are judged again."""
PRIOR_JOBS = 4
"""So many usual jobs are added to those of the tuning job: a few of them prove little."""
SHARPNESS = 1.5
"""The power of the mean error by which odds are corrected."""
LEAST_RISK = 0.01
"""One job counts for no more than a hundred."""
MOST_LOOKS = 16
"""At so many epochs is a completed job judged again."""


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop when the probability to beat the best is below `risk` / sqrt(jobs * share left)."""

    risk: float = 0.06
    min_completed_jobs: int = 2
    min_epochs: int = 2
    min_progress: float = 0.05

    def __post_init__(self) -> None:
        check_bounds(self, risk=(0, 1), min_completed_jobs=2, min_epochs=2, min_progress=(0, 1))

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        return _CalibratedRule(self, Calibration()).judge(live, others)

    def calibrate(self, completed: Sequence[LossCurve], *, chosen: bool = False) -> StopRule:
        """Return the rule with its odds corrected by what completed jobs tell."""
        return _CalibratedRule(self, replace(measure_errors(self, completed), chosen=chosen))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the stated odds were off for the completed jobs of this tuning job."""

    risks: tuple[float, ...] = ()
    """For each job that ended better than two others, the smallest risk at which it would have been
    stopped; 1 if at none."""
    chosen: bool = False
    """Whether these are jobs that looked good early: they can raise doubts, but not remove them."""

    @property
    def doubt(self) -> float:
        """What odds are to be multiplied by."""
        errors = sum(1 / max(LEAST_RISK, risk) for risk in self.risks) + PRIOR_JOBS * USUAL_ERROR
        mean = errors / (len(self.risks) + PRIOR_JOBS)
        doubt = float((mean / USUAL_ERROR) ** SHARPNESS)
        return max(1.0, doubt) if self.chosen else doubt

    def count_lost(self, risk: float) -> int:
        """Return how many of the jobs would have been stopped at this risk, with odds corrected."""
        return sum(each * self.doubt < risk for each in self.risks)


@dataclass(frozen=True, slots=True)
class _CalibratedRule(StopRule):
    """The rule with its odds corrected."""

    rule: Rule
    calibration: Calibration

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        field = Field.of(select_ended(others))
        verdict = self._look(live, field)
        # Only after two epochs or more can a verdict be to stop, so one is left without the last.
        if not verdict.stop or self._look(_cut(live, len(live.steps) - 1), field).stop:
            return verdict
        return replace(verdict, stop=False, reason=f"{verdict.reason}, for the first time")

    def _look(self, live: LossCurve, field: Field) -> Verdict:
        """Return the verdict on the last epoch alone."""
        look = look_at(self.rule, live, field)
        evidence: dict[str, float | int | str] = {
            "step": live.steps[-1],
            "loss": live.losses[-1],
            "jobs": look.references,
        }
        if field.leader is not None and not math.isnan(look.needed):
            evidence |= {
                "held_against": field.leader.losses[-1],
                "held_against_job": field.leader.number,
                "margin": look.needed,
            }
        if look.signals is None:
            return Verdict(False, look.goes_on, evidence)
        odds = math.exp(score(look.signals)) * self.calibration.doubt
        probability = odds / (1 + odds)
        bar = min(0.5, self.rule.risk / look.scale)
        evidence |= {
            "peers": look.peers,
            "probability": probability,
            "stop_below": bar,
            "judged_again": len(self.calibration.risks),
            "wrongly_stopped": self.calibration.count_lost(self.rule.risk),
            "doubt": round(self.calibration.doubt, 3),
        }
        evidence |= {name: round(value, 3) for name, value in look.signals._asdict().items()}
        if look.goes_on:
            return Verdict(False, look.goes_on, evidence)
        assert field.leader is not None
        reason = f"{_percent(probability)} likely to beat job {field.leader.number}"
        return Verdict(probability < bar, reason, evidence)


@dataclass(frozen=True, slots=True)
class Field:
    """The other jobs."""

    everyone: Sequence[LossCurve]
    finished: Sequence[LossCurve]
    """Those that completed with a final loss."""
    leader: LossCurve | None
    """The best of these."""
    noise: float
    """The standard deviation of the leader's last losses."""

    @classmethod
    def of(cls, others: Sequence[LossCurve]) -> Field:
        """Return a field of these jobs."""
        finished = _list_finished(others)
        leader = min(finished, key=_by_loss, default=None)
        return cls(others, finished, leader, measure_noise(leader) if leader else 0.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a job at one epoch."""

    references: int
    """How many completed jobs reached the epoch."""
    goes_on: str
    """Why it goes on whatever its chance; empty where its chance decides."""
    needed: float = math.nan
    peers: int = 0
    signals: Signals | None = None
    """None where nothing can be said of its chance."""
    scale: float = 1.0
    """What the risk is divided by."""


def look_at(rule: Rule, live: LossCurve, field: Field) -> Look:
    """Return what is seen of a job at its last epoch."""
    step, leader = live.steps[-1], field.leader
    ends = [each.steps[-1] for each in field.finished if has_reached(each, step)]
    if len(live.losses) < rule.min_epochs:
        return Look(len(ends), f"not judged before epoch {rule.min_epochs}")
    if leader is None or len(ends) < rule.min_completed_jobs:
        return Look(len(ends), f"{len(ends)} of {rule.min_completed_jobs} jobs completed")
    needed = best_until(live, step) - leader.losses[-1]
    if needed <= 0:
        return Look(len(ends), f"already as good as job {leader.number}", needed)
    end = max(ends)
    progress = min(1.0, step / end) if end > 0 else 1.0
    peers = [best_until(each, step) for each in field.everyone if has_reached(each, step)]
    if progress < rule.min_progress:
        goes_on = f"not judged before {rule.min_progress:.0%} of the way"
    elif progress >= LAST_PART:
        goes_on = f"not judged in the last {1 - LAST_PART:.0%} of the way"
    elif needed <= (1 + ALIKE) * (best_until(leader, step) - leader.losses[-1]):
        goes_on = f"as good as job {leader.number} was at this epoch"
    elif needed <= WITHIN_NOISE * max(field.noise, measure_noise(live)):
        goes_on = f"within the noise of job {leader.number}"
    else:
        goes_on = ""
    jobs = 1 + sum(bool(each.losses) for each in field.everyone)
    return Look(
        references=len(ends),
        goes_on=goes_on,
        needed=needed,
        peers=len(peers),
        signals=read_signals(live, leader, peers, end),
        # At the usual end, and beyond it, nothing of the way is left to divide by.
        scale=math.sqrt(jobs * max(1e-9, 1 - progress)),
    )


def measure_errors(rule: Rule, completed: Iterable[LossCurve]) -> Calibration:
    """Return what is learned from judging completed jobs again."""
    finished = _list_latest(_list_finished(completed), MOST_COMPLETED)
    found = (_find_risk(rule, each, finished) for each in finished)
    return Calibration(tuple(risk for risk in found if risk is not None))


def _find_risk(rule: Rule, curve: LossCurve, finished: Sequence[LossCurve]) -> float | None:
    """Return the smallest risk at which a job would have been stopped by those that ended worse.

    At two looks in a row, as it is while it runs; None where too few ended worse.
    """
    worse = [each for each in finished if each.losses[-1] > curve.losses[-1]]
    if len(worse) < rule.min_completed_jobs:
        return None
    field, smallest, before = Field.of(worse), 1.0, 1.0
    stride = math.ceil(len(curve.losses) / MOST_LOOKS)
    for epochs in range(rule.min_epochs, len(curve.losses), stride):
        look = look_at(rule, _cut(curve, epochs), field)
        risk = 1.0
        if look.signals is not None and not look.goes_on:
            odds = math.exp(score(look.signals))
            risk = min(1.0, odds / (1 + odds) * look.scale)
        smallest, before = min(smallest, max(risk, before)), risk
    return smallest


def score(signals: Signals) -> float:
    """Return the log odds that the job's final loss is below the best so far."""
    return BIAS + sum(a * b for a, b in zip(WEIGHTS, signals, strict=True))


def select_ended(curves: Sequence[LossCurve]) -> Sequence[LossCurve]:
    """Return the curves that the rule looks at: of many ended ones, the best and the latest."""
    if len(curves) <= MOST_COMPLETED:
        return curves
    completed = [each for each in curves if each.status == "Completed"]
    cut_short = [each for each in curves if each.status in ("Stopped", "Failed")]
    if len(completed) <= MOST_COMPLETED and len(cut_short) <= MOST_CUT_SHORT:
        return curves
    best = nsmallest(1, _list_finished(completed), key=_by_loss)
    latest = _list_latest(completed, MOST_COMPLETED) + _list_latest(cut_short, MOST_CUT_SHORT)
    kept = {each.number for each in best + latest}
    return [each for each in curves if each.status == "Running" or each.number in kept]


def _list_latest(curves: Iterable[LossCurve], most: int) -> list[LossCurve]:
    """Return the curves with losses that have the highest numbers."""
    return nlargest(most, (each for each in curves if each.losses), key=lambda each: each.number)


def _list_finished(curves: Iterable[LossCurve]) -> list[LossCurve]:
    """Return the completed jobs with a final loss, in order of number."""
    return [each for each in list_completed(curves) if math.isfinite(each.losses[-1])]


def _by_loss(curve: LossCurve) -> tuple[float, int]:
    return curve.losses[-1], curve.number


def _cut(curve: LossCurve, epochs: int) -> LossCurve:
    """Return the curve as it was after so many epochs."""
    return replace(curve, steps=curve.steps[:epochs], losses=curve.losses[:epochs])


def _percent(probability: float) -> str:
    return "under 1%" if probability < 0.01 else f"{probability:.0%}"
