"""YAML text -> TuningSpec, or every mistake with its line and column.

YAML 1.1 turns `Off`, `no` and `yes` into booleans and leaves `1e-4` text. Here a plain scalar is a
number, null, or the text that stands there; fields that are booleans read it from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from pydantic import ValidationError

from hpt_cli.errors import Problem, SourceLocation, UsageError, did_you_mean
from hpt_cli.formatting import count
from hpt_cli.spec.checks import find_conflicts
from hpt_cli.spec.command_template import find_placeholders
from hpt_cli.spec.env_references import find_references, is_variable_name, remove_references
from hpt_cli.spec.hyperparameters import name_variable
from hpt_cli.spec.messages import explain
from hpt_cli.spec.model import (
    CHANGEABLE,
    Resources,
    TuningSpec,
    make_request,
)
from hpt_cli.spec.resources import Request, ResourceShortage
from hpt_cli.spec.yaml_document import SURROGATE, Document, compose, read_scalar

Survey: TypeAlias = Callable[[Request, Sequence[str] | None], Sequence[ResourceShortage]]
"""Says what a machine does not have of what each training job needs, and of the GPUs listed."""


def parse_spec(
    text: str,
    file: str,
    overrides: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    survey: Survey | None = None,
) -> TuningSpec:
    """The spec in YAML text; as `read_spec`.

    Raises:
        UsageError: with every mistake as a problem, in the order of the file.
    """
    root = compose(text, file)
    raw = Document(root, file)
    values = raw.to_values()
    values |= read_overrides(overrides)
    problems = [*raw.duplicates(), *_find_problems(values, raw)]
    problems += _find_placeholders(values, raw)
    if variables is not None:
        problems += _find_unset(values, raw, variables)
    if survey is not None:
        problems += _find_missing(values, raw, survey)
    if problems:
        raise UsageError(*sorted(problems, key=_by_place))
    return TuningSpec.model_validate(values)


def _find_placeholders(values: dict[str, Any], document: Document) -> Iterator[Problem]:
    """Hyperparameters in `environment`, where nothing fills them in."""
    environment = values.get("environment")
    known = [
        name
        for field in ("hyperparameter_ranges", "static_hyperparameters")
        if isinstance(values.get(field), dict)
        for name in values[field]
    ]
    for name, value in environment.items() if isinstance(environment, dict) else ():
        for placeholder in find_placeholders(remove_references(str(value))):
            if placeholder in known:
                message = f"environment.{name}: {{{placeholder}}} is filled in the command only"
                hint = f"a training job finds it in {name_variable(placeholder)}, and all of them"
                hint += f" in HPT_HYPERPARAMETERS; or write {name}={{{placeholder}}} before the"
                hint += " command, with shell: true"
                place = document.find(("environment", name), key=False)
                yield Problem("placeholder-environment", message, hint, place)


def _find_unset(
    values: dict[str, Any], document: Document, variables: Mapping[str, str]
) -> Iterator[Problem]:
    environment = values.get("environment")
    for name, value in environment.items() if isinstance(environment, dict) else ():
        for variable in find_references(str(value)):
            if is_variable_name(variable) and variable not in variables:
                place = document.find(("environment", name), key=False)
                yield describe_unset(name, variable, variables, place)


def _find_missing(values: dict[str, Any], document: Document, survey: Survey) -> Iterator[Problem]:
    asked, listed = values.get("resources"), values.get("gpus")
    try:
        resources = None if asked is None else Resources.model_validate(asked)
    except ValidationError:  # reported already
        return
    names = [str(each) for each in listed] if isinstance(listed, list) else None
    request = make_request(resources, names)
    is_here = values.get("executor", "local") == "local"
    for misfit in survey(request, names) if request and is_here else ():
        yield describe_shortage(misfit, document.find(misfit.location, key=False))


def describe_shortage(misfit: ResourceShortage, place: SourceLocation | None = None) -> Problem:
    """Something that this machine has too little of."""
    where = ".".join(each for each in misfit.location if isinstance(each, str))
    hint = "if nvidia-smi does not find them: gpus: [0, 1]" if where == "resources.gpus" else ""
    return Problem("resources-missing", f"{where}: {misfit.message}", hint, place)


def describe_unset(
    name: str, variable: str, variables: Iterable[str], place: SourceLocation | None = None
) -> Problem:
    """A variable that `environment` refers to and that is not set."""
    message = f"environment.{name}: the variable {variable} is not set"
    hint = did_you_mean(variable, variables) or f"export {variable}=... before you start hpt"
    return Problem("variable-unset", message, hint, place)


def read_overrides(overrides: Iterable[str]) -> dict[str, Any]:
    """The fields and values of `field=value` on the command line.

    Raises:
        UsageError: some are written otherwise.
    """
    overrides = list(overrides)
    pairs = [override.partition("=") for override in overrides]
    problems = [
        Problem("override", f"--set {field}: write it as FIELD=VALUE")
        for field, equals, _ in pairs
        if not equals
    ]
    problems += [
        Problem("override", f"--set {override!a} is not UTF-8 text")
        for override in overrides
        if SURROGATE.search(override)
    ]
    if problems:
        raise UsageError(*problems)
    return {field.strip(): _read_value(value.strip()) for field, _, value in pairs}


def _read_value(text: str) -> Any:
    """A scalar; or a list or a mapping, in brackets."""
    if text[:1] not in ("[", "{"):
        return read_scalar(text)
    try:
        return Document(compose(f"value: {text}", "--set"), "--set").to_values()["value"]
    except UsageError:
        return text


def change_spec(fields: Mapping[str, Any], changes: Mapping[str, Any], jobs: int) -> TuningSpec:
    """The spec of a tuning job that has begun, with other values in some fields.

    Args:
        fields: of the spec as it is.
        changes: of these fields.
        jobs: how many training jobs there are; max_jobs cannot be less.

    Raises:
        UsageError: these fields cannot change, or the values are wrong: all of them.
    """
    fixed = [field for field in changes if field not in CHANGEABLE]
    problems = [
        Problem(
            "field-fixed",
            f"'{field}' cannot change after a tuning job has begun",
            did_you_mean(field, CHANGEABLE) or f"these can: {', '.join(CHANGEABLE)}",
        )
        for field in fixed
    ]
    values = {**fields, **{field: changes[field] for field in changes if field not in fixed}}
    empty = Document(compose("{}", ""), "")
    problems += [replace(each, place=None) for each in _find_problems(values, empty)]
    if problems:
        raise UsageError(*problems)
    spec = TuningSpec.model_validate(values)
    if "max_jobs" in changes and spec.job_limit < jobs:
        raise UsageError.of(
            "max-jobs-passed",
            f"max_jobs cannot be {spec.job_limit}: it has {count(jobs, 'training job')} already",
            f"max_jobs={jobs} starts no more",
        )
    return spec


def _by_place(problem: Problem) -> tuple[int, int]:
    return (problem.place.line, problem.place.column) if problem.place else (0, 0)


def _find_problems(values: dict[str, Any], document: Document) -> Iterator[Problem]:
    conflicts = {(each.location, each.slug): each for each in find_conflicts(values)}
    told = {each.location for each in conflicts.values() if each.slug.startswith("stop-rule")}
    try:
        TuningSpec.model_validate(values)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if not each["loc"]:  # conflicts that show once "0" is 0
                found = each["ctx"]["error"].conflicts
                conflicts = {(each.location, each.slug): each for each in found} | conflicts
                continue
            is_echo = each["type"] == "too_short" and each["input"]  # its items have mistakes
            is_echo = is_echo or each["loc"] in told
            is_echo = is_echo or (bool(told) and each["loc"] == ("early_stopping", "rule"))
            if not is_echo:
                yield explain(dict(each), values, document)
    except UnicodeEncodeError:  # of text that is none, which is a conflict
        pass
    for conflict in conflicts.values():
        place = document.find(conflict.location, key=False)
        yield Problem(conflict.slug, conflict.message, conflict.hint, place)
