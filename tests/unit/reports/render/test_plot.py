"""Plots of dots."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from hpt_cli.reports.render.plot import Axis, Line, Plot, find_axis


def draw(plot: Plot, width: int = 24, height: int = 16) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(plot)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_line_goes_from_corner_to_corner() -> None:
    lines = draw(Plot([Line([(0, 0), (1, 1)], mark="●")], Axis("x", 0, 1), Axis("y", 0, 1)))
    assert lines[0] == "y"
    rows = [line.partition("┤")[2] or line.partition("│")[2] for line in lines[1:9]]
    starts = [len(row) - len(row.lstrip()) for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert rows[0].endswith("●")
    assert starts[-1] == 0
    assert lines[1].startswith("1 ┤")
    assert lines[-1].split() == ["0", "x", "1"]


@pytest.mark.parametrize("width", [20, 24, 40, 80, 120])
def test_an_axis_always_has_its_name(width: int) -> None:
    for high in (1, 7, 30, 1000, 123456):
        plot = Plot([Line([(0, 0), (high, 1)])], Axis("tuning time, s", 0, high), Axis("y", 0, 1))
        lines = draw(plot, width)
        assert sum("tuning time, s" in line for line in lines) == 1
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("low", "high"), [(1, 2), (1, 3), (1, 12), (0, 1000), (1, 1e6)])
def test_epochs_are_whole_numbers(low: float, high: float) -> None:
    for most in range(2, 12):
        for log in (False, low > 0):
            ticks = Axis("epoch", low, high, log=log, counts=True).list_ticks(most)
            assert ticks
            assert all(tick.is_integer() for tick in ticks)
    assert Axis("epoch", 0.1, 0.4, counts=True).list_ticks(4) == [0.1, 0.2, 0.3, 0.4]


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
