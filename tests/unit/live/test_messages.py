"""The line for an event."""

from __future__ import annotations

from hpt_cli.live.messages import describe_event
from hpt_cli.tuning import events as ev
from tests import builders as b

STATE = b.fold_all(*b.created(b.make_spec()), *b.suggested(1), *b.launched(1))


def test_what_is_suspended_is_said() -> None:
    going = ev.JobSuspended(at=9, number=1, attempt=1, since=5)
    assert (
        describe_event(STATE, going)
        == "story-0001 is suspended: until it goes on, its time does not count"
    )
    over = ev.JobSuspended(at=50, number=1, attempt=1, since=5, until=47)
    assert describe_event(STATE, over) == "story-0001 was suspended for 42 s"
    tuner = ev.TunerSuspended(at=50, since=5, until=47)
    assert describe_event(STATE, tuner) == "the tuner was suspended for 42 s"


def test_a_pause_is_said_with_its_reason_when_it_begins_and_when_it_is_over() -> None:
    paused = ev.JobPaused(at=9, number=1, attempt=1, reason="job 2 is likelier")
    assert describe_event(STATE, paused) == "story-0001 paused after 0 epochs: job 2 is likelier"
    asked = ev.JobStopRequested(at=9, number=1, reason="Paused", explanation="job 2 is likelier")
    assert describe_event(STATE, asked) == describe_event(STATE, paused)
    thawed = ev.JobThawed(at=50, number=1, attempt=1, reason="job 2 has ended")
    assert describe_event(STATE, thawed) == "story-0001 goes on after 0 epochs: job 2 has ended"
