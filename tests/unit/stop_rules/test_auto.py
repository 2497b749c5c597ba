"""What is special about Auto: it asks whether a job can still win, and knows when it cannot say."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.analysis.replay import RecordedJob, choose_in_order, make_spec, replay
from hpt_cli.spec.objective import Objective
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict, auto, load_stop_rule
from hpt_cli.stop_rules.auto import (
    MOST_COMPLETED,
    MOST_CUT_SHORT,
    MOST_LOOKS,
    Calibration,
    Rule,
    look_at,
    measure_errors,
    select_ended,
)
from hpt_cli.stop_rules.curve_stats import measure_noise
from hpt_cli.stop_rules.signals import measure_pace

EPOCHS = 30


def make_curve(
    number: int, loss: Callable[[int], float], epochs: int = EPOCHS, status: str = "Completed"
) -> LossCurve:
    steps = tuple(float(step) for step in range(1, epochs + 1))
    losses = tuple(loss(epoch) for epoch in range(1, epochs + 1))
    return LossCurve(number, status, steps, losses)  # type: ignore[arg-type]


def settle(end: float, pace: float = 3.0) -> Callable[[int], float]:
    """A curve that falls to its end and stays there."""
    return lambda epoch: end + math.exp(-epoch / pace)


def judge(live: LossCurve, others: Iterable[LossCurve], **parameters: float) -> Verdict:
    return load_stop_rule("auto", **parameters).judge(live, list(others))


SETTLED = [make_curve(number, settle(0.1 * number)) for number in range(1, 9)]


def test_a_job_that_settled_far_above_the_best_is_stopped() -> None:
    verdict = judge(make_curve(9, settle(0.9), 10, "Running"), SETTLED)
    assert verdict.stop
    assert verdict.reason == "under 1% likely to beat job 1"
    assert verdict.evidence["held_against_job"] == 1
    assert verdict.evidence["jobs"] == 8
    assert verdict.evidence["margin"] == pytest.approx(0.9 + math.exp(-10 / 3) - 0.1, abs=0.01)


def test_a_job_that_can_still_get_there_at_its_pace_goes_on() -> None:
    slow = make_curve(9, lambda epoch: 1.2 - 0.05 * epoch, 10, "Running")
    stuck = make_curve(9, lambda epoch: max(0.7, 1.2 - 0.25 * epoch), 10, "Running")
    assert not judge(slow, SETTLED).stop
    assert judge(stuck, SETTLED).stop


def test_a_job_that_recovers_from_a_jump_goes_on() -> None:
    jumped = [0.7, 20.0, 15.0, 11.0, 8.0]
    live = make_curve(9, lambda epoch: jumped[epoch - 1], 5, "Running")
    assert not judge(live, SETTLED).stop
    stuck = make_curve(9, lambda epoch: 0.7 if epoch == 1 else 20.0, 8, "Running")
    assert judge(stuck, SETTLED).stop


def test_a_flat_job_is_kept_longer_where_finished_jobs_left_such_a_plateau() -> None:
    late = [
        make_curve(number, lambda epoch, n=number: 1.0 if epoch < 12 else 0.1 * n)
        for number in range(1, 9)
    ]
    flat = make_curve(9, lambda epoch: 1.0, 8, "Running")
    stayed = [make_curve(number, lambda epoch: 1.0) for number in range(2, 9)]
    quick = [make_curve(1, settle(0.1)), *stayed]
    kept, dropped = judge(flat, late), judge(flat, quick)
    assert kept.evidence["probability"] > dropped.evidence["probability"]  # type: ignore[operator]
    assert (kept.stop, dropped.stop) == (False, True)


def test_a_job_that_is_as_good_as_the_best_was_goes_on() -> None:
    """The best job sat on the same plateau at this epoch, whatever became of the others."""
    late = make_curve(1, lambda epoch: 1.0 if epoch < 25 else 0.1)
    stayed = [make_curve(number, lambda epoch: 1.0) for number in range(2, 30)]
    flat = make_curve(99, lambda epoch: 1.0, 20, "Running")
    verdict = judge(flat, [late, *stayed])
    assert (verdict.stop, verdict.reason) == (False, "as good as job 1 was at this epoch")
    assert judge(make_curve(99, lambda epoch: 1.0, 26, "Running"), [late, *stayed]).stop


def test_with_few_finished_jobs_it_does_not_judge() -> None:
    hopeless = make_curve(9, lambda epoch: 50.0, 10, "Running")
    verdict = judge(hopeless, SETTLED[:1])
    assert (verdict.stop, verdict.reason) == (False, "1 of 2 jobs completed")
    # Those that ended before this epoch, failed or diverged tell nothing.
    short = [make_curve(number, settle(0.1), 5) for number in (1, 2, 3)]
    failed = [make_curve(number, settle(0.1), status="Failed") for number in (4, 5)]
    diverged = [make_curve(6, lambda epoch: math.inf)]
    assert judge(hopeless, [*short, *failed, *diverged]).evidence["jobs"] == 0


def test_the_more_jobs_agree_the_surer_it_is() -> None:
    live = make_curve(99, settle(0.6), 4, "Running")
    few = judge(live, SETTLED[:3]).evidence["probability"]
    many = judge(live, SETTLED).evidence["probability"]
    assert many < few  # type: ignore[operator]


def test_what_is_already_as_good_as_the_best_goes_on() -> None:
    verdict = judge(make_curve(9, lambda epoch: 0.1, 5, "Running"), SETTLED)
    assert (verdict.stop, verdict.reason) == (False, "already as good as job 1")


def test_no_risk_is_no_stop() -> None:
    assert not judge(make_curve(9, settle(0.9), 10, "Running"), SETTLED, risk=0).stop


def test_stopped_and_running_jobs_count_as_peers() -> None:
    live = make_curve(99, settle(0.6), 4, "Running")
    better = [make_curve(20 + n, settle(0.2), 4, "Stopped") for n in range(6)]
    alone, among = judge(live, SETTLED), judge(live, [*SETTLED, *better])
    assert among.evidence["peers"] == 14
    assert among.evidence["probability"] < alone.evidence["probability"]  # type: ignore[operator]


def test_pace_is_the_fall_per_step_of_the_last_part_of_the_curve() -> None:
    curve = LossCurve(1, "Running", (10.0, 20.0, 30.0, 40.0), (9.0, 8.0, 5.0, 6.0))
    assert measure_pace(curve) == pytest.approx(3 / 20)
    late = LossCurve(1, "Running", (10.0, 20.0, 30.0), (9.0, 5.0, 6.0))
    assert measure_pace(late) == 0.0


def test_one_look_is_not_enough() -> None:
    """A bad epoch after good ones stops nothing; the second one does."""
    losses = [0.9, 0.6, 0.4, 0.3, 0.25, 0.22, 0.2, 0.2, 0.2]
    since = [
        judge(make_curve(9, lambda epoch: losses[epoch - 1] + 0.5, n, "Running"), SETTLED)
        for n in range(2, 10)
    ]
    first = next(index for index, verdict in enumerate(since) if "first time" in verdict.reason)
    assert [verdict.stop for verdict in since[: first + 2]] == [False] * (first + 1) + [True]


def test_in_the_last_tenth_nothing_is_stopped() -> None:
    hopeless = [judge(make_curve(9, settle(0.9), n, "Running"), SETTLED) for n in range(20, 31)]
    assert [verdict.stop for verdict in hopeless] == [True] * 7 + [False] * 4
    assert hopeless[-1].reason == "not judged in the last 10% of the way"


def test_a_job_within_the_noise_of_the_best_goes_on() -> None:
    """What counts is its last value, which may then be above or below."""
    noise = 0.01
    shaken = [
        make_curve(9, lambda epoch, by=by: 0.4 + by * (-1) ** epoch, 15, "Running")
        for by in (0.0, 0.01, 0.1)
    ]
    told = [judge(live, SETTLED) for live in shaken]
    assert [each.stop for each in told] == [True, True, False]
    assert told[2].reason == "within the noise of job 1"
    assert measure_noise(shaken[0]) == 0
    rng = random.Random(1)
    drift = make_curve(1, lambda epoch: 5 - 0.1 * epoch + noise * rng.gauss(0, 1))
    measured = [measure_noise(make_curve(1, drift.losses.__getitem__, n)) for n in range(9, 29)]
    assert statistics.fmean(measured) == pytest.approx(noise, rel=0.5)
    assert measure_noise(make_curve(1, lambda epoch: math.inf)) == 0


def test_the_usual_length_is_that_of_the_longest_job() -> None:
    """A job that is not at its end by the length of most may be one of the long ones."""
    live = make_curve(9, settle(0.9), 14, "Running")
    short = [make_curve(number, settle(0.1 * number), 15) for number in range(2, 9)]
    assert judge(live, short).reason == "not judged in the last 10% of the way"
    assert judge(live, [make_curve(1, settle(0.1)), *short]).stop


LATE = [
    make_curve(number, lambda epoch, n=number: 1 + 0.3 * n if epoch < 20 else 1 - 0.1 * n)
    for number in range(1, 9)
]
"""Each of these looked hopeless for most of its time, and beat all before."""


def calibrate(completed: Sequence[LossCurve]) -> StopRule:
    return load_stop_rule("auto").calibrate(completed)


def test_completed_jobs_that_were_thought_hopeless_make_it_doubt() -> None:
    live = make_curve(99, settle(0.9), 10, "Running")
    usual, wary = calibrate(SETTLED).judge(live, SETTLED), calibrate(LATE).judge(live, SETTLED)
    assert usual.stop
    assert not wary.stop
    assert wary.evidence["probability"] > 3 * usual.evidence["probability"]  # type: ignore[operator]
    assert wary.evidence["stop_below"] == usual.evidence["stop_below"]
    assert wary.evidence["wrongly_stopped"] == 0
    assert usual.evidence["judged_again"] == wary.evidence["judged_again"] == 6


def test_what_it_learns_depends_on_the_completed_jobs_alone() -> None:
    """So a resumed tuning job judges as an undisturbed one does."""
    shuffled = random.Random(0).sample(LATE, len(LATE))
    cut = [make_curve(50, settle(0.5), 3, "Stopped"), make_curve(51, settle(0.1), status="Failed")]
    diverged = make_curve(52, lambda epoch: math.inf)
    learned = measure_errors(Rule(), LATE)
    assert sorted(learned.risks) == sorted(measure_errors(Rule(), shuffled).risks)
    assert measure_errors(Rule(), [*LATE, *cut, diverged]) == learned
    assert measure_errors(Rule(), LATE[:2]) == Calibration()


@given(st.lists(st.floats(1e-6, 1.0), max_size=100), st.floats(1e-6, 1.0))
def test_doubt_falls_with_every_risk_that_a_job_survived(risks: list[float], one: float) -> None:
    doubt = Calibration((*risks, one)).doubt
    assert doubt >= Calibration((*risks, 1.0)).doubt
    assert Calibration((1.0,) * 100).doubt <= doubt <= Calibration((1e-6,) * 100).doubt
    assert Calibration().doubt == pytest.approx(1)
    lost = [Calibration((*risks, one)).count_lost(risk) for risk in (0.0, 0.01, 0.1, 1.0)]
    assert lost == sorted(lost)


def test_a_completed_job_is_judged_again_at_few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes .1 s for a hundred jobs of a hundred epochs, and no more for longer ones."""
    looks = []
    monkeypatch.setattr(auto, "look_at", lambda *args: looks.append(0) or look_at(*args))
    for epochs in (10, 1000):
        looks.clear()
        jobs = [make_curve(number, settle(0.1 * number, 40.0), epochs) for number in range(1, 5)]
        assert len(measure_errors(Rule(), jobs).risks) == 2
        assert len(looks) <= 2 * MOST_LOOKS


