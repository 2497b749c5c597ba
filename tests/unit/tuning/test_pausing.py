"""Which jobs make way, and in which order they go on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from hpt_cli.spec.resources import Pool
from hpt_cli.stop_rules import LossCurve
from hpt_cli.stop_rules.auto import Rule, measure_errors
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.commands import Command, Continue, Launch, Pause, Plan, Stop, Thaw
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.pausing import Race, Way, find_rung
from tests import builders as b


def curve(number: int, *losses: float) -> LossCurve:
    steps = tuple(float(step) for step in range(1, len(losses) + 1))
    return LossCurve(number, "Running", steps, losses)


def race(
    *paused: LossCurve,
    room: float = math.inf,
    has_more: bool = False,
    bar: float = -math.inf,
) -> Race:
    return Race(2, paused, room, has_more, bar)


def test_the_rung_is_at_a_twentieth_of_the_usual_length() -> None:
    assert (find_rung([]), find_rung([10]), find_rung([100, 110, 900])) == (2, 2, 6)


def test_a_job_waits_at_the_rung_while_others_have_yet_to_come() -> None:
    others = Way("others have yet to come to epoch 2")
    assert race(has_more=True).find_way(curve(1, 5)) is None, "it has yet to come itself"
    assert race(has_more=True).find_way(curve(1, 5, 4)) == others
    assert race(has_more=True, room=0).find_way(curve(1, 5, 4)) is None
    assert race().find_way(curve(1, 5, 4)) is None
    behind = race(curve(7, 9), room=0).find_way(curve(1, 5, 4))
    assert behind == others._replace(successor=7)


def test_then_it_makes_way_for_the_best_at_the_rung() -> None:
    paused = (curve(3, 5, 4, 9), curve(2, 3, 3))
    waiting = race(*paused)
    assert [each.number for each in waiting.arrived] == [2, 3]
    assert waiting.find_way(curve(1, 5, 4.5)) == Way("job 2 was better at epoch 2", 2)
    assert waiting.find_way(curve(1, 5, 2)) is None
    assert waiting.find_way(curve(1, 3, 4, 0)) is None, "what is as good goes by number"
    after = waiting.after(curve(1, 5, 4.5), Way("", 2))
    assert [each.number for each in after.arrived] == [3, 1]


def test_one_that_leads_goes_on_though_others_have_yet_to_come() -> None:
    paused = (curve(3, 5, 4), curve(2, 3, 2), curve(1, 3, 1))
    waiting = race(*paused, has_more=True, bar=2)
    assert [each.number for each in waiting.leading] == [1, 2]
    better = Way("job 1 was better at epoch 2", 1)
    assert waiting.find_way(curve(4, 5, 2)) == better
    assert waiting.find_way(curve(4, 5, 3)) == Way("others have yet to come to epoch 2")
    assert waiting.find_way(curve(4, 5, 0.5)) is None


# As the tuner does it


def commands(
    *events: ev.Event, seen: tuple[int, ...] = (), is_short: bool = False, **changes: Any
) -> list[Command]:
    fields = {"early_stopping_type": "Auto", "pausing": {}, "max_parallel_jobs": 1, **changes}
    spec = b.make_spec(**fields)
    pool = fields.get("resources") and Pool(cores=(0, 1), gpus=("0",), memory_gb=8)
    state = b.fold_all(*b.created(spec))
    if pool:
        state = b.fold_all(*b.created(spec), ev.TunerStarted(at=0, pid=1, host="here", pool=pool))
    for event in events:
        state = b.fold(state, event)
    found = decide(spec, state, 10.0, seen, is_short=is_short)
    return [each for each in found if not isinstance(each, Continue)]


def begun(number: int, *losses: float, share: Share | None = None) -> list[ev.Event]:
    submitting = ev.JobSubmitting(at=0, number=number, attempt=1, share=share)
    launched = ev.JobLaunched(at=0, number=number, attempt=1, handle={})
    return [*b.suggested(number), submitting, launched, b.observed(number, *losses)]


def paused(number: int, *losses: float, share: Share | None = None) -> list[ev.Event]:
    why = ev.JobPaused(at=1, number=number, attempt=1, reason="others have yet to come")
    return [*begun(number, *losses, share=share), why]


def test_the_first_job_is_paused_and_the_next_begins() -> None:
    (pause,) = commands(*begun(1, 5, 4), seen=(1,))
    assert isinstance(pause, Pause)
    assert pause.reason == "others have yet to come to epoch 2"
    assert pause.evidence == {"step": 2, "rung": 2, "loss_at_rung": 4}
    assert commands(*paused(1, 5, 4)) == [Plan(2)]
    assert commands(*begun(1, 5, 4), seen=(1,), pausing=None) == []


def test_with_checkpoints_it_ends_and_goes_on_with_its_next_attempt() -> None:
    checkpoint: dict[str, Any] = {"pausing": {"method": "checkpoint"}, "max_jobs": 1}
    (pause,) = commands(*begun(1, 5, 4), seen=(1,), pausing={"method": "checkpoint"})
    assert isinstance(pause, Pause), "the runner stops it"
    ended = [*begun(1, 5, 4), b.stop(1, "Paused"), b.exited(1, -15)]
    assert commands(*ended, **checkpoint) == [Launch(1)]


def test_when_all_have_come_the_best_goes_on() -> None:
    two = [*paused(1, 5, 4), *paused(2, 5, 3)]
    why = "of those that waited, it was the best at epoch 2"
    assert commands(*two, max_jobs=2) == [Thaw(2, why)]
    assert commands(*two, max_jobs=2, max_parallel_jobs=2) == [Thaw(2, why), Thaw(1, why)]
    assert commands(*two, max_jobs=3) == [Plan(3)]


def test_of_those_that_have_come_the_best_eighth_does_not_wait_for_the_others() -> None:
    seven = [event for number in range(1, 8) for event in paused(number, 9, number)]
    assert commands(*seven, max_jobs=500) == [Plan(8)]
    why = "of those that waited, it was the best at epoch 2"
    worse, best = ([*seven, *paused(8, 9, loss)] for loss in (8, 0.5))
    assert commands(*worse, max_jobs=500) == [Thaw(1, why)]
    assert commands(*best, max_jobs=500, max_parallel_jobs=2) == [Thaw(8, why)]
    begun_again = [*worse, ev.JobThawed(at=2, number=1, attempt=1, reason=why)]
    assert commands(*begun_again, max_jobs=500) == []
    assert commands(*begun_again, seen=(1,), max_jobs=500) == [], "it leads"
    assert commands(*begun_again, max_jobs=500, max_parallel_jobs=2) == [Plan(9)]
    # One that was chosen ahead waits for a slot of its own, and one short of the rung does not.
    assert commands(*worse, *b.suggested(9), max_jobs=500) == [Thaw(1, why)]
    behind = [*worse, *paused(9, 9)]
    assert commands(*behind, max_jobs=500) == [Thaw(9, "it has yet to come to epoch 2")]
    # Those that are to come take no longer than one takes to complete, and no model chooses them.
    assert commands(*worse, max_jobs=28, strategy="Random") == [Plan(9)]
    assert commands(*worse, max_jobs=29, strategy="Random") == [Thaw(1, why)]
    assert commands(*worse, max_jobs=9, strategy="Bayesian") == [Thaw(1, why)]


def test_no_more_are_paused_than_may_be() -> None:
    one = {"pausing": {"max_paused": 1}}
    two = [*paused(1, 5, 4), *begun(2, 5, 3)]
    assert commands(*two, seen=(2,), **one) == [], "it is the best, so it goes on"
    worse = [*paused(1, 5, 4), *begun(2, 5, 4.5)]
    (pause,) = commands(*worse, seen=(2,), **one)
    assert isinstance(pause, Pause), "for job 1, which goes on"
    assert pause.reason == "job 1 was better at epoch 2"
    after = [*worse, ev.JobPaused(at=2, number=2, attempt=1, reason="why")]
    assert isinstance(commands(*after, **one)[0], Thaw), "no other begins before"


def test_a_paused_job_that_has_no_chance_any_more_is_stopped() -> None:
    (stop,) = commands(*WHOLE, *paused(3, *HOPELESS), max_jobs=3)
    assert isinstance(stop, Stop)
    assert (stop.number, stop.reason) == (3, "EarlyStopped")
    assert stop.verdict is not None


WHOLE = [*b.run(1, *range(50, 0, -1)), *b.run(2, *range(51, 1, -1))]
HOPELESS = [900.0 - step / 9 for step in range(6)]


def test_a_job_without_a_chance_waits_till_the_end_where_none_is_to_begin() -> None:
    live = begun(3, *HOPELESS)
    (pause,) = commands(*WHOLE, *live, seen=(3,), max_jobs=3)
    assert isinstance(pause, Pause)
    assert "likely to beat job 1; it is judged again when the others have ended" in pause.reason
    for others in ({"max_jobs": 4}, {"max_jobs": 3, "pausing": None}):
        stop = commands(*WHOLE, *live, seen=(3,), **others)[0]
        assert isinstance(stop, Stop)
    # While another is at work, it waits; what that one comes to may give it a chance.
    waiting = [*WHOLE, *paused(3, *HOPELESS)]
    assert commands(*waiting, *begun(4, 9), max_jobs=4, max_parallel_jobs=2) == []
    assert [type(each) for each in commands(*waiting, max_jobs=3)] == [Stop]


def test_where_memory_is_short_the_one_whose_turn_comes_last_is_given_up() -> None:
    waiting = [*paused(1, 5, 4), *paused(2, 5, 3), *begun(3, 5)]
    assert commands(*waiting, max_jobs=3) == []
    (stop,) = commands(*waiting, max_jobs=3, is_short=True)
    assert isinstance(stop, Stop)
    assert (stop.number, stop.reason) == (1, "EarlyStopped")
    assert stop.verdict is not None
    assert stop.verdict.reason.startswith("memory is short")


def test_no_job_makes_way_for_one_that_would_not_go_on() -> None:
    story = [*WHOLE, *paused(3, *HOPELESS), *begun(4, 999, 998, 997, 30)]
    assert commands(*story, seen=(4,), max_jobs=4) == []


def test_completed_jobs_that_were_chosen_remove_no_doubt() -> None:
    completed = [LossCurve(n, "Completed", (1.0, 2.0, 3.0), (9.0, 9.0, n)) for n in range(9)]
    errors = replace(measure_errors(Rule(), completed), risks=(1.0,) * 9)
    assert errors.doubt < 1
    assert replace(errors, chosen=True).doubt == 1
    doubtful = replace(errors, risks=(0.01,) * 9)
    assert doubtful.doubt == replace(doubtful, chosen=True).doubt > 1


@pytest.mark.parametrize(
    ("resources", "share", "pauses"),
    [
        ({"cpus": 1}, Share(cores=(0,)), True),
        ({"memory_gb": 3}, Share(memory_gb=3), True),
        ({"memory_gb": 5}, Share(memory_gb=5), False),
        ({"gpus": 1}, Share(gpus=("0",)), False),
    ],
)
def test_a_job_is_paused_only_where_that_makes_a_place_for_another(
    resources: dict[str, float], share: Share, pauses: bool
) -> None:
    changes: dict[str, Any] = {"resources": resources, "max_parallel_jobs": 1}
    found = commands(*begun(1, 5, 4, share=share), seen=(1,), **changes)
    assert [type(each) for each in found] == [Pause] * pauses
    if "gpus" in resources:
        shared = {**changes, "pausing": {"share_gpus": True}}
        found = commands(*begun(1, 5, 4, share=share), seen=(1,), **shared)
        assert isinstance(found[0], Pause)


def test_a_paused_job_waits_for_its_cores() -> None:
    core = Share(cores=(0,))
    changes: dict[str, Any] = {"resources": {"cpus": 1}, "max_parallel_jobs": 2, "max_jobs": 2}
    taken = [*paused(1, 5, 4, share=core), *begun(2, 3, 2, share=core)]
    assert commands(*taken, **changes) == []
    free = [*paused(1, 5, 4, share=core), *begun(2, 3, 2, share=Share(cores=(1,)))]
    assert [type(each) for each in commands(*free, **changes)] == [Thaw]
