"""YAML -> TuningSpec, with every mistake in its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt_cli.errors import Problem, UsageError
from hpt_cli.metrics.reader import MetricReader
from hpt_cli.spec.fields.overrides import read_overrides
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.document import Document, compose
from hpt_cli.spec.yaml.reader import parse_spec
from hpt_cli.storage.spec_file import read_spec

GOOD = """\
name: good
command: train --lr {lr} --opt {opt}
hyperparameter_ranges:
  lr: {type: Continuous, min_value: 1e-4, max_value: "1.0", scaling_type: Logarithmic}
  opt: {type: Categorical, values: [yes, no, on, 3, 0.5]}
static_hyperparameters: {epochs: 10}
metric_definitions:
  - {name: loss, regex: 'loss=({num})'}
objective_metric_name: loss
objective_type: Minimize
max_jobs: 10
early_stopping_type: Off
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(UsageError) as caught:
        parse_spec(text, "spec.yaml")
    return list(caught.value.problems)


def only_problem(old: str, new: str) -> Problem:
    assert old in GOOD
    (problem,) = problems(GOOD.replace(old, new))
    return problem


@pytest.mark.parametrize("bad", ['"a\\0b"'])
@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("Minimize", "Minimize\ndescription: BAD", 14),
        ("{epochs: 10}", "{epochs: BAD}", 34),
        ("[yes, no, on, 3, 0.5]", "[yes, BAD]", 42),
        ("max_jobs: 10", "environment: {A: BAD}", 18),
        ("max_jobs: 10", "working_directory: BAD", 20),
        ("'loss=({num})'", "'loss=({num})', file: BAD", 47),
        ("train --lr {lr} --opt {opt}", "[train, BAD]", 18),
    ],
)
def test_what_cannot_be_passed_on_has_its_place(old: str, new: str, column: int, bad: str) -> None:
    found = problems(GOOD.replace(old, new.replace("BAD", bad)))
    assert [each.place.column for each in found if each.slug == "text" and each.place] == [column]


@pytest.mark.parametrize("bad", ['"a\\0b"', '"a\\uD800b"'])
def test_nor_can_such_a_name(bad: str) -> None:
    assert only_problem("{epochs: 10}", f"{{{bad}: 1}}").slug in ("text", "yaml")


@pytest.mark.parametrize("command", ["train '{opt}'", 'sh -c "train {opt}"'])
def test_a_value_that_needs_quotes_stands_in_no_others(command: str) -> None:
    text = GOOD.replace("train --lr {lr} --opt {opt}", f"{command!r}\nshell: yes")
    assert parse_spec(text, "spec.yaml").shell
    for value in ("a b", "$(touch pwned)"):
        (problem,) = problems(text.replace("[yes, no", f"[{value}, no"))
        assert problem.slug == "placeholder-quoted"
        assert "write {opt} without quotes" in problem.hint
        assert "write value={opt} before it" in problem.hint


def test_only_a_value_of_several_lines_ends_a_comment() -> None:
    command = "'# tries {opt}\n\n  train {opt}'\nshell: yes"
    text = GOOD.replace("train --lr {lr} --opt {opt}", command)
    assert parse_spec(text.replace("[yes, no", "[a b, no"), "spec.yaml").shell
    (problem,) = problems(text.replace("[yes, no", '["a\\nb", no'))
    assert problem.slug == "placeholder-quoted"