def test_of_many_ended_jobs_it_looks_at_the_best_and_the_latest() -> None:
    completed = [make_curve(number, settle(0.3)) for number in range(1, 301)]
    best = make_curve(150, settle(0.1))
    completed[149] = best
    cut = [make_curve(301 + n, settle(0.5), 3, "Stopped") for n in range(MOST_CUT_SHORT + 50)]
    going = [make_curve(2000 + n, settle(0.5), 3, "Running") for n in range(5)]
    everything = random.Random(0).sample([*completed, *cut, *going], 755)
    looked_at = select_ended(everything)
    expected = [best, *completed[-MOST_COMPLETED:], *cut[-MOST_CUT_SHORT:], *going]
    assert sorted(each.number for each in looked_at) == [each.number for each in expected]
    assert select_ended(looked_at) == looked_at
    assert select_ended(completed[:MOST_COMPLETED]) == completed[:MOST_COMPLETED]
    live = make_curve(9999, settle(0.9), 10, "Running")
    assert judge(live, everything) == judge(live, looked_at)
    assert judge(live, everything).evidence["held_against_job"] == 150


def draw_jobs(count: int, seed: int) -> Iterator[RecordedJob]:
    """Noisy curves towards different ends; one in four begins to fall late."""
    rng = random.Random(seed)
    for _ in range(count):
        end, pace, late = rng.random() ** 2, rng.uniform(1, 9), rng.choice((0, 0, 0, 12))
        fall = (end + math.exp(-max(0, n - late) / pace) for n in range(1, EPOCHS + 1))
        losses = [round(loss + 0.02 * rng.gauss(0, 1), 4) for loss in fall]
        yield RecordedJob({"x": end}, tuple(enumerate(losses, 1)), float(EPOCHS))


