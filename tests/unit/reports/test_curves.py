"""Learning curves on the terminal, and in pictures."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from hpt_cli.errors import HptError, suggest_extra
from hpt_cli.reports.curves import Chart, list_legend, make_chart, make_plot, render_chart
from hpt_cli.reports.render.plot import Axis, Line, Plot, count_beyond
from hpt_cli.tuning.summary import summarize
from tests import builders as b


def make(*charts: str, **fields: object) -> Chart:
    stopped = [*b.suggested(2), *b.launched(2), b.observed(2, 4.0, 3.5), b.stop(2)]
    state = b.fold_all(
        *b.created(b.make_spec()), *b.run(1, 4.0, 2.0, 1.0), *stopped, *b.run(3, 3, math.nan)
    )
    chart = make_chart(summarize(state, 20, at_work=True))
    return Chart(chart.summary, chart.metric, chart.curves, **fields)  # type: ignore[arg-type]


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


@pytest.mark.parametrize(("chosen", "best"), [("last", 4), ("mean", 2.5), ("best", 1)])
def test_the_legend_has_the_final_value(chosen: str, best: float) -> None:
    spec = b.make_spec(objective_value=chosen)
    state = b.fold_all(*b.created(spec), *b.run(1, 2.5, 1.0, 4.0))
    chart = make_chart(summarize(state, 20, at_work=True))
    assert [each.plain for each in list_legend(chart)] == [f"★ best: job 1, {best}"]
    (named,) = list_legend(replace(chart, asked=True))
    assert named.plain.startswith(f"★ job 1  {best}  Completed")
    (other,) = list_legend(replace(chart, metric="accuracy", asked=True))
    assert other.plain.startswith("★ job 1  4  Completed")


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


@pytest.mark.parametrize("far", [1.3e141, -1e6])
def test_a_diverged_job_does_not_flatten_the_others(far: float) -> None:
    jobs = [each for n in range(1, 4) for each in b.run(n, 9.0, 2.0, 1.0 + 0.1 * n)]
    state = b.fold_all(*b.created(b.make_spec()), *jobs, *b.run(4, 5.0, far, math.nan))
    chart = make_chart(summarize(state, 20, at_work=True))
    _, y = chart.axes
    assert (y.low, y.high) == (1.1, 9.0)
    console = Console(file=io.StringIO(), width=80)
    console.print(render_chart(chart))
    assert "1 value outside the axis" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_picture_says_how_many_values_it_does_not_show() -> None:
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
    assert caught.value.problems[0].hint == suggest_extra("plot")