def test_what_yaml_1_1_would_twist_means_what_it_says() -> None:
    spec = parse_spec(GOOD, "spec.yaml")
    ranges = spec.hyperparameter_ranges
    assert spec.early_stopping_type == "Off"
    assert ranges["lr"].min_value == 1e-4  # type: ignore[union-attr]
    assert ranges["lr"].max_value == 1.0  # type: ignore[union-attr]
    assert ranges["opt"].values == ("yes", "no", "on", 3, 0.5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "words"),
    [
        ("max_jobs: 10", "max_jbos: 10", 11, 1, "did you mean 'max_jobs'?"),
        ("max_jobs: 10", "max_jobs: ten", 11, 11, "must be a whole number, not 'ten'"),
        ("max_jobs: 10", "max_jobs: 0", 11, 11, "must be at least 1"),
        ("1e-4", "2", 4, 37, "min_value 2 is larger than max_value 1"),
        ("1e-4", "0", 4, 37, "must lie above 0"),
        ("Logarithmic}", "ReverseLogarithmic}", 4, 54, "0 ≤ x < 1"),
        ("Logarithmic}", "Log}", 4, 75, "did you mean 'Logarithmic'?"),
        ("type: Continuous", "type: Continous", 4, 14, "did you mean 'Continuous'?"),
        ("min_value: 1e-4", "min: 1e-4", 4, 3, "min_value"),
        ("loss=({num})'", "loss=({num}'", 8, 25, "does not compile"),
        ("loss=({num})'", "loss='", 8, 25, "no group"),
        ("loss=({num})'", "(.*)'", 8, 25, "match the empty string"),
        ("objective_metric_name: loss", "objective_metric_name: los", 9, 24, "'loss'?"),
        ("{lr}", "{lrr}", 2, 10, "did you mean 'lr'?"),
        ("Minimize", "minimise", 10, 17, "did you mean 'Minimize'?"),
        ("name: good", "name: go_od", 1, 7, "a-z"),
        ("{epochs: 10}", "{lr: 10}", 6, 30, "is both a range and a static"),
        ("1e-4", "1e-4, step: 1e-300", 4, 49, "too small for the range"),
        (
            "max_jobs: 10",
            "gpus: [a]",
            11,
            8,
            "a number or a UUID (GPU-..., MIG-...) from nvidia-smi -L, but is 'a'",
        ),
        ("max_jobs: 10", 'description: "\\ud800"', 11, 14, "half a character"),
        ("max_jobs: 10", "description: " + "[" * 60, 11, 63, "nested more than 50 levels deep"),
        ("max_jobs: 10", "max_jobs: 10\nmax_jobs: 11", 12, 1, "is given twice; first on line 11"),
        ("[yes, no, on, 3, 0.5]", "[a, a]", 5, 28, "listed twice: a"),
        ("1e-4", "1e-4, prior: 2", 4, 50, "the prior 2 is outside the range of 'lr'"),
        ("1e-4", "1e-4, prior: [0.1, x, 7]", 4, 56, "must be a number, not 'x'"),
        ("1e-4", "1e-4, prior: [0.1, x, 7]", 4, 59, "the prior 7 is outside the range of 'lr'"),
        ("0.5]}", "0.5], prior: yess}", 5, 66, "did you mean 'yes'?"),
    ],
)
def test_mistakes_are_shown_in_their_place(
    old: str, new: str, line: int, column: int, words: str
) -> None:
    found = problems(GOOD.replace(old, new))
    shown = [f"{each.place}: {each.message} {each.hint}" for each in found]
    assert any(
        text.startswith(f"spec.yaml:{line}:{column}:") and words in text for text in shown
    ), shown


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("values: [yes", "when: {lr: [1]}, values: [yes", "'lr' is not a Categorical range"),
        ("Logarithmic}", "Logarithmic, when: {opt: yess}}", "did you mean 'yes'?"),
        ("values: [yes", "when: {opt: yes}, values: [yes", "'opt' depends on itself"),
        ("max_jobs: 10", "strategy: Grid", "which values of 'lr' to try"),
        ("0.5]}", "0.5], prior: no}\nstrategy: Grid", "it has no use for a prior of 'opt'"),
        ("max_jobs: 10", "max_resource: 10", "only applies to strategy: Hyperband"),
        ("{epochs: 10}", "{e: 1}\nstrategy: Hyperband", "needs max_resource"),
        ("max_jobs: 10", "initial_hyperparameters: [{lr: 2}]", "2 is outside the range of 'lr'"),
        ("max_jobs: 10", "initial_hyperparameters: [{lrr: 1}]", "did you mean 'lr'?"),
        ("max_jobs: 10", "early_stopping: {rule: median}", "early_stopping_type is Off"),
        ("type: Off", "type: Auto\nearly_stopping: {rule: meidan}", "did you mean 'median'?"),
        ("type: Off", "type: Auto\nearly_stopping: {rule: median, min: 1}", "no parameter 'min'"),
        ("max_jobs: 10", "max_jobs_not_improving: 2", "must be at least 3"),
        ("max_jobs: 10", "warm_start: {type: Same, parents: [a]}", "is not one of Identical"),
        ("Logarithmic}", "Logarithmic, step: 5}", "step 5 is larger than the range"),
        ("regex: 'loss=({num})'", "json: a, column: b", "json and column cannot be combined"),
        (", regex: 'loss=({num})'", "", "a metric needs one of regex, json, column, preset"),
        ("regex: 'loss=({num})'", "preset: xgbost", "did you mean 'xgboost'?"),
        ("regex: 'loss=({num})'", "preset: ultralytics, metric: map50", "did you mean 'mAP50'?"),
        ("regex: 'loss=({num})'", "preset: ultralytics", "has no metric 'loss'; it has: precision"),
        ("regex: 'loss=({num})'", "preset: xgboost, step: Epoch", "has neither {step} nor"),
        ("regex: 'loss=({num})'", "json: a, metric: b", "but no preset is given"),
        ("regex: 'loss=({num})'", "json: a, after: '(Val'", "missing )"),
        ("regex: 'loss=({num})'", "json: a, file: ../b", "not inside the job's directory"),
        ("regex: 'loss=({num})'", "jsn: a", "did you mean 'json'?"),
    ],
)
def test_fields_that_do_not_go_together(old: str, new: str, words: str) -> None:
    assert old in GOOD
    shown = [f"{each.message} {each.hint}" for each in problems(GOOD.replace(old, new))]
    assert any(words in text for text in shown), shown


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ("json: val.loss, step: epoch, file: metrics.jsonl", '{"val": {"loss": 0.5}, "epoch": 3}'),
        ("column: loss, step: epoch", "epoch loss\n3 0.5"),
        ("preset: xgboost, metric: validation-auc", "[3]\tvalidation-auc:0.5"),
        ("regex: 'loss {num}', step: 'Epoch {step}'", "Epoch 3\nloss 0.5"),
        (
            "regex: 'loss {num}', step: 'Epoch {step}', after: '^Val'",
            "Epoch 3\nTrain\nloss 9\nVal\nloss 0.5",
        ),
    ],
)
def test_a_metric_can_be_found_in_several_ways(fields: str, line: str) -> None:
    spec = parse_spec(GOOD.replace("regex: 'loss=({num})'", fields), "spec.yaml")
    again = TuningSpec.model_validate(spec.model_dump(mode="json"))  # as the journal keeps it
    (found,) = MetricReader(again.extractors).feed(line.encode() + b"\n")
    assert (found.step, found.value) == (3, 0.5)


