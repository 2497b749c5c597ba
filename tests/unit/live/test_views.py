"""The live screen as bytes for a terminal, and the plain lines for everything else."""

from __future__ import annotations

import io
import re

from rich.console import Console

from hpt_cli.live.messages import describe_event
from hpt_cli.live.views import BEGIN_UPDATE, ENTER, LEAVE, LiveView, PlainView
from hpt_cli.metrics.curve import Observation
from hpt_cli.tuning import events as ev
from tests import builders as b

EVENTS: list[ev.Event] = [
    *b.created(b.make_spec(max_jobs=9)),
    *b.run(1, 3.0, 2.0, 1.0),
    *b.suggested(2),
    *b.launched(2),
    b.observed(2, 4.0, 1.5),
]


def read_frames(text: str) -> list[list[str]]:
    """The lines of each frame, without what drives the terminal."""
    frames = text.removeprefix(ENTER).removesuffix(LEAVE).split(BEGIN_UPDATE)[1:]
    return [re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", frame).split("\r\n") for frame in frames]


def test_every_frame_fits_the_terminal_of_its_moment() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=30)
    state = b.fold_all(*EVENTS)
    with LiveView(console) as view:
        view.show(state, EVENTS, 20.0)
        console.size = (60, 12)  # type: ignore[assignment]
        view.show(state, [], 20.1)
        view.show(state, [], 21.0)
    assert file.getvalue().startswith(ENTER)
    assert file.getvalue().endswith(LEAVE)
    first, second = read_frames(file.getvalue())
    for frame, width, height in ((first, 100, 30), (second, 60, 12)):
        assert len(frame) <= height
        assert max(map(len, frame)) < width
        assert any("best loss = 1 by story-0001" in line for line in frame)
    (row,) = (line.split() for line in first if line.strip().startswith("2  "))
    assert row[:4] == ["2", "2/3", "1.5", "-0.5"]


def test_before_the_first_result_the_leader_is_named() -> None:
    file = io.StringIO()
    first = [*b.suggested(1), *b.launched(1), b.observed(1, 5.0, 2.0)]
    running = [
        *b.created(b.make_spec()),
        *first,
        *b.suggested(2),
        *b.launched(2),
        b.observed(2, 1.0, 3.0),
    ]
    with LiveView(Console(file=file, force_terminal=True, width=100, height=30)) as view:
        view.show(b.fold_all(*running), [], 20.0)
    (frame,) = read_frames(file.getvalue())
    assert "no result yet; job 1 leads with loss = 2" in frame
    assert any(line.split()[:3] == ["2", "2", "3"] for line in frame), "of how many is not known"


def test_before_the_first_value_it_is_not_known_of_how_many() -> None:
    file = io.StringIO()
    running = [*b.created(b.make_spec()), *b.suggested(1), *b.launched(1)]
    with LiveView(Console(file=file, force_terminal=True, width=140, height=30)) as view:
        view.show(b.fold_all(*running), [], 20.0)
    (frame,) = read_frames(file.getvalue())
    assert "0/0" not in "".join(frame)
    assert "vs best at epoch" in "".join(frame)


def test_the_star_does_not_forget_better_jobs_of_parents() -> None:
    warm = {"type": "IdenticalDataAndAlgorithm", "parents": ["parent"]}
    spec = b.make_spec(warm_start=warm)

    def end(value: float) -> str:
        best = {
            "training_job_name": "p-0001",
            "final_objective_value": value,
            "hyperparameters": {"x": 1},
        }
        inherited = ev.WarmStarted(at=0, parent="p", jobs=(), left_out=0, best=best)
        state = b.fold_all(*b.created(spec), inherited, *b.run(1, 0.5))
        return describe_event(state, b.exited(1, at=1))

    assert end(0.25).endswith("after 1 epoch, 1.0 s: loss = 0.5 ★ best of this tuning job")
    assert end(0.75).endswith("★ best so far")


def test_plain_lines_are_a_line_for_each_thing_that_happens() -> None:
    file = io.StringIO()
    PlainView(file).show(b.fold_all(*EVENTS), EVENTS, 20.0)
    lines = file.getvalue().splitlines()
    assert lines[0] == "[  20 s] tuning story"
    assert lines[2].endswith("story-0001 Completed after 3 epochs, 1.0 s: loss = 1 ★ best so far")
    assert "\x1b" not in file.getvalue()


def test_names_are_no_markup_on_the_screen() -> None:
    file, name = io.StringIO(), "[/b]l"
    spec = b.make_spec(
        metric_definitions=[{"name": name, "regex": "loss=({num})"}], objective_metric_name=name
    )
    seen = Observation(name, 9, 1.0, 0.5)
    events = [
        *(*b.created(spec), *b.suggested(1, x="[/i]"), *b.launched(1)),
        ev.ObservationsRead(at=1, number=1, attempt=1, observations=(seen,)),
    ]
    with LiveView(Console(file=file, force_terminal=True, width=200, height=30)) as view:
        view.show(b.fold_all(*events), [], 20.0)
    (frame,) = read_frames(file.getvalue())
    assert any(name in line for line in frame)
    assert any(line.rstrip().endswith("x=[/i]") for line in frame)


def test_a_job_that_stands_still_is_shown_to_be_suspended() -> None:
    file = io.StringIO()
    running = [*b.created(b.make_spec()), *b.suggested(1), *b.launched(1), b.observed(1, 5.0)]
    still = ev.JobSuspended(at=9, number=1, attempt=1, since=4)
    with LiveView(Console(file=file, force_terminal=True, width=140, height=30)) as view:
        view.show(b.fold_all(*running, still), [], 20.0)
    (frame,) = read_frames(file.getvalue())
    assert "1 suspended" in [line.strip() for line in frame]
    (row,) = (line.split() for line in frame if line.strip().startswith("1  "))
    assert row[-4:] == ["suspended", "4.0", "s", "x=1"]
