"""Auto: stop a job that will hardly beat the best so far.

The rule estimates the probability that the job's final loss is below the lowest final loss of the
completed jobs, by a logistic regression on twelve dimensionless signals. Some come from the job
itself (would it get there at its own pace?), some from the curve of the best job (how long did that
one take from this loss to its end, and which of the two was faster of late?), some from all
completed jobs (how much did they still gain from this epoch on? was their order at this epoch that
of their finals?), and some from all jobs that reached this epoch (where does it stand?).

The weights are a prior learned once from recorded curves of other tuning jobs, as in LC-PFN
(Adriaensen et al. 2023). `python scripts/benchmarks/fit_auto_rule.py` makes the curves that are not
recorded, replays tuning jobs of both strategies, fits the weights, and says how they do on tables
that they were not fitted on.

A job is stopped when the probability is below `risk` / sqrt(number of jobs * share of the way that
is left). A fixed bar would lose more and more of the best jobs as a tuning job grows, as each new
job has a smaller chance, 1 / (number of jobs), to become the best; a bar in proportion to it saves
too little. Early the bar is lower, as the coming epochs will tell more. Nothing is judged in the
first `min_progress` of the usual length, where losses jump, nor without two completed jobs; and a
job goes on that would get there if its curve went on bending as it does, or that is as good as the
best job was at the same epoch. One look is not enough: it must be so at two epochs in a row.

Of many jobs that have ended, the rule looks at the best and the latest, so that a decision takes
the same time however many there were.

To stop on the probability of beating the best is the idea of Vizier's performance curve rule
(Golovin et al. 2017, section 3.2.1).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest, nsmallest
from typing import NamedTuple

from hpt_cli.stop_rules import LossCurve, Verdict
from hpt_cli.stop_rules.curve_stats import best_until, check_bounds, has_reached, list_completed

LIMIT = 3.0
"""Ratios count as their logarithm, within -3 and 3: a factor above 20 tells no more."""
ALIKE = 0.05
"""A job this close to where the best one was at the same epoch is as good as it was, as a share of
what that one still gained: on a plateau, nobody is ahead."""
CERTAINTY = 4
"""So many jobs must agree before their rank correlation counts half."""
MOST_COMPLETED = 100
MOST_CUT_SHORT = 400
"""So many completed jobs are looked at, and so many that were stopped or failed."""


class Signals(NamedTuple):
    """What the probability is computed from.

    `needed` is what the job has to gain to draw level with the best completed job, the leader.
    """

    pace: float
    """log of needed / what the pace of the last half of its epochs will still bring"""
    bent_pace: float
    """the same where each doubling of its epochs changes the gain as the last doubling did"""
    relapse: float
    """log of how far it is above its own best / needed"""
    flat: float
    """1 where the last half of its epochs brought nothing"""
    lag: float
    """log of the steps that the leader took from this loss to its final one / the steps left"""
    start_lag: float
    """the same for nine tenths of the way: below `lag` where the leader crept at the end"""
    speed: float
    """log of the steps the leader took for what the job gained in its last half / steps it took"""
    gain: float
    """needed as a standard score among the completed jobs' gains from this step to their end"""
    standing: float
    """log odds of its rank among all jobs at this step; above 0 is the worse half"""
    reliability: float
    """rank correlation of this step with the end among completed jobs, shrunk when they are few"""
    reliable_standing: float
    """the product of the two above"""
    log_peers: float
    """log of 1 + the number of jobs that reached this step"""


WEIGHTS = Signals(
    pace=-0.345,
    bent_pace=-0.165,
    relapse=-0.222,
    flat=1.372,
    lag=-0.544,
    start_lag=0.427,
    speed=0.378,
    gain=-0.155,
    standing=-0.212,
    reliability=-0.556,
    reliable_standing=-0.529,
    log_peers=-1.136,
)
BIAS = -0.243