def test_a_missing_field_is_named() -> None:
    assert (
        "objective_type: the field is missing"
        in only_problem("objective_type: Minimize\n", "").message
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("repeats: 3", "with the fields count, seed"),
        ("success: {exit_codes: 139}", "write [139]"),
        ('constraints: "x < 3"', 'write ["x < 3"]'),
    ],
)
def test_a_value_of_another_kind_is_told_how_it_is_written(line: str, hint: str) -> None:
    (problem,) = problems(f"{GOOD}{line}\n")
    assert problem.hint == hint


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("{lr}", "{x}").replace("1e-4", "2").replace("10\nearly", "x\nearly")
    lines = [each.place.line for each in problems(text) if each.place]
    assert lines == [2, 4, 11]


def test_a_range_may_have_hundreds_of_categories() -> None:
    def write(count: int) -> str:
        values = ", ".join(f"file{number}" for number in range(count))
        return f"{{type: Categorical, values: [{values}]}}"

    (line,) = (line for line in GOOD.splitlines() if line.strip().startswith("lr:"))
    many = GOOD.replace(line, f"  lr: {write(1000)}")
    assert len(parse_spec(many, "spec.yaml").hyperparameter_ranges["lr"].values) == 1000  # type: ignore[union-attr]
    problem = only_problem(line, f"  lr: {write(1001)}")
    assert problem.message.endswith("must have at most 1000, but has 1001")
    assert "let the script look up the value by its number" in problem.hint


