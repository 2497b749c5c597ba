"""The results table: what fits, how numbers line up, other formats."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from rich.console import Console

from hpt_cli.errors import UsageError
from hpt_cli.formatting import format_column
from hpt_cli.metrics.curve import Observation
from hpt_cli.reports.jobs import render_table
from hpt_cli.reports.render.columns import (
    default_columns,
    find_columns,
    list_columns,
    name_columns,
)
from hpt_cli.reports.render.formats import FORMATS
from hpt_cli.reports.render.selection import select_rows
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import Summary, summarize
from tests import builders as b


def make_summary(**hyperparameters: object) -> Summary:
    second = [*b.suggested(2, **hyperparameters), *b.launched(2), b.observed(2, 0.5)]
    state = b.fold_all(*b.created(b.make_spec()), *b.run(1, 0.25, 0.125), *second)
    return summarize(state, 20, at_work=True)


def run(number: int, value: float, **tuned: object) -> list[ev.Event]:
    """A whole job that completes."""
    events = [*b.suggested(number, **tuned), *b.launched(number)]
    return [*events, b.observed(number, value), b.exited(number)]


def show(summary: Summary, width: int, *, wide: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    table = render_table(summary, default_columns(summary), wide=wide)
    console.print(table, soft_wrap=wide)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_headings_break_and_columns_leave_until_it_fits() -> None:
    summary = make_summary(x=2, a_rather_long_name=1, another_rather_long_name="some text")
    assert show(summary, 120)[0].split()[:3] == ["job", "x", "a_rather_long_name"]
    narrow = show(summary, 80)
    assert [line.split() for line in narrow[:2]] == [["a_"], ["rather_", "another_"]]
    assert "not shown" not in "".join(narrow)
    narrower = show(summary, 44)
    assert narrower[0].split() == ["job", "x", "loss", "status"]
    assert narrower[3].startswith("not shown: time, epochs,")
    assert show(summary, 44, wide=True)[0].endswith(
        "another_rather_long_name   loss  epochs   time  status"
    )


def test_a_hyperparameter_hides_no_column_from_programs() -> None:
    summary = make_summary(status="x", time=2)
    columns = list_columns(summary)
    assert columns["status"].value(summary.rows[1]) == "x"
    assert columns["training_job_status"].value(summary.rows[1]) == "InProgress"
    assert name_columns(summary)["training_elapsed_time_seconds"].value(summary.rows[0]) > 0


NAMES = ["status", "time", "job", "number", "name", "epochs", "objective", "reason", "best", "loss"]
NAMES += ["training_job_status", "stop_reason", "job.status", "metric.time", "curve", "attempts"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["hyperparameter", "metric"])
def test_columns_that_share_a_name_are_told_apart(kind: str, name: str) -> None:
    """In tables, in CSV, in --where and in --sort."""
    tuned: dict[str, float | int | str] = {"other": 1, "time": 2, name: 7}
    if kind == "metric":
        tuned |= {name: 1}
    seen = [Observation("loss", 9, 1.0, 0.5)]
    seen += [Observation(name, 9, 1.0, 7.0)] if kind == "metric" and name != "loss" else []
    job = [
        ev.JobPlanned(at=0, number=1),
        ev.JobSuggested(at=0, number=1, hyperparameters=tuned, seconds=0),
        *b.launched(1),
        ev.ObservationsRead(at=0, number=1, attempt=1, observations=tuple(seen)),
        b.exited(1),
    ]
    state = b.fold_all(*b.created(b.make_spec()), *job)
    summary = summarize(state, 20, at_work=True)
    (row,) = summary.rows
    columns = list_columns(summary).values()
    for names in (
        [each.name for each in columns],
        [each.field for each in columns],
        [each.heading or each.name for each in columns],
    ):
        assert len(names) == len(set(names))
    texts = {each.role: each.texts([row]) for each in default_columns(summary)}
    assert texts["status"] == ["Completed"]
    assert texts["objective"] == ["0.5"]
    assert texts["epochs"] == ["1"]
    if kind == "hyperparameter" or name != "loss":
        known = name_columns(summary)
        assert known[f"{kind}.{name}"].value(row) == 7
        (header, cells) = csv.reader(io.StringIO(FORMATS["csv"](summary, [*columns])))
        assert header.count(known[f"{kind}.{name}"].field) == 1
        assert float(cells[header.index(known[f"{kind}.{name}"].field)]) == 7
    for column in columns:
        (typed,) = find_columns([column.heading or column.name], summary, "--sort")
        assert typed.role == column.role, "what a heading says can be typed"


def test_a_table_says_whose_the_names_are() -> None:
    summary = make_summary(status="x", time=2)
    said = "hyperparameters or metrics are named time, status here;"
    assert show(summary, 120)[-1] == f"{said} what hpt knows of jobs: job.time, job.status"
    assert said not in "".join(show(make_summary(x=1), 120))


def test_the_best_ones_are_the_best_whatever_hyperparameters_are_called() -> None:
    jobs = [*run(1, 0.5, objective=1), *run(2, 0.25, objective=9)]
    summary = summarize(b.fold_all(*b.created(b.make_spec()), *jobs), 20, at_work=True)
    assert [row.number for row in select_rows(summary, top=1).rows] == [2]


def test_every_digit_is_there_for_who_asks() -> None:
    summary = make_summary(seed=3_300_000_012, tokens=3.3e9, rate=0.012345678912, tiny=1.5e-9)
    wide = " ".join(show(summary, 80, wide=True))
    for digits in ("3300000012", "3300000000", "0.012345678912", "1.5e-09"):
        assert digits in wide
    assert "3300000012" in " ".join(show(summary, 200))


def test_reasons_are_not_cut_but_wrapped() -> None:
    why = "1% likely to beat job 1, and it has been so for a while as anybody can see"
    stop = ev.JobStopRequested(at=0, number=2, reason="EarlyStopped", explanation=why)
    second = [*b.suggested(2, x=1), *b.launched(2), b.observed(2, 9.0), stop, b.exited(2, -15)]
    state = b.fold_all(*b.created(b.make_spec()), *run(1, 0.25, x=1), *second)
    summary = summarize(state, 20, at_work=True)
    for width in (60, 80, 120):
        lines = show(summary, width)
        at = lines[0].index("reason")
        assert " ".join(line[at:].strip() for line in lines[2:]) == f"EarlyStopped: {why}"
        assert max(map(len, lines)) <= width


def test_numbers_of_one_size_line_up() -> None:
    assert format_column([0.5, 0.94, None, 0.9383]) == ["0.5000", "0.9400", "–", "0.9383"]
    assert format_column([0.1, 0.2]) == ["0.1", "0.2"]
    assert format_column([1e-4, 0.5]) == ["0.0001", "0.5"]
    assert format_column([16, 128]) == ["16", "128"]
    assert format_column([100, 2000]) == ["100", "2000"]
    assert format_column([92.4, 82, 90]) == ["92.4", "82.0", "90.0"]
    # Small ones keep the digits by which they are known.
    assert format_column([0.0108, 1.891e-5]) == ["0.0108", "1.891e-05"]
    assert format_column([5.3, 0.01234]) == ["5.3000", "0.0123"]
    assert format_column([0.82, 0.000827]) == ["0.820000", "0.000827"]
    assert format_column([float("nan"), 12.5, "x"]) == ["nan", "12.5", "x"]
    assert format_column([0.98761, 0.98764], distinct=[0.98764, 0.98761]) == ["0.98761", "0.98764"]
    assert format_column([1.234, 0.025, 0.0274], distinct=[0.025, 0.0274])[0] == "1.2340"
    assert format_column([1e-5, 0.98761], distinct=[0.98764, 0.98761]) == ["1e-05", "0.98761"]


def test_programs_get_whole_numbers_and_the_names_of_the_contract() -> None:
    summary = make_summary(x=1 / 3)
    columns = find_columns(["number", "x", "loss", "training_job_status"], summary, "--columns")
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        text = FORMATS[name](summary, columns)
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
        assert float(rows[1]["x"]) == 1 / 3
        assert rows[0]["final_objective_value"] == "0.125"
        assert rows[1]["final_objective_value"] == ""
    document = json.loads(FORMATS["json"](summary, columns))
    assert document[1] == {
        "training_job_number": 2,
        "x": 1 / 3,
        "final_objective_value": None,
        "training_job_status": "InProgress",
    }


def test_markdown_is_for_people() -> None:
    summary = make_summary(x="a|b")
    text = FORMATS["md"](summary, find_columns(["number", "x"], summary, "--columns"))
    assert text.splitlines() == ["| job | x |", "| ---: | --- |", "| 1 ★ | 1 |", "| 2 | a\\|b |"]


def test_columns_answer_to_their_headings_and_stand_once() -> None:
    summary = make_summary(x=1)
    columns = find_columns(["job", "loss", "objective", "x"], summary, "--columns")
    assert [each.name for each in columns] == ["number", "objective", "x"]


def test_markdown_shows_no_link_picture_or_tag_of_a_value() -> None:
    summary = make_summary(x="![i](http://x) [l](y) <img src=z> `c` a|b \\[")
    text = FORMATS["md"](summary, find_columns(["x"], summary, "--columns"))
    (row,) = (line for line in text.splitlines() if "img" in line)
    assert re.search(r"(?<!\\)(\\\\)*[\[<`]", row) is None
    assert re.findall(r"(?<!\\)\|", row) == ["|", "|"]


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_a_value_stays_one_cell_of_a_table_for_programs(form: str) -> None:
    values = ['a,b"c\td', "1=1+1", "x\x1b[2J", "-0.5", "+1e3"]
    for value in values:
        summary = make_summary(x=value)
        text = FORMATS[form](summary, find_columns(["x"], summary, "--columns"))
        rows = list(csv.reader(io.StringIO(text), delimiter=",\t"[form == "tsv"]))
        assert rows[-1] == [value.replace("\x1b", "�").replace("\t", "�")]


@pytest.mark.parametrize("form", ["csv", "tsv"])
@pytest.mark.parametrize("value", ["=1+1", "+key", "-cmd|'/c calc'!A0", "@SUM(1)", "＝1", "-"])
def test_no_value_is_a_formula_in_a_table_for_programs(form: str, value: str) -> None:
    summary = make_summary(**{value: value})
    text = FORMATS[form](summary, find_columns([value], summary, "--columns"))
    rows = list(csv.reader(io.StringIO(text), delimiter=",\t"[form == "tsv"]))
    assert [rows[0], rows[-1]] == [[f"'{value}"]] * 2


def test_every_unknown_column_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        find_columns(["epoch", "x", "zzz"], make_summary(x=1), "--columns")
    first, second = caught.value.problems
    assert first.hint == "did you mean 'epochs'?"
    assert "zzz" in second.message
    assert second.hint.startswith("one of number")
    assert second.hint.endswith(", loss")


def test_a_job_that_stands_still_is_said_to_be_suspended() -> None:
    still = ev.JobSuspended(at=9, number=1, attempt=1, since=4)
    state = b.fold_all(*b.created(b.make_spec()), *b.suggested(1), *b.launched(1), still)
    assert "InProgress (Suspended)" in show(summarize(state, 20, at_work=True), 100)[1]