@dataclass(frozen=True, slots=True)
class Rule:
    """Stop when the probability to beat the best is below `risk` / sqrt(jobs * share left)."""

    risk: float = 0.065
    min_completed_jobs: int = 2
    min_epochs: int = 2
    min_progress: float = 0.05

    def __post_init__(self) -> None:
        check_bounds(self, risk=(0, 1), min_completed_jobs=2, min_epochs=2, min_progress=(0, 1))

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        others = select_ended(others)
        verdict = self._look(live, others)
        # Only after two epochs or more can a verdict be to stop, so one is left without the last.
        if not verdict.stop or self._look(_drop_last(live), others).stop:
            return verdict
        return replace(verdict, stop=False, reason=f"{verdict.reason}, for the first time")

    def _look(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Return the verdict on this epoch alone."""
        step = live.steps[-1]
        evidence: dict[str, float | int | str] = {"step": step, "loss": live.losses[-1]}
        finished = _list_finished(others)
        references = [each for each in finished if has_reached(each, step)]
        evidence["jobs"] = len(references)
        if len(live.losses) < self.min_epochs:
            return Verdict(False, f"not judged before epoch {self.min_epochs}", evidence)
        if len(references) < self.min_completed_jobs:
            reason = f"{len(references)} of {self.min_completed_jobs} jobs completed"
            return Verdict(False, reason, evidence)
        leader = min(finished, key=_by_loss)
        needed = best_until(live, step) - leader.losses[-1]
        evidence |= {
            "held_against": leader.losses[-1],
            "held_against_job": leader.number,
            "margin": needed,
        }
        if needed <= 0:
            return Verdict(False, f"already as good as job {leader.number}", evidence)
        end = statistics.median(each.steps[-1] for each in references)
        progress = min(1.0, step / end) if end > 0 else 1.0
        peers = [best_until(each, step) for each in others if has_reached(each, step)]
        signals = read_signals(live, leader, references, peers, end)
        probability = estimate_probability(signals)
        jobs = 1 + sum(bool(each.losses) for each in others)
        # At the usual end, and beyond it, nothing of the way is left to divide by.
        bar = min(0.5, self.risk / math.sqrt(jobs * max(1e-9, 1 - progress)))
        evidence |= {"peers": len(peers), "probability": probability, "stop_below": bar}
        evidence |= {name: round(value, 3) for name, value in signals._asdict().items()}
        if progress < self.min_progress:
            return Verdict(False, f"not judged before {self.min_progress:.0%} of the way", evidence)
        if signals.bent_pace < 0:
            return Verdict(False, f"at its pace it would beat job {leader.number}", evidence)
        if needed <= (1 + ALIKE) * (best_until(leader, step) - leader.losses[-1]):
            return Verdict(False, f"as good as job {leader.number} was at this epoch", evidence)
        reason = f"{_percent(probability)} likely to beat job {leader.number}"
        return Verdict(probability < bar, reason, evidence)


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


def estimate_probability(signals: Signals) -> float:
    """Return the probability that the job's final loss is below the best so far."""
    score = BIAS + sum(a * b for a, b in zip(WEIGHTS, signals, strict=True))
    return 1 / (1 + math.exp(-score))


def read_signals(
    live: LossCurve,
    leader: LossCurve,
    references: Sequence[LossCurve],
    peers: Sequence[float],
    end: float,
) -> Signals:
    """Return the signals of a job that is still behind the best completed one, the leader.

    `references` are two or more completed jobs that reached the live job's step; `peers` are the
    best losses up to that step of all jobs that reached it; `end` is the usual last step.
    """
    step, own_best, best = live.steps[-1], best_until(live, live.steps[-1]), leader.losses[-1]
    needed = own_best - best
    levels = [best_until(each, step) for each in references]
    finals = [each.losses[-1] for each in references]
    # Ratios need a unit below which a gain is nothing: far below the spread of the finals.
    nothing = 1e-9 * (statistics.median(finals) - best) + 1e-12 * abs(best) + 1e-300
    left, pace = max(0.0, end - step), measure_pace(live)
    standing = _log_odds_of_rank(own_best, peers)
    reliability = correlate_ranks(levels, finals) * len(levels) / (len(levels) + CERTAINTY)
    return Signals(
        pace=_log_ratio(needed, pace * left, nothing),
        bent_pace=_log_ratio(needed, foresee_gain(live, left, nothing), nothing),
        relapse=_log_ratio(live.losses[-1] - own_best + nothing, needed, 0.0),
        flat=float(pace * left <= nothing),
        lag=measure_lag(live, leader, best, left),
        start_lag=measure_lag(live, leader, best + 0.1 * needed, left),
        speed=compare_speed(live, leader),
        gain=_score(needed, [level - final for level, final in zip(levels, finals, strict=True)]),
        standing=standing,
        reliability=reliability,
        reliable_standing=standing * reliability,
        log_peers=math.log(1 + len(peers)),
    )


def measure_lag(live: LossCurve, leader: LossCurve, goal: float, left: float) -> float:
    """Return log(steps that the leader took from the job's best loss to a goal / steps left)."""
    epoch = _length_of_epoch(live)
    since = find_step(leader, best_until(live, live.steps[-1]))
    took = max(0.0, find_step(leader, goal) - since)
    return min(LIMIT, max(-LIMIT, math.log((took + epoch) / (left + epoch))))


def compare_speed(live: LossCurve, leader: LossCurve) -> float:
    """Return log(steps that the leader took for what the job gained in the last half of its epochs
    / steps that the job took): above 0 where the job is faster."""
    then, now = live.steps[-1 - len(live.losses) // 2], live.steps[-1]
    took = find_step(leader, best_until(live, now)) - find_step(leader, best_until(live, then))
    # Added to both: where the leader fell as far within one epoch, it took no steps.
    pause = 0.5 * _length_of_epoch(live)
    return min(2.0, max(-2.0, math.log((max(0.0, took) + pause) / (now - then + pause))))


def find_step(curve: LossCurve, loss: float) -> float:
    """Return the first step at which a curve was as low as that; the last if it never was."""
    return next(
        (step for step, seen in zip(curve.steps, curve.losses, strict=True) if seen <= loss),
        curve.steps[-1],
    )


def _drop_last(curve: LossCurve) -> LossCurve:
    """Return the curve as it was an epoch ago."""
    return replace(curve, steps=curve.steps[:-1], losses=curve.losses[:-1])


def _length_of_epoch(curve: LossCurve) -> float:
    return (curve.steps[-1] - curve.steps[0]) / (len(curve.steps) - 1)


def _score(needed: float, gains: Sequence[float]) -> float:
    """Return how many standard deviations `needed` is above the mean gain, within -5 and 5."""
    known = [max(0.0, gain) for gain in gains if gain < math.inf]
    if len(known) < 2:
        return 0.0
    mean = statistics.fmean(known)
    variance = sum((gain - mean) * (gain - mean) for gain in known) / (len(known) - 1)
    # The tenth of the mean bounds the score where the few known gains are nearly equal.
    spread, off = math.sqrt(variance) + 0.1 * mean, needed - mean
    return min(5.0, max(-5.0, off / spread)) if spread > 0 else math.copysign(5.0, off)


def measure_pace(curve: LossCurve) -> float:
    """Return how fast the loss falls per step, over the last half of a job's epochs."""
    last = len(curve.losses)
    first = last - last // 2
    return _measure_fall(curve, first, last) / (curve.steps[-1] - curve.steps[first - 1])


def foresee_gain(curve: LossCurve, left: float, nothing: float) -> float:
    """Return what the steps left will bring if every doubling of a job's epochs goes on to bring r
    times what the doubling before did, as the last one did.

    r is 2 on a line, and below 1 where the curve levels off; it is bounded to 1/4 and 2, and is 1
    where there is but one doubling to go by.
    """
    last = len(curve.losses)
    middle = last - last // 2
    first = max(1, middle - max(1, middle // 2))
    gain, before = _measure_fall(curve, middle, last), _measure_fall(curve, first, middle)
    r = min(2.0, max(0.25, (gain + nothing) / (before + nothing))) if first < middle else 1.0
    doublings = math.log2(1 + left / (_length_of_epoch(curve) * last))
    # r + r**2 + ..., a geometric series, whose formula also holds for a part of a doubling.
    return gain * (doublings if abs(r - 1) < 1e-6 else r * (r**doublings - 1) / (r - 1))


def _measure_fall(curve: LossCurve, first: int, last: int) -> float:
    """Return how far the loss fell from one epoch to a later one, counted from 1.

    The fall of the best so far; or that of the loss itself where it is larger, as after a jump
    upwards at the start of training, from which a job may well recover.
    """
    now, then = curve.losses[last - 1], curve.losses[first - 1]
    fall = max(
        best_until(curve, curve.steps[first - 1]) - best_until(curve, curve.steps[last - 1]),
        then - now,
        0.0,
    )
    return fall if math.isfinite(fall) else 0.0


def correlate_ranks(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 for less than three pairs, or if all are equal."""
    if len(xs) < 3:
        return 0.0
    ranks = _rank(xs), _rank(ys)
    if min(map(max, ranks)) == min(map(min, ranks)):
        return 0.0
    try:
        return statistics.correlation(*ranks)
    except statistics.StatisticsError:
        return 0.0


def _rank(values: Sequence[float]) -> list[float]:
    """Return each value's rank; equal ones share their mean rank."""
    ordered = sorted(values)
    return [(bisect_left(ordered, each) + bisect_right(ordered, each) - 1) / 2 for each in values]


def _log_odds_of_rank(loss: float, peers: Sequence[float]) -> float:
    below = sum(peer < loss for peer in peers) + 0.5 * sum(peer == loss for peer in peers)
    # The halves keep the odds finite for the best and the worst.
    return math.log((below + 0.5) / (len(peers) - below + 0.5))


def _log_ratio(over: float, under: float, nothing: float) -> float:
    # A job that has diverged is infinitely far behind, even if `under` is infinite too.
    if math.isinf(over):
        return LIMIT
    ratio = over / (under + nothing) if under < math.inf else 0.0
    return min(LIMIT, max(-LIMIT, math.log(ratio))) if ratio > 0 else -LIMIT


def _percent(probability: float) -> str:
    return "under 1%" if probability < 0.01 else f"{probability:.0%}"