def test_more_than_thirty_ranges_are_too_many() -> None:
    more = "".join(f"  p{i}: {{type: Integer, min_value: 1, max_value: 2}}\n" for i in range(31))
    assert (
        "at most 30"
        in only_problem("hyperparameter_ranges:\n", f"hyperparameter_ranges:\n{more}").message
    )


def test_a_range_of_one_value_is_allowed() -> None:
    parse_spec(GOOD.replace("1e-4", "1.0"), "spec.yaml")


def test_what_is_not_yaml_is_said_with_its_place() -> None:
    (problem,) = problems("name: [1, 2\ncommand: x")
    assert problem.place is not None
    assert problem.place.line == 2
    assert problems("just text")[0].message == "a spec must be a mapping of fields"


def test_a_grid_without_end_is_refused() -> None:
    text = GOOD.replace(
        '{type: Continuous, min_value: 1e-4, max_value: "1.0", scaling_type: Logarithmic}',
        "{type: Integer, min_value: 1, max_value: 1000000000}",
    )
    (problem,) = problems(text + "strategy: Grid\n")
    assert (problem.slug, problem.place and problem.place.line) == ("grid-size", 3)


@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ("max_jobs: 10", "resources: {gpus: '0'}\navoid_busy_gpus: true", "gpus-missing"),
        ("max_jobs: 10", "slurm: {}", "slurm-local"),
        ("regex: 'loss=({num})'", "preset: 5", "preset-unknown"),
    ],
)
def test_conflicts_of_values_that_are_read_as_others_are_found(
    old: str, new: str, slug: str
) -> None:
    assert only_problem(old, new).slug == slug


def test_an_alias_bomb_is_refused() -> None:
    layers = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    with pytest.raises(UsageError, match="expands"):
        parse_spec("a0: &a0 [x]\n" + layers, "spec.yaml")


def test_an_unreadable_file_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_spec(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_spec(tmp_path / "bytes.yaml")


def test_overrides_change_fields() -> None:
    spec = parse_spec(GOOD, "spec.yaml", read_overrides(["max_jobs=3", "name=other"]))
    assert (spec.max_jobs, spec.name) == (3, "other")


@settings(max_examples=300)
@given(st.data())
def test_a_spec_with_a_damaged_line_is_an_error_or_a_spec(data: st.DataObject) -> None:
    lines = GOOD.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    junk = st.text(st.sampled_from("{}[]:,'\"-&*!|>#%@ \tabc019."), max_size=12)
    cut = data.draw(st.integers(0, len(lines[index])))
    lines[index] = lines[index][:cut] + data.draw(junk) + lines[index][cut + 1 :]
    with contextlib.suppress(UsageError):  # anything else is a bug
        parse_spec("\n".join(lines), "spec.yaml")


def test_a_hyperparameter_in_the_environment_is_filled_by_nothing() -> None:
    environment = 'environment: {LR: "{lr}", E: "${HOME}{epochs}", F: "{other} ${lr} {{lr}}"}'
    text = GOOD.replace("max_jobs: 10", environment)
    with pytest.raises(UsageError) as caught:
        parse_spec(text, "spec.yaml")
    first, second = caught.value.problems
    assert (first.slug, first.place and first.place.column) == ("placeholder-environment", 19)
    assert "SM_HP_LR" in first.hint
    assert "environment.E: {epochs}" in second.message


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("early_stopping: {rules: [{rule: median}]}", ["'auto' has no parameter 'rules'"]),
        ("early_stopping: {rule: [median]}", ["rule must be the name of one stop rule"]),
        ("early_stopping: {percentile: 3}", ["'auto' has no parameter 'percentile'"]),
        ("max_runtime_seconds: 5m", ["max_runtime_seconds: must be a number, not '5m'"]),
        ("environment:\n\tA: 1", ["this is not YAML: indent with spaces, not with tabs"]),
    ],
)
def test_a_mistake_that_many_make_is_explained_once(line: str, messages: list[str]) -> None:
    found = problems(GOOD.replace("early_stopping_type: Off", f"early_stopping_type: Auto\n{line}"))
    assert len(found) == len(messages)
    for problem, message in zip(found, messages, strict=True):
        assert message in problem.message
    if "5m" in line:
        assert "in seconds" in found[0].hint


