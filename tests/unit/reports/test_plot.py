"""Plots of dots, and pictures."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from hpt_cli.errors import HptError
from hpt_cli.reports.curves import Chart, list_legend, make_chart, make_plot
from hpt_cli.reports.render.plot import Axis, Line, Plot, find_axis
from hpt_cli.tuning.summary import summarize
from tests import builders as b


def draw(plot: Plot, width: int = 24, height: int = 16) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(plot)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def make(*charts: str, **fields: object) -> Chart:
    stopped = [*b.suggested(2), *b.launched(2), b.observed(2, 4.0, 3.5), b.stop(2)]
    state = b.fold_all(
        *b.created(b.make_spec()), *b.run(1, 4.0, 2.0, 1.0), *stopped, *b.run(3, 3, math.nan)
    )
    chart = make_chart(summarize(state, 20, at_work=True))
    return Chart(chart.summary, chart.metric, chart.curves, **fields)  # type: ignore[arg-type]


def test_a_line_goes_from_corner_to_corner() -> None:
    lines = draw(Plot([Line([(0, 0), (1, 1)], mark="●")], Axis("x", 0, 1), Axis("y", 0, 1)))
    assert lines[0] == "y"
    rows = [line.partition("┤")[2] or line.partition("│")[2] for line in lines[1:9]]
    starts = [len(row) - len(row.lstrip()) for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert rows[0].endswith("●")
    assert starts[-1] == 0
    assert lines[1].startswith("1 ┤")
    assert lines[-1].split() == ["0", "1"]


def test_values_without_a_place_are_gaps() -> None:
    x, y = Axis("x", 0, 3), Axis("y", 0.1, 10, log=True)
    whole = draw(Plot([Line([(0, 1), (1, 1), (2, 1), (3, 1)])], x, y))
    for value in (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300):
        gap = draw(Plot([Line([(0, 1), (1, value), (2, 1), (3, 1)])], x, y))
        assert "".join(gap).count("⠒") + "".join(gap).count("⠤") > 0 or gap != whole
    assert draw(Plot([Line([(0, math.nan)], mark="●")], x, y))[1:] == draw(Plot([], x, y))[1:]


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("", 0.1, 0.94), [0.2, 0.4, 0.6, 0.8]),
        (Axis("", 0, 0.3), [0, 0.1, 0.2, 0.3]),
        (Axis("", -20, 20), [-20, -10, 0, 10, 20]),
        (Axis("", 1, 30, log=True), [1, 2, 5, 10, 20]),
        (Axis("", 1e-9, 1, log=True), [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]),
        (Axis("", 0.42, 0.44, log=True), [0.42, 0.425, 0.43, 0.435, 0.44]),
        (Axis("", 3, 3), [3]),
    ],
)
def test_ticks_are_round_numbers(axis: Axis, ticks: list[float]) -> None:
    assert axis.list_ticks(5) == pytest.approx(ticks)


def test_one_diverged_job_does_not_hide_the_others() -> None:
    values = [float(value) for value in range(1, 100)]
    axis = find_axis("", [*values, 1e9, math.inf, math.nan], clip=0.02)
    assert axis.high < 100
    assert find_axis("", [*values, 1e9], clip=0.02, whole=[1e9]).high == 1e9
    assert find_axis("", [-1.0, 0.0], log=True) == Axis("", 0, 1)


def test_kinds_of_jobs_are_told_apart_and_the_best_is_in_front() -> None:
    chart = make()
    assert [each.kind.status for each in chart.traces] == ["Completed", "running", "best"]
    (legend,) = list_legend(chart)
    assert legend.plain == "★ best: job 1, 1   ▶ 1 running   ● 1 Completed"
    named = make(asked=True)
    assert [line.plain.split("  ")[0] for line in list_legend(named)] == [
        "★ job 1",
        "▶ job 2",
        "● job 3",
    ]
    assert len({each.kind.style for each in named.traces}) == 3


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures(form: str, begins: bytes) -> None:
    pytest.importorskip("matplotlib")
    from hpt_cli.reports.render.picture import draw_picture

    picture = draw_picture(
        [make_plot(make(log_x=True, log_y=True)), make_plot(make(asked=True))], form
    )
    assert picture.startswith(begins)
    if form == "svg":
        assert picture.count(b"<!-- best: job 1, 1 -->") == 1


def test_a_name_is_no_formula_in_a_picture() -> None:
    pytest.importorskip("matplotlib")
    from hpt_cli.reports.render.picture import draw_picture

    axis = Axis(r"loss $\\frac{$", 0, 2)
    plot = Plot([Line([(1, 1.0), (2, 2.0)], label="$x^$")], axis, axis, title="$")
    assert draw_picture([plot], "svg").startswith(b"<?xml")


def test_a_picture_says_how_many_values_it_does_not_show() -> None:
    from hpt_cli.reports.render.picture import count_beyond

    line = Line([(1, 50.0), (2, math.nan), (3, 1.0)])
    assert count_beyond(Plot([line], Axis("", 1, 3), Axis("", 0, 2))) == 1
    assert count_beyond(Plot([line], Axis("", 1, 3), Axis("", 1, 50, log=True))) == 0
    assert count_beyond(Plot([line], Axis("", 1, 3), Axis("", 1, 1))) == 0


def test_without_matplotlib_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hpt_cli.reports.render.picture import draw_picture

    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(HptError) as caught:
        draw_picture([make_plot(make())], "png")
    assert caught.value.problems[0].hint == "python -m pip install 'hpt-cli[plot]'"