# fmt: off
EPOCHS_RUN = [
    30, 30, 30, 30, 18, 3, 5, 9, 3, 30, 3, 9, 3, 30, 30, 19, 9, 24, 30, 16, 7, 5, 5, 4, 5, 24, 30,
    15, 10, 30, 16, 7, 9, 22, 16, 30, 8, 30, 3, 24, 30, 16, 4, 20, 16, 3, 15, 14, 12, 4, 3, 8, 3,
    15, 3, 4, 3, 3, 3, 10, 3, 30, 3, 3, 3, 20, 3, 5, 10, 3, 25, 3, 30, 3, 25, 8, 3, 3, 30, 5, 20,
    3, 3, 17, 11, 3, 3, 5, 3, 4, 3, 3, 5, 14, 4, 5, 3, 5, 6, 25,
]
# fmt: on


def test_its_decisions_in_a_hundred_jobs_are_those_that_were_measured() -> None:
    """With the weights of `WEIGHTS`; only another fit may change them."""
    spec = make_spec(Objective("loss", maximize=False), jobs=100, parallel=4)
    jobs = list(draw_jobs(100, seed=7))
    replayed = replay(spec, choose_in_order(jobs), load_stop_rule("auto"))
    assert [len(job.curve("loss")) for job in replayed.state.jobs.values()] == EPOCHS_RUN