CONDITIONAL = """\
name: c
command: COMMAND
hyperparameter_ranges:
  lr: {type: Continuous, min_value: 0, max_value: 1}
  +key: {type: Categorical, values: [a, b]}
  opt: {type: Categorical, values: [sgd, nag, adam]}
  m: {type: Continuous, min_value: 0, max_value: 1, when: {opt: [sgd, nag]}}
  n: {type: Continuous, min_value: 0, max_value: 1, when: {opt: [sgd, nag]}}
metric_definitions: [{name: loss, regex: 'loss=({num})'}]
objective_metric_name: loss
objective_type: Minimize
"""


@pytest.mark.parametrize(
    "command",
    [
        "t --lr {lr} --m {m}",
        "t --betas {m} {n} --set a={lr} b={m}",
        "t --x={m},{n}",
        "[t, --m, '{m}', data]",
        "t {args} \nshell: true",
        "[t, --m, '{m}'] \nshell: true",
        "t {+key}",
    ],
)
def test_what_can_be_left_out_is_accepted(command: str) -> None:
    parse_spec(CONDITIONAL.replace("COMMAND", command), "spec.yaml")


@pytest.mark.parametrize(
    ("command", "slug"),
    [
        ("t --lr {lr} --m {m}\nshell: true", "placeholder-conditional"),
        ("t --x={lr},{m}", "placeholder-conditional"),
        ("t --betas {m} {lr}", "placeholder-conditional"),
        ("bash -c 't --m {m}'", "placeholder-conditional"),
        ("'{m} --lr {lr}'", "placeholder-conditional"),
        ("t {+kye}", "placeholder-unknown"),
        ("t --lr { lr }", "placeholder-unknown"),
    ],
)
def test_what_cannot_be_left_out_is_refused(command: str, slug: str) -> None:
    (problem,) = problems(CONDITIONAL.replace("COMMAND", command))
    assert (problem.slug, str(problem.place)) == (slug, "spec.yaml:2:10")
    assert problem.hint


def test_a_tuning_job_that_has_begun_so_goes_on() -> None:
    fields = read_fields(CONDITIONAL.replace("COMMAND", "t { lr } --m {m}\nshell: true"))
    assert TuningSpec.model_validate(fields).shell


def read_fields(text: str) -> dict[str, object]:
    return Document(compose(text, "spec.yaml"), "spec.yaml").to_values()


def test_a_point_that_contradicts_itself_is_refused_in_its_place() -> None:
    points = "initial_hyperparameters:\n  - {m: 0.5}\n  - {opt: adam, m: 0.5}\n"
    (problem,) = problems(CONDITIONAL.replace("COMMAND", "t {args}") + points)
    assert (problem.slug, str(problem.place)) == ("initial-contradiction", "spec.yaml:14:20")
    assert "'m' exists only where opt is sgd or nag; and 'opt' is adam" in problem.message


def test_a_list_as_a_category_is_refused_with_a_way_that_works() -> None:
    problem = only_problem("[yes, no, on, 3, 0.5]", "[[64, 64], x]")
    assert (str(problem.place), problem.slug) == ("spec.yaml:5:37", "category")
    assert '"64 64" for several arguments, with {name...} in the command' in problem.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("early_stopping_type: Off\npausing: {}", "which is Off"),
        ("strategy: Hyperband\nmax_resource: 9\npausing: {}", "Hyperband itself chooses"),
        ("early_stopping_type: Auto\nexecutor: slurm\npausing: {}", "its place on a cluster"),
        ("PAUSING: {method: checkpoint, max_memory_gb: 2}", "only applies to method: signal"),
        ("PAUSING: {share_gpus: yes}", "training jobs that need GPUs"),
        ("PAUSING: {method: freeze}", "'freeze' is not one of signal, checkpoint"),
        ("PAUSING: {max_pauzed: 3}", "max_paused"),
        ("PAUSING: {max_paused: 0}", "at least 1"),
    ],
)
def test_what_pausing_does_not_go_together_with_is_said(fields: str, message: str) -> None:
    fields = fields.replace("PAUSING", "early_stopping_type: Auto\npausing")
    problem = only_problem("early_stopping_type: Off", fields)
    assert message in f"{problem.message} {problem.hint}"
