"""YAML text -> TuningSpec, or every mistake with its line and column.

YAML 1.1 turns `Off`, `no` and `yes` into booleans and leaves `1e-4` text. Here a plain scalar is a
number, null, or the text that stands there; fields that are booleans read it from the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.formatting import count
from hpt_cli.spec.command_template import find_placeholders
from hpt_cli.spec.cross_field import find_conflicts
from hpt_cli.spec.cross_field.conflict import Conflict, mapping
from hpt_cli.spec.env_references import remove_references
from hpt_cli.spec.hyperparameters import name_variable
from hpt_cli.spec.messages import explain
from hpt_cli.spec.model import CHANGEABLE, TuningSpec
from hpt_cli.spec.yaml_document import SURROGATE, Document, compose, read_scalar


@dataclass(frozen=True)
class RawSpec:
    """The fields of a spec as they were read, the mistakes in them, and where each field stands."""

    fields: Mapping[str, Any]
    mistakes: tuple[Problem, ...] = ()
    document: Document | None = None
    """None for the fields of a journal, which stand in no file."""

    def validate(self, *conflicts: Conflict) -> TuningSpec:
        """Return the spec.

        Args:
            conflicts: what is wrong with the fields besides: with the machine, for example.

        Raises:
            UsageError: with every mistake as a problem, in the order of the file.
        """
        problems = [*self.mistakes, *(_locate(each, self.document) for each in conflicts)]
        if problems:
            raise UsageError(*sorted(problems, key=_by_place))
        return TuningSpec.model_validate(self.fields)


def parse_spec(text: str, file: str, overrides: Iterable[str] = ()) -> TuningSpec:
    """Return the spec in YAML text. Raises as `read_spec` does."""
    return parse_raw(text, file, overrides).validate()


def parse_raw(text: str, file: str, overrides: Iterable[str] = ()) -> RawSpec:
    """Return the fields in YAML text, with `field=value` overrides from the command line.

    Raises:
        UsageError: it is not YAML, or an override is not written so.
    """
    document = Document(compose(text, file), file)
    values = document.to_values() | read_overrides(overrides)
    mistakes = (
        *document.duplicates(),
        *_find_problems(values, document),
        *_find_placeholders(values, document),
    )
    return RawSpec(values, mistakes, document)


def _find_placeholders(values: dict[str, Any], document: Document) -> Iterator[Problem]:
    """Yield hyperparameters in `environment`, where nothing fills them in."""
    known = [*mapping(values, "hyperparameter_ranges"), *mapping(values, "static_hyperparameters")]
    for name, value in mapping(values, "environment").items():
        for placeholder in find_placeholders(remove_references(str(value))):
            if placeholder in known:
                message = f"environment.{name}: {{{placeholder}}} is only replaced in the command"
                hint = f"training jobs find it in {name_variable(placeholder)}, and all values"
                hint += f" in HPT_HYPERPARAMETERS; or write {name}={{{placeholder}}} before the"
                hint += " command, with shell: true"
                place = document.find(("environment", name), key=False)
                yield Problem("placeholder-environment", message, hint, place)


def read_overrides(overrides: Iterable[str]) -> dict[str, Any]:
    """Return the fields and values of `field=value` on the command line.

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
    """Return a scalar; or a list or a mapping, in brackets."""
    if text[:1] not in ("[", "{"):
        return read_scalar(text)
    try:
        return Document(compose(f"value: {text}", "--set"), "--set").to_values()["value"]
    except UsageError:
        return text


def change_spec(fields: Mapping[str, Any], changes: Mapping[str, Any], jobs: int) -> TuningSpec:
    """Return the spec of a tuning job that has begun, with other values in some fields.

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
            f"max_jobs cannot be {spec.job_limit}: there are already {count(jobs, 'training job')}",
            f"max_jobs={jobs} starts no further ones",
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
        yield _locate(conflict, document)


def _locate(conflict: Conflict, document: Document | None) -> Problem:
    place = document.find(conflict.location, key=False) if document else None
    return Problem(conflict.slug, conflict.message, conflict.hint, place)
