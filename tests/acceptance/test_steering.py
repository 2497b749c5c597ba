"""A search that its user steers: points of one's own, and other ranges."""

from __future__ import annotations

import re

from tests.acceptance.conftest import Terminal


def list_points(terminal: Terminal) -> list[tuple[float, str | None]]:
    rows = terminal.json("jobs", "t")
    return [(row["hyperparameters"]["x"], row["source"]) for row in rows]


def test_a_running_tuning_job_tries_a_point_next_also_after_a_crash(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 8 --seconds 0.1", max_parallel_jobs=1)
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=1 ")
    text = terminal.hpt("try", "t", "x=0.002", "--source", "anna")
    assert "t: x=0.002 is tried next" in text
    run.kill()
    run.wait()
    assert "to continue: hpt resume t" in terminal.hpt("try", "t", "x=3")
    terminal.hpt("resume", "t")
    points = list_points(terminal)
    assert points[1:3] == [(0.002, "anna"), (3, "user")]
    assert len(points) == 4
    # The strategy's own are those of a search without.
    terminal.hpt("run", terminal.write_spec("alone", max_jobs=2, options="--epochs 1"))
    alone = [row["hyperparameters"]["x"] for row in terminal.json("jobs", "alone")]
    assert [points[0][0], points[3][0]] == alone
    table = terminal.hpt("jobs", "t")
    assert re.search(r"source", table)
    assert "anna" in table


def test_a_completed_tuning_job_goes_on_for_a_point(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--epochs 1"))
    (first,) = (x for x, _ in list_points(terminal))
    text = terminal.hpt("try", f"x={first}", code=2)
    assert "t-0001, which is Completed, has these hyperparameters: loss = " in text
    text = terminal.hpt("try", f"x={first}", "--anyway", "--count", "2")
    assert "max_jobs is now 3" in text
    assert "t has more to do; to continue: hpt resume t" in text
    terminal.hpt("resume", "t")
    assert list_points(terminal) == [(first, None), (first, "user"), (first, "user")]


def test_what_cannot_be_tried_is_refused_and_shown(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--epochs 1"))
    text = terminal.hpt("try", "t", "x=20", "y=1", code=2)
    assert "20 is outside the range of 'x'\n    x=20\n      ^^\n    allowed: 0.001 to 10" in text
    assert "there is no hyperparameter 'y'\n    y=1\n    ^" in text
    assert "write it as HYPERPARAMETER=VALUE" in terminal.hpt("try", "t", "20", code=2)
    assert "there are: x" in terminal.hpt("try", "t", code=2)
    terminal.hpt("try", "t", "x=20", "--anyway")
    terminal.hpt("resume", "t")
    assert list_points(terminal)[1] == (20, "user")
