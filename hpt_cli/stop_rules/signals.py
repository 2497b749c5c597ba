"""The signals by which the stop rule auto tells how likely a job beats the best one so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hpt_cli.stop_rules import LossCurve
from hpt_cli.stop_rules.curve_stats import best_until

LIMIT = 3.0
"""Ratios count as their logarithm, within -3 and 3: a factor above 20 tells no more."""


class Signals(NamedTuple):
    """Dimensionless numbers. `needed` is what a job has to gain to draw level with the leader, the
    best completed job."""

    pace: float
    """log of needed / what the pace of the last half of its epochs will still bring"""
    flat: float
    """1 where the last half of its epochs brought nothing"""
    speed: float
    """log of the steps the leader took for what the job gained in its last half / steps it took"""
    gap: float
    """log of needed / what the leader still gained from this step on"""
    standing: float
    """log odds of its rank among all jobs at this step; above 0 is the worse half"""
    log_peers: float
    """log of 1 + the number of jobs that reached this step"""


def read_signals(live: LossCurve, leader: LossCurve, peers: Sequence[float], end: float) -> Signals:
    """Return the signals of a job that is still behind the leader.

    `peers` are the best losses up to the live job's step of all jobs that reached it; `end` is the
    usual last step.
    """
    step = live.steps[-1]
    own_best, best = best_until(live, step), leader.losses[-1]
    needed = own_best - best
    to_come = measure_pace(live) * max(0.0, end - step)
    # Ratios need a unit below which a gain is nothing.
    nothing = 1e-12 * abs(best) + 1e-300
    return Signals(
        pace=_log_ratio(needed, to_come + nothing),
        flat=float(to_come <= nothing),
        speed=compare_speed(live, leader),
        gap=_log_ratio(needed, max(0.0, best_until(leader, step) - best) + nothing),
        standing=_log_odds_of_rank(own_best, peers),
        log_peers=math.log(1 + len(peers)),
    )


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


def _length_of_epoch(curve: LossCurve) -> float:
    return (curve.steps[-1] - curve.steps[0]) / (len(curve.steps) - 1)


def measure_pace(curve: LossCurve) -> float:
    """Return how fast the loss falls per step, over the last half of a job's epochs."""
    last = len(curve.losses)
    first = last - last // 2
    return _measure_fall(curve, first, last) / (curve.steps[-1] - curve.steps[first - 1])


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


def _log_odds_of_rank(loss: float, peers: Sequence[float]) -> float:
    below = sum(peer < loss for peer in peers) + 0.5 * sum(peer == loss for peer in peers)
    # The halves keep the odds finite for the best and the worst.
    return math.log((below + 0.5) / (len(peers) - below + 0.5))


def _log_ratio(over: float, under: float) -> float:
    # A job that has diverged is infinitely far behind, even if `under` is infinite too.
    if math.isinf(over):
        return LIMIT
    ratio = over / under if under < math.inf else 0.0
    return min(LIMIT, max(-LIMIT, math.log(ratio))) if ratio > 0 else -LIMIT
