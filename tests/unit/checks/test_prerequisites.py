"""What speaks against a run is said all at once, each with its place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpt_cli.checks.prerequisites import check_before_run
from hpt_cli.errors import Problem, UsageError
from hpt_cli.spec.yaml.reader import RawSpec, parse_raw

GOOD = """\
name: t
command: no-such-program train.py --lr {lr}
hyperparameter_ranges: {lr: {type: Continuous, min_value: 0.1, max_value: 1}}
metric_definitions: [{name: loss, regex: 'loss=({num})'}]
objective_metric_name: loss
objective_type: Minimize
max_jobs: 2
"""


def find_problems(raw: RawSpec, directory: Path) -> list[Problem]:
    with pytest.raises(UsageError) as caught:
        check_before_run(raw, {"HOMES": "x"}, directory, directory / ".hpt")
    return list(caught.value.problems)


def test_mistakes_variables_and_resources_come_together(tmp_path: Path) -> None:
    text = GOOD.replace("max_jobs: 2", "max_jobs: 0")
    text += "environment: {A: '${HOME}', B: '${HOMES}'}\nresources: {cpus: 99999}\n"
    problems = find_problems(parse_raw(text, "spec.yaml"), tmp_path)
    assert [(each.slug, str(each.place)) for each in problems] == [
        ("greater-than-equal", "spec.yaml:7:11"),
        ("variable-unset", "spec.yaml:8:18"),
        ("resources-missing", "spec.yaml:9:19"),
    ]
    assert problems[1].hint == "did you mean 'HOMES'?"


def test_what_a_journal_holds_has_no_place(tmp_path: Path) -> None:
    fields = parse_raw(GOOD + "environment: {A: '${NOPE}'}\n", "spec.yaml").fields
    (problem,) = find_problems(RawSpec(fields), tmp_path)
    assert (problem.slug, problem.place) == ("variable-unset", None)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("./fit", "./fit is not executable: chmod +x {home}/fit"),
        ("{home}/fit", "{home}/fit is not executable: chmod +x {home}/fit"),
        ("fit", "there is no program 'fit' on the PATH: one in {home} is named ./fit"),
        ("./nowhere", "there is no program ./nowhere: working_directory in the spec says"),
    ],
)
def test_why_a_program_cannot_be_started(tmp_path: Path, program: str, told: str) -> None:
    (tmp_path / "fit").write_text("#!/bin/sh\n")
    text = GOOD.replace("no-such-program train.py", program.format(home=tmp_path))
    raw = parse_raw(text, "spec.yaml")
    (found,) = check_before_run(raw, {}, tmp_path, tmp_path / ".hpt").warnings
    assert found.slug == "doubt-program"
    assert f"{found.message}: {found.hint}".startswith(told.format(home=tmp_path))
    (tmp_path / "fit").chmod(0o755)
    found_now = check_before_run(raw, {}, tmp_path, tmp_path / ".hpt").warnings
    assert len(found_now) == ("nowhere" in program or program == "fit")


def test_only_a_new_tuning_job_is_warned_of_missing_files(tmp_path: Path) -> None:
    raw = parse_raw(GOOD, "spec.yaml")
    found = check_before_run(raw, {}, tmp_path, tmp_path / ".hpt")
    assert [each.slug for each in found.warnings] == ["doubt-program", "doubt-file"]
    assert not (tmp_path / ".hpt").exists()
    assert check_before_run(raw, {}, tmp_path).warnings == ()
    (problem,) = find_problems(raw, tmp_path / "nowhere")
    assert problem.slug == "working-directory"


def test_a_file_beside_the_spec_is_told_of(tmp_path: Path) -> None:
    beside, here = tmp_path / "student", tmp_path / "here"
    beside.mkdir()
    here.mkdir()
    (beside / "train.py").touch()
    (here / "no-such-program").touch()
    raw = parse_raw(GOOD, str(beside / "spec.yaml"))
    hints = {each.slug: each.hint for each in check_before_run(raw, {}, here, here).warnings}
    there = "it is in ../student: cd there, or set working_directory: ../student"
    assert "./no-such-program" in hints["doubt-program"]
    assert hints["doubt-file"] == there
    (here / "no-such-program").rename(beside / "no-such-program")
    found = check_before_run(raw, {}, here, here).warnings
    assert found[0].hint == f"{there}, and write ./no-such-program"
