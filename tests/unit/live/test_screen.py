"""What is on the live screen of a terminal of any size."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hpt_cli.formatting import BARS
from hpt_cli.live.screen import Size, draw_screen
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import summarize
from tests import builders as b

SIZES = [Size(43, 20), Size(79, 24), Size(119, 40), Size(200, 60)]
WHY = "1% likely to beat job 1"


def draw(size: Size, *events: ev.Event, running: int = 3) -> list[str]:
    """The lines of the screen while jobs run, after others have ended in every way."""
    story: list[ev.Event] = [*b.run(1, 0.5, 0.25, 0.125), *b.suggested(2), *b.launched(2)]
    story += [b.observed(2, 9.0), b.exited(2, 1), *b.suggested(3), *b.launched(3)]
    stop = ev.JobStopRequested(at=5, number=3, reason="EarlyStopped", explanation=WHY)
    story += [b.observed(3, 9.0), stop, b.exited(3, -15, at=5)]
    for number in range(4, 4 + running):
        story += [*b.suggested(number), *b.launched(number), b.observed(number, 0.75, 0.375)]
    spec = b.make_spec(max_jobs=40, max_parallel_jobs=30)
    state = b.fold_all(*b.created(spec), *story, *events)
    messages = [f"message {number} " + "of many words " * 9 for number in range(9)]
    console = Console(file=io.StringIO(), width=size.width)
    console.print(draw_screen(summarize(state, 20, at_work=True), messages, 20, size))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("running", [0, 1, 3, 25])
def test_it_fits_with_as_many_running_jobs_as_there_is_room_for(size: Size, running: int) -> None:
    lines = draw(size, running=running)
    assert len(lines) <= size.height
    assert max(map(len, lines)) <= size.width
    rows = [line for line in lines if line.split()[1:2] == ["2/3"]]
    assert len(rows) == running or (running == 25 and "more" in "".join(lines) and len(rows) > 4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_numbers_are_whole_at_any_width(size: Size) -> None:
    lines = draw(size)
    (row,) = (line for line in lines if line.split()[:1] == ["4"])
    assert row.split()[:4] == ["4", "2/3", "0.375", "+0.12"]
    text = " ".join(" ".join(lines).split())
    assert "3 of 40 done" in text
    assert "1 completed, 1 stopped early, 1 failed; 3 running" in text
    assert f"last stop: story-0003 at epoch 1, 15 s ago: {WHY}" in text
    assert any(bar in row for bar in BARS) == (size.width > 60)


def test_what_best_means_is_said_below_the_table() -> None:
    assert "vs best: value minus job 1's at that epoch" in draw(SIZES[1])


@pytest.mark.parametrize(
    ("chosen", "value", "against"),
    [("last", "8", "+2"), ("mean", "6", "+2"), ("best", "4", "+2")],
)
def test_what_counts_so_far_is_compared(chosen: str, value: str, against: str) -> None:
    running = [*b.suggested(2), *b.launched(2), b.observed(2, 4.0, 8.0)]
    story = [*b.created(b.make_spec(objective_value=chosen)), *b.run(1, 2.0, 6.0, 0.5), *running]
    console = Console(file=io.StringIO(), width=119)
    summary = summarize(b.fold_all(*story), 20, at_work=True)
    console.print(draw_screen(summary, [], 20, Size(119, 40)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    (row,) = [line.split() for line in lines if line.split()[:2] == ["2", "2/3"]]
    assert row[2:4] == [value, against]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_long_number_is_not_cut(size: Size) -> None:
    lines = draw(size, b.observed(4, -1234567890123456.0, first=9))
    (row,) = (line for line in lines if line.split()[:1] == ["4"])
    assert row.split()[2] == "-1.235e+15"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_warning_is_said_once(size: Size) -> None:
    warned = ev.Warned(at=9, slug="same-curves", message="all are alike", hint="look")
    text = "\n".join(draw(size, warned))
    assert text.count("warning[same-curves]: all are alike") == 1
    assert (text.count("\n  look") == 1) == (size.height > 20)


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_that_a_job_stands_still_is_said_without_a_curve(size: Size) -> None:
    still = ev.JobSuspended(at=9, number=4, attempt=1, since=4)
    (row,) = (line for line in draw(size, still) if line.split()[:1] == ["4"])
    assert "suspended" in row


def test_what_is_paused_has_a_line_of_its_own() -> None:
    evidence = {"step": 2, "probability": 0.31}
    why = "others have yet to come to epoch 2"
    paused = ev.JobPaused(at=7, number=4, attempt=1, reason=why, evidence=evidence)
    lines = draw(SIZES[2], paused)
    assert f"   4  paused after 2 epochs at 0.375, 31% likely: {why}" in [*map(str.rstrip, lines)]
    assert "2 running, 1 paused" in " ".join(lines)
    assert not any(line.split()[:2] == ["4", "2/3"] for line in lines)
    many = [ev.JobPaused(at=7, number=each, attempt=1, reason=why) for each in range(4, 29)]
    for size in SIZES:
        lines = draw(size, *many, running=25)
        assert len(lines) <= size.height
    assert "… and 21 more paused" in [*map(str.rstrip, lines)]
